package uploader_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// slow lets each call of a kind take a while.
func slow(kind string, d time.Duration) faultstore.Rule {
	return faultstore.Rule{Op: kind, Count: faultstore.Forever, Fault: faultstore.Do("slow", func() { time.Sleep(d) })}
}

// Removals do not wait until a long queue of uploads has come to its end.
func TestDeletesAmongManyUploads(t *testing.T) {
	faulty(t, func(t *testing.T, r *rig, _ *faultstore.Store) {
		for i := range 10 {
			r.mem.PutString(key(fmt.Sprint("old ", i)), "x")
		}
		for i := range 400 {
			r.put(key(fmt.Sprint(i)), "x")
			if i == 100 {
				for i := range 10 {
					r.remove(key(fmt.Sprint("old ", i)))
				}
			}
		}
		r.drain()
		n := slices.IndexFunc(r.mem.Requests(), func(q memstore.Request) bool { return q.Op == op.DeleteMany })
		if n < 0 || n > 200 {
			t.Errorf("%d uploads went before the removals behind the first 100", n)
		}
	}, slow(op.Put, 50*time.Millisecond))
}

// Large files none of whose parts moves give their places to others; what they have sent is kept.
func TestStalledLargeFilesLeaveRoomForOthers(t *testing.T) {
	faultyIn(t, func(t *testing.T, r *rig, f *faultstore.Store) {
		f.Add(faultstore.Rule{
			Op: op.UploadPart, Key: key("stalled/*"), Count: faultstore.Forever, Fault: faultstore.Stall(),
			Name: "not the first part", Where: func(c faultstore.Call) bool { return c.Part > 1 },
		})
		const bad, good = 12, 6
		for i := range bad {
			r.put(key(fmt.Sprint("stalled/", i)), text("s", 4*part))
		}
		time.Sleep(5 * time.Minute)
		for i := range good {
			r.put(key(fmt.Sprint("good/", i)), text("g", 4*part))
		}
		began := time.Now()
		for i := range good {
			r.until(key(fmt.Sprint("good/", i)))
		}
		d := time.Since(began)
		t.Logf("%d good files beside %d that stall after %v", good, bad, d)
		if d > 2*time.Minute {
			t.Errorf("good files waited for %v", d)
		}
		f.Clear()
		f.Release()
		r.drain()
		if n := len(r.bucket()); n != bad+good {
			t.Errorf("%d files", n)
		}
		for i := range bad {
			n := 0
			for _, q := range r.mem.Requests() {
				if q.Key == key(fmt.Sprint("stalled/", i)) && q.Op == op.UploadPart && q.Part == 1 {
					n++
				}
			}
			if n != 1 {
				t.Errorf("the part that had arrived was sent %d times", n)
			}
		}
	})
}

// A large file one of whose parts stalls keeps its place as long as the others move.
func TestMovingLargeFileKeepsItsPlace(t *testing.T) {
	faultyIn(t, func(t *testing.T, r *rig, f *faultstore.Store) {
		f.Add(faultstore.Rule{Op: op.UploadPart, Key: key("f"), Nth: 2, Count: 2, Fault: faultstore.Stall()}, slow(op.UploadPart, 3*time.Second))
		r.put(key("f"), text("f", 200*part))
		for i := range 12 {
			r.put(key(fmt.Sprint("other/", i)), text("o", 200*part))
		}
		r.drain()
		for _, e := range r.told() {
			if strings.HasPrefix(e, "failed") {
				t.Errorf("event %q", e)
			}
		}
	})
}

// Small files do not wait for the parts of large ones, even those that stall.
func TestSmallFilesPassLargeOnes(t *testing.T) {
	faultyIn(t, func(t *testing.T, r *rig, f *faultstore.Store) {
		f.Add(faultstore.Rule{Op: op.UploadPart, Count: faultstore.Forever, Fault: faultstore.Stall()})
		for i := range 20 {
			r.put(key(fmt.Sprint("large/", i)), text("x", 20*part))
		}
		time.Sleep(time.Second)
		for i := range 50 {
			r.put(key(fmt.Sprint("small/", i)), "x")
			if d := r.until(key(fmt.Sprint("small/", i))); d > 100*time.Millisecond {
				t.Fatalf("small file %d after %v", i, d)
			}
		}
	})
}

// order notes when each key is first sent, in calls that have ended: for large files those of large files, as these take turns
// among themselves.
type order struct {
	store.Store

	mu    sync.Mutex
	ended map[bool]int // by whether the key is a large file's; all calls count as false
	first map[string]int
}

func isLarge(k string) bool { return strings.HasPrefix(k, key("large")) }

