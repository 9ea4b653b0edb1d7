package listing_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/fs/vfs/listing"
	"github.com/s3levelfs/s3levelfs/store"
)

// TestLargeDirectoryAgesWithItsListing: what takes a minute to list is not listed each time that the TTL has passed, and
// new names in it are no requests for ten minutes; a small directory is as old as the TTL says, however slow the store is.
func TestLargeDirectoryAgesWithItsListing(t *testing.T) {
	for name, tc := range map[string]struct {
		files int
		ttl   time.Duration
		want  time.Duration
	}{
		"large":        {5500, time.Minute, 10 * time.Minute},
		"small":        {900, time.Minute, time.Minute},
		"always asked": {5500, time.Millisecond, time.Minute}, // that is how long it takes
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBucket(many("public/d/f", tc.files)...)
				b.hook(func(string, int) error { time.Sleep(10 * time.Second); return nil }, nil)
				x := open(t, b, listing.Config{TTL: tc.ttl})
				began := time.Now()
				readDir(t, x, "public/d/")
				b.count() // counts from now on
				for i := 0; time.Since(began) < tc.want-time.Second; i++ {
					want(t, "a new name", lookup(t, x, "public/d/", fmt.Sprint("new", i)), "")
					x.Stored(b.put(fmt.Sprint("public/d/new", i)))
					time.Sleep(10 * time.Second)
				}
				if n := b.count(); n != 0 {
					t.Errorf("%d requests for new names within %v", n, tc.want)
				}
				time.Sleep(time.Second)
				lookup(t, x, "public/d/", "later")
				if b.count() == 0 {
					t.Errorf("no request after %v", time.Since(began))
				}
			})
		})
	}
}

// TestNamesOfHugeDirectory: where the listing of a huge directory is too old, or was never made, a name in it costs one request of its
// own, and no listing of the whole is tried again and again that is given up half way.
func TestNamesOfHugeDirectory(t *testing.T) {
	for name, listed := range map[string]bool{"listed": true, "not listed": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBucket(many("public/d/f", 70_000)...)
				b.hook(func(string, int) error { time.Sleep(time.Millisecond); return nil }, nil)
				x := open(t, b, listing.Config{})
				if listed {
					readDir(t, x, "public/d/")
					time.Sleep(time.Minute)
				} else {
					for i := range 100 { // until it is known how large it is
						want(t, "a new name", lookup(t, x, "public/d/", fmt.Sprint("early", i)), "")
					}
				}
				b.count() // counts from now on
				const names = 200
				for i := range names {
					want(t, "a new name", lookup(t, x, "public/d/", fmt.Sprint("new", i)), "")
					x.Stored(store.Object{Key: fmt.Sprint("public/d/new", i)}) // the bucket would sort them all for each
				}
				b.put("public/d/theirs")
				want(t, "a name of others", lookup(t, x, "public/d/", "theirs"), "theirs")
				if n := b.count(); n != names+1 {
					t.Errorf("%d requests for %d names", n, names+1)
				}
			})
		})
	}
}
