package listing_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/fs/vfs/listing"
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