func (o *order) call(keys []string, do func()) {
	o.mu.Lock()
	for _, k := range keys {
		if _, ok := o.first[k]; !ok {
			o.first[k] = o.ended[isLarge(k)]
		}
	}
	o.mu.Unlock()
	do()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended[false]++
	if isLarge(keys[0]) {
		o.ended[true]++
	}
}

func (o *order) Put(ctx context.Context, key string, body *io.SectionReader, h store.Headers, c store.Cond) (res store.PutResult, err error) {
	o.call([]string{key}, func() { res, err = o.Store.Put(ctx, key, body, h, c) })
	return res, err
}

func (o *order) Create(ctx context.Context, key string, h store.Headers) (id string, err error) {
	o.call([]string{key}, func() { id, err = o.Store.Create(ctx, key, h) })
	return id, err
}

func (o *order) UploadPart(ctx context.Context, key, id string, n int32, body *io.SectionReader) (p store.Part, err error) {
	o.call([]string{key}, func() { p, err = o.Store.UploadPart(ctx, key, id, n, body) })
	return p, err
}

func (o *order) Complete(ctx context.Context, key, id string, parts []store.Part, c store.Cond) (res store.PutResult, err error) {
	o.call([]string{key}, func() { res, err = o.Store.Complete(ctx, key, id, parts, c) })
	return res, err
}

func (o *order) DeleteMany(ctx context.Context, keys []string) (failed []store.KeyError, err error) {
	o.call(keys, func() { failed, err = o.Store.DeleteMany(ctx, keys) })
	return failed, err
}

func (o *order) Delete(ctx context.Context, key string, c store.Cond) (err error) {
	o.call([]string{key}, func() { err = o.Store.Delete(ctx, key, c) })
	return err
}

// now is how many calls have ended that count for a key.
func (o *order) now(k string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ended[isLarge(k)]
}

// before is how many operations are pending that a key may have to wait for.
func before(r *rig, k string) (n int) {
	for _, i := range r.u.Status().Items {
		if !isLarge(k) || isLarge(i.Key) {
			n++
		}
	}
	return n
}

// Whatever arrives, in whatever order, and whatever fails: each operation is first sent before more calls have ended than those
// make that were pending when it came, with as much again for what runs beside them.
func TestNoOperationStarves(t *testing.T) {
	const backlog, total = 60, 400
	kinds := []string{"small", "small", "small", "large", "delete"}
	rapid.Check(t, func(rt *rapid.T) {
		what := rapid.SliceOfN(rapid.SampledFrom(kinds), total, total).Draw(rt, "what")
		faults := rapid.SliceOfN(rapid.IntRange(1, 1000), 0, 40).Draw(rt, "faults")
		kind := rapid.SampledFrom([]faultstore.Fault{
			faultstore.SlowDown(), faultstore.InternalError(), faultstore.Reset(), faultstore.Stall(), faultstore.Lost(),
		})
		var rules []faultstore.Rule
		for _, n := range faults {
			rules = append(rules, faultstore.Rule{Op: faultstore.AnyWrite, Nth: n, Fault: kind.Draw(rt, "fault")})
		}
		synctest.Test(t, func(t *testing.T) {
			limits := store.S3Limits()
			limits.MinPart = 1
			r := newRig(t, memstore.Config{Limits: limits}, func(c *uploader.Config) { c.PartSize = part })
			r.ft = rt
			defer func() { r.stop() }()
			f := faultstore.New(r.mem)
			o := &order{Store: f, ended: map[bool]int{}, first: map[string]int{}}
			r.stop()
			r.store = o
			r.open()
			check(t, r.u.Prove(t.Context(), level))
			f.Add(rules...)
			f.SetHooks(faultstore.Hooks{Before: func(faultstore.Call) { time.Sleep(20 * time.Millisecond) }})
			came, ahead := map[string]int{}, map[string]int{}
			for i, w := range what {
				for r.u.Operations() >= backlog {
					time.Sleep(10 * time.Millisecond)
				}
				k := key(fmt.Sprint(w, i))
				came[k], ahead[k] = o.now(k), before(r, k)
				switch w {
				case "small":
					r.put(k, "x")
				case "large":
					r.put(k, text("x", 2*part))
				case "delete":
					r.mem.PutString(k, "x")
					r.remove(k)
				}
			}
			r.drain()
			for k, c := range came {
				const (
					callsEach = 5  // create, two parts, complete, and a repetition
					beside    = 64 // what 16 requests at a time, 20 ms each, do while a delete waits for company (50 ms), and more
				)
				if waited, most := o.first[k]-c, callsEach*ahead[k]+len(faults)+beside; waited > most {
					rt.Errorf("%s waited for %d calls, %d operations were pending", k, waited, ahead[k])
				}
			}
		})
	})
}
