package uploader_test

import (
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/op"
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
