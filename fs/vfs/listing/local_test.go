package listing_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/fs/vfs/listing"
)

// TestListingCanNotUndoAChange: the answer of a listing is made, then something
// changes here, then the answer arrives.
func TestListingCanNotUndoAChange(t *testing.T) {
	ask := map[string]func(*listing.Index) string{
		"readdir": func(x *listing.Index) string { return readDir(t, x, "p/d/") },
		"lookup":  func(x *listing.Index) string { lookup(t, x, "p/d/", "a"); return readDir(t, x, "p/d/") },
		"flat": func(x *listing.Index) string {
			for _, d := range []string{"p/1/", "p/2/", "p/3/", "p/d/"} {
				readDir(t, x, d)
			}
			return readDir(t, x, "p/d/")
		},
	}
	for name, change := range map[string]struct {
		do   func(*bucket, *listing.Index)
		want string
	}{
		"stored":  {func(b *bucket, x *listing.Index) { x.Stored(b.put("p/d/new")) }, "a new sub/"},
		"deep":    {func(b *bucket, x *listing.Index) { x.Stored(b.put("p/d/n/e/w")) }, "a n/ sub/"},
		"removed": {func(b *bucket, x *listing.Index) { b.remove("p/d/a"); x.Removed("p/d/a") }, "sub/"},
		"new dir": {func(b *bucket, x *listing.Index) { b.put("p/d/n/"); x.NewDir("p/d/n/") }, "a n/ sub/"},
		"dir removed": {func(b *bucket, x *listing.Index) {
			b.remove("p/d/sub/x")
			x.Removed("p/d/sub/x")
			x.DirRemoved("p/d/sub/")
		}, "a"},
		"last removed": {func(b *bucket, x *listing.Index) { b.remove("p/d/sub/x"); x.Removed("p/d/sub/x") }, "a sub/"},
		"moved away": {func(b *bucket, x *listing.Index) {
			b.remove("p/d/a")
			b.remove("p/d/sub/x")
			x.DirRemoved("p/d/")
		}, ""},
	} {
		for how, ask := range ask {
			t.Run(name+" "+how, func(t *testing.T) {
				b := newBucket("p/d/a", "p/d/sub/x", "p/1/f", "p/2/f", "p/3/f")
				x := open(t, b, listing.Config{})
				if how == "flat" {
					readDir(t, x, "p/")
				}
				var once sync.Once
				b.hook(nil, func(prefix string, _ int) {
					if prefix == "p/d/" || prefix == "p/" && how == "flat" {
						once.Do(func() { change.do(b, x) })
					}
				})
				want(t, "after the change", ask(x), change.want)
				b.hook(nil, func(string, int) {})
				want(t, "lookup", lookup(t, x, "p/d/", "new"), map[bool]string{true: "new"}[name == "stored"])
			})
		}
	}
}

// TestNameCanNotUndoAChange is the same for a lookup of one name.
func TestNameCanNotUndoAChange(t *testing.T) {
	b := newBucket(many("p/big/f", 1500)...)
	x := open(t, b, listing.Config{})
	b.hook(nil, func(prefix string, _ int) {
		switch prefix {
		case "p/big/new":
			x.Stored(b.put("p/big/new"))
		case "p/big/f00003":
			b.remove("p/big/f00003")
			x.Removed("p/big/f00003")
		}
	})
	want(t, "stored", lookup(t, x, "p/big/", "new"), "new")
	want(t, "removed", lookup(t, x, "p/big/", "f00003"), "")
}

// TestForget: what was asked before does not answer afterwards.
func TestForget(t *testing.T) {
	b := newBucket("p/a")
	x := open(t, b, listing.Config{})
	want(t, "before", readDir(t, x, "p/"), "a")
	b.put("p/b") // by somebody else
	want(t, "within the TTL", readDir(t, x, "p/"), "a")
	x.Forget("p/")
	want(t, "forgotten", readDir(t, x, "p/"), "a b")

	x.Forget("p/")
	b.hook(nil, func(string, int) { // the answer is made, somebody else writes, we are told to forget
		b.hook(nil, nil)
		b.put("p/c")
		x.Forget("p/")
	})
	readDir(t, x, "p/")
	want(t, "a listing from before", readDir(t, x, "p/"), "a b c")
}

