package cache_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/cache"
	"github.com/s3levelfs/s3levelfs/store"
)

// TestPrefetch: what was fetched ahead is read for no further request, by who waits for it too; it is fetched once.
func TestPrefetch(t *testing.T) {
	for _, size := range []int{1, 128 << 10, 700_001, cache.PrefetchMax} {
		synctest.Test(t, func(t *testing.T) {
			s := newFake()
			s.fail = func(context.Context, int) error { time.Sleep(20 * time.Millisecond); return nil }
			data, obj := s.put("k", size)
			c := cache.New(s, cache.Config{})
			defer c.Close()
			for range 3 { // on its way, and cached
				if err := c.Prefetch(obj, func(err error) { t.Error(err) }); err != nil {
					t.Error(err)
				}
				time.Sleep(15 * time.Millisecond)
			}
			if got := readAll(t, c, obj, 128<<10); !bytes.Equal(got, data) {
				t.Error("other bytes")
			}
			if got := s.requests(); len(got) != 1 || got[0] != store.All {
				t.Errorf("size %d: requests %v", size, got)
			}
		})
	}
}

// TestPrefetchLeavesAlone: versions that can not be pinned, empty objects and large ones.
func TestPrefetchLeavesAlone(t *testing.T) {
	s := newFake()
	_, small := s.put("small", 100<<10)
	_, large := s.put("large", cache.PrefetchMax+1)
	unpinned, empty := small, small
	unpinned.ETag, empty.Size = "", 0
	c := newCache(t, s, cache.Config{})
	tight := newCache(t, s, cache.Config{Memory: 6 << 20}) // a sixty-fourth of it is less than 100 KiB
	for name, err := range map[string]error{
		"large": c.Prefetch(large, nil), "without an ETag": c.Prefetch(unpinned, nil), "empty": c.Prefetch(empty, nil),
		"for a small memory": tight.Prefetch(small, nil),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(s.requests()); n != 0 {
		t.Errorf("%d requests", n)
	}
}

// TestPrefetchIsBounded: sixteen requests at a time, those of readers included, who are never kept waiting.
func TestPrefetchIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake()
		s.fail = func(context.Context, int) error { time.Sleep(20 * time.Millisecond); return nil }
		c := cache.New(s, cache.Config{})
		defer c.Close()
		var objs []cache.Object
		for i := range 40 {
			_, obj := s.put(fmt.Sprint("k", i), 1000)
			objs = append(objs, obj)
		}
		begun, busy := 0, 0
		for _, obj := range objs[1:] {
			switch err := c.Prefetch(obj, nil); {
			case err == nil:
				begun++
			case errors.Is(err, cache.ErrBusy):
				busy++
			}
		}
		if begun != 16 || busy != 23 {
			t.Errorf("%d begun, %d refused", begun, busy)
		}
		at := time.Now()
		readAll(t, c, objs[0], 1000)
		if d := time.Since(at); d > 20*time.Millisecond {
			t.Errorf("a reader has waited %v", d)
		}
		synctest.Wait()
		if err := c.Prefetch(objs[39], nil); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

// TestPrefetchFailing: who asked is told, once, and a reader asks anew.
func TestPrefetchFailing(t *testing.T) {
	s := newFake()
	s.fail = func(_ context.Context, n int) error {
		if n == 1 {
			return &store.Error{Op: "get", Kind: store.ErrInvalid}
		}
		return nil
	}
	data, obj := s.put("k", 200<<10)
	c := newCache(t, s, cache.Config{})
	failed := make(chan error, 8)
	if err := c.Prefetch(obj, func(err error) { failed <- err }); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; !errors.Is(err, store.ErrInvalid) {
		t.Error(err)
	}
	if got := readAll(t, c, obj, 128<<10); !bytes.Equal(got, data) {
		t.Error("other bytes")
	}
	c.Close()
	if err := c.Prefetch(obj, nil); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if len(failed) != 0 {
		t.Errorf("told again: %v", <-failed)
	}
}
