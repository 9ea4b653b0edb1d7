package uploader_test

import (
	"context"
	"maps"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// A header change needs more rights than a write: that it is refused says nothing of the level.
func TestRefusedHeaderChangeDoesNotDenyTheLevel(t *testing.T) {
	faulty(t, func(t *testing.T, r *rig, f *faultstore.Store) {
		r.mem.PutString(key("f"), "x")
		check(t, r.u.SetHeaders(t.Context(), key("f"), r.stored(key("f")), memHeaders("1")))
		time.Sleep(time.Second)
		check(t, r.u.Prove(t.Context(), level))
		r.put(key("g"), "y")
		time.Sleep(time.Second)
		if got := r.bucket()[key("g")]; got != "y" {
			t.Errorf("g is %q, events %q", got, r.told())
		}
		if s := r.u.Status(); s.Failed != 1 || s.Levels[0].State != "proved" {
			t.Errorf("status %+v", s)
		}
		f.Clear()
		r.drain()
	}, faultstore.Rule{Op: op.Copy, Fault: faultstore.Denied(), Count: faultstore.Forever})
}

// What has failed is told by what it was: an upload, a removal, a rename.
func TestFailuresSayWhatTheyWere(t *testing.T) {
	faulty(t, func(t *testing.T, r *rig, f *faultstore.Store) {
		r.mem.PutString(key("f"), "x")
		r.mem.PutString(key("g"), "x")
		r.put(key("p"), "y")
		check(t, r.u.Remove(t.Context(), key("f"), r.stored(key("f")), uploader.RemoveOptions{}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_ = r.u.Rename(ctx, key("g"), key("h"), r.stored(key("g")), absent(), false) // that it fails is what is looked at
		time.Sleep(time.Minute)
		got := map[string]string{}
		r.told()
		r.mu.Lock()
		for _, e := range r.events {
			if e.Kind == uploader.Failed {
				got[e.Key] = e.What
			}
		}
		r.mu.Unlock()
		if want := (map[string]string{key("p"): "put", key("f"): "delete", key("g"): "move"}); !maps.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		f.Clear()
		r.drain()
	}, faultstore.Rule{Op: faultstore.AnyWrite, Fault: faultstore.Answer(503, "SlowDown", store.ErrTransient), Count: faultstore.Forever})
}
