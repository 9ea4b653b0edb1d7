package listing_test

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/fs/vfs/listing"
	"github.com/s3levelfs/s3levelfs/store"
)

func TestOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket("p/a", "p/d/x", "q/x")
		x := open(t, b, listing.Config{TTL: ttl, StaleIfDown: 10 * time.Minute})
		want(t, "before", readDir(t, x, "p/"), "a d/")
		b.hook(func(string, int) error { time.Sleep(100 * time.Millisecond); return refuse(store.ErrTransient) }, nil)
		time.Sleep(ttl)

		began := time.Now()
		entries, fresh, err := x.Lookup(t.Context(), "p/", "a")
		if err != nil || show(entries) != "a" || !fresh.Stale {
			t.Fatalf("in an outage: %q, stale %v, %v", show(entries), fresh.Stale, err)
		}
		if took := time.Since(began); took < time.Second || took > 2*time.Second {
			t.Errorf("stale after %v, want just above a second of outage", took)
		}
		if until := time.Until(fresh.Until); until > time.Second {
			t.Errorf("stale for %v without asking", until)
		}
		began = time.Now()
		want(t, "absent", lookup(t, x, "p/", "b"), "")
		x.Stored(store.Object{Key: "p/b"})
		want(t, "own change", readDir(t, x, "p/"), "a b d/")
		if took := time.Since(began); took > 0 {
			t.Errorf("known outage cost %v", took)
		}
		if es, _, err := x.ReadDir(t.Context(), "p/d/"); !errors.Is(err, store.ErrTransient) {
			t.Errorf("unknown directory: %v, %v", es, err)
		}

		time.Sleep(10 * time.Minute)
		if es, _, err := x.ReadDir(t.Context(), "p/"); !errors.Is(err, store.ErrTransient) {
			t.Errorf("after ten minutes: %v, %v", es, err)
		}

		b.hook(nil, nil)
		b.remove("p/a")
		want(t, "over", readDir(t, x, "p/"), "d/")
	})
}

// TestCredentialsThatAreNotValidAreAnOutage: while nobody is signed in what was known is served, too, so that work goes on into the spool; the
// first answer after the login ends it.
func TestCredentialsThatAreNotValidAreAnOutage(t *testing.T) {
	for _, kind := range []error{store.ErrCredentials, store.ErrExpired} {
		synctest.Test(t, func(t *testing.T) {
			b := newBucket("p/a")
			x := open(t, b, listing.Config{TTL: ttl, StaleIfDown: 10 * time.Minute})
			readDir(t, x, "p/")
			b.hook(func(string, int) error { return refuse(kind) }, nil)
			time.Sleep(ttl)
			entries, fresh, err := x.Lookup(t.Context(), "p/", "new")
			if err != nil || len(entries) != 0 || !fresh.Stale {
				t.Fatalf("%v: %q, stale %v, %v", kind, show(entries), fresh.Stale, err)
			}
			if _, _, err := x.ReadDir(t.Context(), "q/"); !errors.Is(err, kind) {
				t.Errorf("unknown directory: %v, want %v", err, kind)
			}
			time.Sleep(10 * time.Minute)
			if _, _, err := x.ReadDir(t.Context(), "p/"); !errors.Is(err, kind) {
				t.Errorf("after ten minutes: %v, want %v", err, kind)
			}
			b.hook(nil, nil)
			b.put("p/b")
			want(t, "over", readDir(t, x, "p/"), "a b")
		})
	}
}

// TestOutageEnds: the probe in the background finds the end of the outage, one
// at a time.
func TestOutageEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket("p/a", "q/a")
		x := open(t, b, listing.Config{TTL: ttl})
		readDir(t, x, "p/")
		readDir(t, x, "q/")
		b.hook(func(string, int) error { time.Sleep(3 * time.Second); return refuse(store.ErrTransient) }, nil)
		time.Sleep(ttl)
		want(t, "stale", readDir(t, x, "p/"), "a")
		b.count()
		for range 30 {
			want(t, "stale", readDir(t, x, "p/"), "a")
			want(t, "stale", readDir(t, x, "q/"), "a")
			time.Sleep(100 * time.Millisecond)
		}
		atMost(t, b, "60 questions in 3 s of outage", 1)
		b.hook(nil, nil)
		b.put("p/b")
		time.Sleep(3 * time.Second)
		readDir(t, x, "p/")
		synctest.Wait()
		want(t, "over", readDir(t, x, "p/"), "a b")
	})
}

// TestOneErrorIsNoOutage: while others are answered, a failure is a failure.
func TestOneErrorIsNoOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket("p/a", "q/a")
		x := open(t, b, listing.Config{TTL: ttl})
		readDir(t, x, "p/")
		b.hook(func(prefix string, _ int) error {
			if prefix != "p/" {
				return nil
			}
			time.Sleep(2 * time.Second)
			return refuse(store.ErrTransient)
		}, nil)
		time.Sleep(ttl)
		stop := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(100 * time.Millisecond):
					if _, err := vacated(t, x, "q/"); err != nil {
						t.Error(err)
					}
				}
			}
		})
		began := time.Now()
		if es, _, err := x.ReadDir(t.Context(), "p/"); !errors.Is(err, store.ErrTransient) {
			t.Errorf("%v, %v", es, err)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("an error after %v", took)
		}
		close(stop)
		wg.Wait()

		b.hook(func(string, int) error { return refuse(store.ErrPermission) }, nil)
		if es, _, err := x.ReadDir(t.Context(), "p/"); !errors.Is(err, store.ErrPermission) {
			t.Errorf("refused: %v, %v", es, err)
		}
	})
}
