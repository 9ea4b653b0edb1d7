package uploader_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/uploader"
)

func (r *rig) remove(k string) {
	r.t.Helper()
	check(r.t, r.u.Remove(r.t.(*testing.T).Context(), k, r.stored(k), uploader.RemoveOptions{}))
}

func TestThousandUnlinksAreOneBatch(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		for i := range 1000 {
			r.mem.PutString(key(fmt.Sprint(i)), "x")
		}
		for i := range 1000 {
			r.remove(key(fmt.Sprint(i)))
		}
		r.drain()
		r.wantBucket(map[string]string{})
		if n := len(r.mem.Requests()); n > 2 {
			t.Errorf("%d requests", n)
		}
	})
}

func TestUnlinkOfPendingCostsNothing(t *testing.T) {
	run(t, func(_ *testing.T, r *rig) {
		r.put(key("f.tmp"), "x")
		r.remove(key("f.tmp"))
		r.drain()
		r.wantBucket(map[string]string{})
		r.wantRequests()
	})
}

func TestMkdirRmdir(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		check(t, r.u.Mkdir(t.Context(), key("d"), store.Headers{}))
		r.drain()
		r.wantBucket(map[string]string{key("d/"): ""})
		check(t, r.u.Rmdir(t.Context(), key("d"), r.stored(key("d/"))))
		r.drain()
		r.wantBucket(map[string]string{})
	})
}

// A directory whose marker was refused can be removed again, and nothing is left of it.
func TestRefusedMarkerCanBeTakenBack(t *testing.T) {
	faulty(t, func(t *testing.T, r *rig, f *faultstore.Store) {
		check(t, r.u.Mkdir(t.Context(), key("d"), store.Headers{}))
		left, err := r.u.Wait(t.Context(), "")
		if err != nil || left.Failed != 1 {
			t.Fatalf("%+v, %v", left, err)
		}
		check(t, r.u.Rmdir(t.Context(), key("d"), absent()))
		left, err = r.u.Wait(t.Context(), "")
		if err != nil || left != (uploader.Left{}) {
			t.Errorf("%+v, %v", left, err)
		}
		f.Clear()
		time.Sleep(time.Hour)
		r.wantBucket(nil)
	}, faultstore.Rule{Op: op.Put, Count: faultstore.Forever, Fault: faultstore.Denied()})
}
