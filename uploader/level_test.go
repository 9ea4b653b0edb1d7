package uploader_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// Levels: docs/UPLOADER.md, 5d.

func Test_5d_Probe(t *testing.T) {
	for name, c := range map[string]struct {
		mc     memstore.Config
		state  string
		noCond bool
		denied bool
	}{
		"conditions kept":    {state: "proved"},
		"conditions ignored": {mc: memstore.Config{IgnoreWriteCond: true}, state: "proved", noCond: true},
		"denied": {
			mc:    memstore.Config{Allow: func(o, _ string) error { return map[string]error{op.Put: errors.New("no")}[o] }},
			state: "denied", denied: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, c.mc)
				defer r.stop()
				err := r.u.Prove(t.Context(), level)
				if errors.Is(err, store.ErrPermission) != c.denied {
					t.Errorf("prove: %v", err)
				}
				l := r.u.Status().Levels[0]
				if l.State != c.state || l.NoConditions != c.noCond {
					t.Errorf("level %+v", l)
				}
				r.wantBucket(map[string]string{}) // the probe leaves nothing
			})
		})
	}
}

func Test_5d_NoConditions_HeadFindsTheForeignVersion(t *testing.T) {
	runOn(t, memstore.Config{IgnoreWriteCond: true}, func(_ *testing.T, r *rig) {
		f := r.create(key("f.txt"))
		r.writeAt(f, "ours", 0)
		r.mem.PutString(key("f.txt"), "theirs")
		r.close(f)
		r.drain()
		r.wantBucket(map[string]string{key("f.txt"): "theirs", key(ours): "ours"})
	})
}

func Test_5d_Unproved_FirstFlushWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		allow := func(o, _ string) error { return map[string]error{op.Put: errors.New("no")}[o] }
		r := newRig(t, memstore.Config{Allow: allow})
		defer r.stop()
		f := r.create(key("f"))
		r.writeAt(f, "x", 0)
		if err := f.Flush(t.Context()); !errors.Is(err, store.ErrPermission) {
			t.Errorf("flush: %v", err)
		}
		_ = f.Release(t.Context(), true)
	})
}

func Test_5d_PutOnly_SendsNoHeadOrList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memstore.Config{}, func(c *uploader.Config) {
			c.Levels = []uploader.Level{{Prefix: "uploads/", CanPut: true}}
		})
		defer func() { r.stop() }()
		r.stop()
		r.store = faultstore.New(r.mem, faultstore.Rule{Op: op.Put, Key: "uploads/f", Count: 5, Fault: faultstore.Lost()})
		r.open()
		check(t, r.u.Prove(t.Context(), "uploads/"))
		f, err := r.u.Open(context.Background(), "uploads/f", uploader.OpenOptions{Truncate: true})
		check(t, err)
		r.writeAt(f, "x", 0)
		r.close(f)
		time.Sleep(time.Minute)
		r.drain()
		r.wantBucket(map[string]string{"uploads/f": "x"})
		for _, q := range r.mem.Requests() {
			if q.Op != op.Put {
				t.Errorf("request %v", q)
			}
		}
	})
}
