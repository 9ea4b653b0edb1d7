package vfs_test

import (
	"context"
	"fmt"
	"iter"
	"sync/atomic"
	"testing"

	"github.com/s3levelfs/s3levelfs/store"
)

// lateList answers listings after something else has happened.
type lateList struct {
	store.Store
	between *atomic.Pointer[func()]
	asked   *atomic.Int64
}

// List implements store.Reader.
func (l lateList) List(ctx context.Context, prefix string, o store.ListOptions) iter.Seq2[store.Page, error] {
	return func(yield func(store.Page, error) bool) {
		if o.StartAfter == "" { // else it confirms what a batch is about to delete
			l.asked.Add(1)
		}
		for p, err := range l.Store.List(ctx, prefix, o) {
			if f := l.between.Load(); f != nil {
				(*f)()
			}
			if !yield(p, err) {
				return
			}
		}
	}
}

// TestRmdirWhileDeletesEnd: rm -rf does not find a directory not empty because a listing, made a moment ago, shows what
// has been deleted since.
func TestRmdirWhileDeletesEnd(t *testing.T) {
	var between atomic.Pointer[func()]
	var asked atomic.Int64
	e := newEnv(t, envConfig{wrap: func(s store.Store) store.Store { return lateList{s, &between, &asked} }})
	defer e.close(t)
	for i := range 20 {
		e.put(t, fmt.Sprintf("public/d/%02d", i), []byte("x"))
	}
	listNames(t, e, "public/d")
	for i := range 20 {
		must(t, e.fs.Unlink(t.Context(), fmt.Sprintf("public/d/%02d", i)))
	}
	drain := func() { e.drain(t) }
	between.Store(&drain)
	asked.Store(0)
	must(t, e.fs.Rmdir(t.Context(), "public/d"))
	between.Store(nil)
	if n := asked.Load(); n != 1 {
		t.Errorf("%d listings: the first one was not believed", n)
	}
	e.drain(t)
	if keys := e.mem.Keys(); len(keys) != 0 {
		t.Errorf("left: %q", keys)
	}
}
