package storetest_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/store/storetest"
)

// TestDecoratorsConform: a decorator without anything to do is a store.
func TestDecoratorsConform(t *testing.T) {
	decorators := map[string]func(store.Store) store.Store{
		"counting": func(s store.Store) store.Store { return storetest.NewCounting(s) },
		"faults":   func(s store.Store) store.Store { return faultstore.New(s) },
	}
	for name, decorate := range decorators {
		t.Run(name, func(t *testing.T) {
			storetest.Test(t, func(*testing.T) store.Store {
				return decorate(memstore.New(memstore.Config{MinPart: 10}))
			}, storetest.Features{})
		})
	}
}

func TestCounting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		faults := faultstore.New(memstore.New(memstore.Config{}), faultstore.Rule{Op: op.Put, Count: 3, Fault: faultstore.Stall()})
		c := storetest.NewCounting(faults)
		put := func(key string) error {
			body := io.NewSectionReader(strings.NewReader("0123"), 0, 4)
			_, err := c.Put(t.Context(), key, body, store.Headers{}, store.Cond{})
			return err
		}
		done := make(chan error)
		for _, k := range []string{"a", "b", "c"} {
			go func() { done <- put(k) }()
		}
		synctest.Wait()
		if n := c.InFlight(); n != 3 {
			t.Errorf("%d in flight", n)
		}
		faults.Release()
		for range 3 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		body, _, err := c.Get(t.Context(), "a", store.All, store.Cond{})
		if err != nil {
			t.Fatal(err)
		}
		if n := c.InFlight(); n != 1 {
			t.Errorf("%d in flight while a body is open", n)
		}
		if _, err := io.ReadAll(body); err != nil {
			t.Error(err)
		}
		if err := errors.Join(body.Close(), body.Close()); err != nil {
			t.Error(err)
		}
		if _, err := c.Head(t.Context(), "absent", store.Cond{}); err == nil {
			t.Error("an absent key has a head")
		}
		for _, err := range c.List(t.Context(), "", store.ListOptions{PageSize: 2}) {
			if err != nil {
				t.Error(err)
			}
		}
		want := storetest.Counts{
			Calls:       map[string]int{op.Put: 3, op.Get: 1, op.Head: 1, op.List: 2},
			Failed:      map[string]int{op.Head: 1},
			MaxInFlight: map[string]int{"": 3, op.Put: 3, op.Get: 1, op.Head: 1, op.List: 1},
			Sent:        12, Received: 4,
		}
		if d := cmp.Diff(want, c.Counts()); d != "" {
			t.Errorf("counts (-want +got):\n%s", d)
		}
		c.Reset()
		if n := c.Counts(); len(n.Calls) != 0 || n.MaxInFlight[""] != 0 || c.InFlight() != 0 {
			t.Errorf("after a reset: %+v, %d in flight", n, c.InFlight())
		}
	})
}
