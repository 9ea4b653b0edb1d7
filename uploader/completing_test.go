package uploader_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// slowCompleter is a server that takes its time to put parts together, and finishes when the client has gone.
type slowCompleter struct{ store.Store }

func (s slowCompleter) Complete(ctx context.Context, k, id string, parts []store.Part, c store.Cond) (store.PutResult, error) {
	type answer struct {
		res store.PutResult
		err error
	}
	done := make(chan answer, 1)
	go func() {
		time.Sleep(30 * time.Second)
		res, err := s.Store.Complete(context.WithoutCancel(ctx), k, id, parts, c)
		done <- answer{res, err}
	}()
	select {
	case a := <-done:
		return a.res, a.err
	case <-ctx.Done():
		return store.PutResult{}, &store.Error{Op: op.Complete, Key: k, Kind: store.ErrTransient, Err: ctx.Err(), Unanswered: true}
	}
}

// inParts runs a test while "f" is sent in parts to a store.
func inParts(t *testing.T, s func(store.Store) store.Store, test func(*testing.T, *rig)) {
	t.Helper()
	noAbort := func(o, _ string) error { return map[string]error{op.Abort: store.ErrPermission}[o] } // as Amplify's roles
	runOn(t, memstore.Config{MinPart: 1, Allow: noAbort}, func(t *testing.T, r *rig) {
		r.stop()
		r.store = s(r.mem)
		r.open()
		check(t, r.u.Prove(t.Context(), level))
		r.put(key("f"), string(make([]byte, 200)))
		time.Sleep(time.Second)
		test(t, r)
		r.drain()
		time.Sleep(time.Minute)
		if s := r.u.Status(); s.LastError != "" || slices.Contains(r.told(), "failed f") {
			t.Errorf("an upload that nobody wants is no failure: %q, %q", s.LastError, r.told())
		}
	}, func(c *uploader.Config) { c.PartSize = 64 })
}

// What is being completed can not be called back: the answer says what there is to delete.
func TestUnlinkWhilePartsArePutTogether(t *testing.T) {
	slow := func(s store.Store) store.Store { return slowCompleter{s} }
	t.Run("unlink", func(t *testing.T) {
		inParts(t, slow, func(t *testing.T, r *rig) {
			r.remove(key("f"))
			t.Cleanup(func() { r.wantBucket(map[string]string{}) })
		})
	})
	t.Run("rename", func(t *testing.T) {
		inParts(t, slow, func(t *testing.T, r *rig) {
			r.rename(key("f"), key("g"))
			t.Cleanup(func() { r.wantBucket(map[string]string{key("g"): string(make([]byte, 200))}) })
		})
	})
}

// Parts of a file that is removed are not sent to their end.
func TestUnlinkWhilePartsAreSent(t *testing.T) {
	stall := func(s store.Store) store.Store {
		return faultstore.New(s, faultstore.Rule{Op: op.UploadPart, Fault: faultstore.Stall(), Count: 4})
	}
	inParts(t, stall, func(t *testing.T, r *rig) {
		r.remove(key("f"))
		time.Sleep(time.Second)
		if n := len(r.u.Status().Items); n != 0 {
			t.Errorf("%d pending", n)
		}
		if n := r.mem.Counts()[op.Complete]; n != 0 {
			t.Errorf("%d completed", n)
		}
		t.Cleanup(func() { r.wantBucket(map[string]string{}) })
	})
}