// TestImplicitDirectoriesStay until rmdir, if it was us who emptied them.
func TestImplicitDirectoriesStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket("p/i/j/x", "p/f/x", "p/k")
		x := open(t, b, listing.Config{TTL: ttl})
		want(t, "before", readDir(t, x, "p/"), "f/ i/ k")
		readDir(t, x, "p/i/")
		readDir(t, x, "p/i/j/")
		b.remove("p/i/j/x")
		x.Removed("p/i/j/x")
		b.remove("p/f/x") // by somebody else
		time.Sleep(2 * ttl)
		want(t, "emptied here", readDir(t, x, "p/"), "i/ k")
		want(t, "by name", lookup(t, x, "p/", "i"), "i/")
		want(t, "below", readDir(t, x, "p/i/"), "j/")
		want(t, "empty", readDir(t, x, "p/i/j/"), "")

		x.DirRemoved("p/i/j/")
		x.Removed("p/i/j/x") // confirmed by the store after rmdir
		time.Sleep(2 * ttl)
		want(t, "rmdir j", readDir(t, x, "p/i/"), "")
		want(t, "i stays", readDir(t, x, "p/"), "i/ k")
		x.DirRemoved("p/i/")
		want(t, "rmdir i", readDir(t, x, "p/"), "k")
		time.Sleep(2 * ttl)
		want(t, "rmdir i", readDir(t, x, "p/"), "k")

		x.Keep("p/n/")
		want(t, "kept", readDir(t, x, "p/"), "k n/")
		time.Sleep(2 * ttl)
		want(t, "kept", readDir(t, x, "p/"), "k n/")
		x.NewDir("p/m/")
		x.Stored(b.put("p/m/f"))
		x.NewDir("p/m/") // told again when the marker is stored
		want(t, "told twice", readDir(t, x, "p/m/"), "f")
	})
}

// TestCancelHarmsNobodyElse: the first caller goes away, the second one gets
// the answer of the same listing.
func TestCancelHarmsNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket("p/a")
		b.hook(func(string, int) error { time.Sleep(time.Second); return nil }, nil)
		x := open(t, b, listing.Config{})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, _, err := x.ReadDir(ctx, "p/"); !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled: %v", err)
			}
		})
		synctest.Wait()
		wg.Go(func() {
			if got := readDir(t, x, "p/"); got != "a" {
				t.Errorf("innocent: %q", got)
			}
		})
		synctest.Wait()
		cancel()
		wg.Wait()
		atMost(t, b, "both", 1)
	})
}

// TestConcurrent: own changes are seen at once by whoever asks after them,
// whatever runs beside.
func TestConcurrent(t *testing.T) {
	b := newBucket(many("p/d0/old", 1200)...)
	x := open(t, b, listing.Config{TTL: time.Nanosecond, MaxEntries: 3000})
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			dir := fmt.Sprintf("p/d%d/", w%4)
			for i := range 40 {
				name := fmt.Sprintf("w%d-%d", w, i)
				x.Stored(b.put(dir + name))
				if got := lookup(t, x, dir, name); got != name {
					t.Errorf("%s%s: %q", dir, name, got)
				}
				if i%2 == 0 {
					b.remove(dir + name)
					x.Removed(dir + name)
					if got := lookup(t, x, dir, name); got != "" {
						t.Errorf("%s%s removed: %q", dir, name, got)
					}
				}
				if i%8 == 0 && !strings.Contains(readDir(t, x, dir), fmt.Sprintf("w%d-1", w)) && i > 1 {
					t.Errorf("%s lacks a file", dir)
				}
			}
		})
	}
	wg.Wait()
}
