package uploader_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/uploader"
)

func faults() []faultstore.Fault {
	return []faultstore.Fault{
		faultstore.Refused(), faultstore.Reset(), faultstore.Lost(), faultstore.SlowDown(),
		faultstore.Applied(faultstore.InternalError()), faultstore.Expired(), faultstore.Stall(),
	}
}

// TestFaultSweep fails each call of a workload in each way, once and for more
// than the attempts of a request: nothing is lost, doubled or resurrected.
func TestFaultSweep(t *testing.T) {
	for _, f := range faults() {
		for _, times := range []int{1, 5} {
			t.Run(fmt.Sprint(f, "-", times), func(t *testing.T) {
				for n := 1; sweepOnce(t, faultstore.Rule{Nth: n, Count: times, Fault: f}, n%3 == 0); n++ {
				}
			})
		}
	}
}

func sweepOnce(t *testing.T, rule faultstore.Rule, crash bool) (fired bool) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memstore.Config{MinPart: 1}, func(c *uploader.Config) { c.PartSize, c.PinBase = 64, 100 })
		defer func() { r.stop() }()
		f := faultstore.New(r.mem, rule)
		r.stop()
		r.store = f
		r.open()
		for i := range 3 {
			r.mem.PutString(key(fmt.Sprint("del", i)), "x")
		}
		r.mem.PutString(key("moved"), "moved")
		r.mem.PutString(key("base"), "0123456789")
		r.mem.PutString(key("attr"), "attr")
		r.mem.PutString(key("wide"), text("w", 300))
		_ = r.u.Prove(t.Context(), level)
		workload(t, r)
		if crash {
			time.Sleep(100 * time.Millisecond)
			r.crash()
		}
		r.drain()
		want := map[string]string{
			key("small"): "small", key("large"): string(make([]byte, 200)), key("to"): "moved", key("base"): "01234X6789",
			key("attr"): "attr", key("dir/"): "", key("renamed"): "renamed",
			key("wide"): patch(text("w", 300), "X", 70),
		}
		r.wantBucket(want)
		if o, _ := r.mem.Object(key("attr")); o.Headers.Metadata["v"] != "1" {
			t.Errorf("headers of attr: %v", o.Headers.Metadata)
		}
		fired = len(f.Fired()) > 0
		if t.Failed() {
			t.Fatalf("%v, crash %v; fired %v; events %v; requests %v; pending %v", rule, crash, f.Fired(), r.told(), r.mem.Requests(), r.u.Dump())
		}
	})
	return fired
}

// workload does each thing once; what a caller is told to have failed it does again.
func workload(t *testing.T, r *rig) {
	t.Helper()
	r.put(key("small"), "small")
	r.put(key("large"), string(make([]byte, 200)))
	again(t, func() error {
		err := r.u.Rename(t.Context(), key("moved"), key("to"), r.stored(key("moved")), r.stored(key("to")), false)
		if _, ok := r.mem.Object(key("moved")); err != nil && !ok {
			return nil
		}
		return err
	})
	f := r.edit(key("base"))
	r.writeAt(f, "X", 5)
	r.close(f)
	f = r.edit(key("wide"))
	r.writeAt(f, "X", 70)
	r.close(f)
	check(t, r.u.SetHeaders(t.Context(), key("attr"), r.stored(key("attr")), memHeaders("1")))
	check(t, r.u.Mkdir(t.Context(), key("dir"), store.Headers{}))
	r.put(key("renamed.tmp"), "renamed")
	time.Sleep(1990 * time.Millisecond)
	check(t, r.u.Rename(t.Context(), key("renamed.tmp"), key("renamed"), absent(), absent(), false))
	for i := range 3 {
		r.remove(key(fmt.Sprint("del", i)))
	}
}

func again(t *testing.T, do func() error) {
	t.Helper()
	var err error
	for range 10 {
		if err = do(); err == nil {
			return
		}
		time.Sleep(time.Minute)
	}
	t.Fatal(err)
}
