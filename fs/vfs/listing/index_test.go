package listing_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/fs/vfs/listing"
	"github.com/s3levelfs/s3levelfs/store"
)

const ttl = 5 * time.Second

func TestEntries(t *testing.T) {
	b := newBucket("public/", "public/a", "public/a/b", "public/d/", "public/e/f/g", "public//x", "public/\u201b01", "publicity", "z")
	x := open(t, b, listing.Config{})
	want(t, "readdir", readDir(t, x, "public/"), "/ a a/ d/ e/ \u201b01")
	want(t, "nameless", readDir(t, x, "public//"), "x")
	want(t, "pair", lookup(t, x, "public/", "a"), "a a/")
	want(t, "absent", lookup(t, x, "public/", "public"), "")
	want(t, "no key below", readDir(t, x, "public/none/"), "")
	entries, fresh, err := x.Lookup(t.Context(), "public/", "a")
	if err != nil || len(entries) != 2 {
		t.Fatal(entries, err)
	}
	if diff := cmp.Diff(listing.Entry{Name: "a", Object: b.keys["public/a"]}, entries[0]); diff != "" {
		t.Error(diff)
	}
	if left := time.Until(fresh.Until); left <= 0 || left > ttl || fresh.Stale {
		t.Errorf("fresh for %v, stale %v", left, fresh.Stale)
	}
}

// TestMarkers: what is known of a directory's own object is told with the entry.
func TestMarkers(t *testing.T) {
	b := newBucket("public/d/", "public/e/x")
	x := open(t, b, listing.Config{})
	marker := func() string {
		entries, _, err := x.Lookup(t.Context(), "public/", "d")
		if err != nil {
			t.Fatal(err)
		}
		return show(entries)
	}
	want(t, "not known", marker(), "d/")
	readDir(t, x, "public/d/")
	want(t, "read", marker(), "d/*")
	x.Removed("public/d/")
	want(t, "removed", marker(), "d/")
	x.Stored(b.put("public/d/"))
	want(t, "stored", marker(), "d/*")
}

// TestVerbatimPrefix: a level's prefix need not end in a slash.
func TestVerbatimPrefix(t *testing.T) {
	b := newBucket("puba", "pubd/x", "pub/y")
	x := open(t, b, listing.Config{})
	want(t, "readdir", readDir(t, x, "pub"), "/ a d/")
	want(t, "lookup", lookup(t, x, "pub", "a"), "a")
	x.Stored(b.put("pubc"))
	x.Stored(b.put("pube/f"))
	x.NewDir("pubg/")
	x.Removed("puba")
	x.DirRemoved("pubd/")
	want(t, "changed", readDir(t, x, "pub"), "/ c e/ g/")
	root := open(t, newBucket("a", "b/c"), listing.Config{})
	want(t, "bucket root", readDir(t, root, ""), "a b/")
	root.Stored(store.Object{Key: "d/e"})
	want(t, "bucket root changed", readDir(t, root, ""), "a b/ d/")
}

func many(prefix string, n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("%s%05d", prefix, i)
	}
	return keys
}

// TestRequestCounts are the promises of the acceptance list.
func TestRequestCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket(append(many("public/ls/f", 999), "public/one/two/three/four/f", "public/ls/")...)
		x := open(t, b, listing.Config{TTL: ttl})

		dir := "public/"
		for name := range strings.SplitSeq("one/two/three/four/f", "/") {
			if lookup(t, x, dir, name) == "" {
				t.Fatalf("%s%s is there", dir, name)
			}
			atMost(t, b, "lookup in unseen "+dir, 1)
			dir += name + "/"
		}
		if n := strings.Count(readDir(t, x, "public/ls/"), "f"); n != 999 {
			t.Fatalf("%d files", n)
		}
		atMost(t, b, "ls of 1,000 files", 1)
		for i := range 999 {
			lookup(t, x, "public/ls/", fmt.Sprintf("f%05d", i))
		}
		for i := range 999 {
			want(t, "absent", lookup(t, x, "public/ls/", fmt.Sprintf("g%05d", i)), "")
		}
		atMost(t, b, "names in a listed directory", 0)

		// 1,000 files made over 20 s in a directory that this mount made.
		x.NewDir("public/new/")
		b.put("public/new/")
		for i := range 1000 {
			name := fmt.Sprintf("f%d", i)
			want(t, "new name", lookup(t, x, "public/new/", name), "")
			x.Stored(b.put("public/new/" + name))
			want(t, "own write", lookup(t, x, "public/new/", name), name)
			time.Sleep(20 * time.Millisecond)
		}
		atMost(t, b, "1,000 creates in 20 s", 2+20/5)
	})
}

func TestLargeDirectory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket(many("public/big/f", 2500)...)
		b.put("public/big/f00007/below")
		for i := range 150 { // more than a page between z and z/
			b.put(fmt.Sprintf("public/big/z-%d", i))
		}
		b.put("public/big/z")
		b.put("public/big/z/below")
		x := open(t, b, listing.Config{TTL: ttl})

		want(t, "first", lookup(t, x, "public/big/", "f02000"), "f02000")
		atMost(t, b, "lookup in an unseen large directory", 2)
		want(t, "again", lookup(t, x, "public/big/", "f02000"), "f02000")
		atMost(t, b, "known name", 0)
		want(t, "pair", lookup(t, x, "public/big/", "f00007"), "f00007 f00007/")
		atMost(t, b, "name", 1)
		want(t, "absent", lookup(t, x, "public/big/", "f0"), "")
		atMost(t, b, "name with more siblings than a page", 2)
		want(t, "absent again", lookup(t, x, "public/big/", "f0"), "")
		atMost(t, b, "known absence", 0)
		want(t, "crowded", lookup(t, x, "public/big/", "z"), "z z/")
		atMost(t, b, "crowded name", 2)

		x.Stored(b.put("public/big/f0"))
		want(t, "own write", lookup(t, x, "public/big/", "f0"), "f0")
		x.Removed("public/big/f02000")
		b.remove("public/big/f02000")
		want(t, "own removal", lookup(t, x, "public/big/", "f02000"), "")
		atMost(t, b, "own changes of known names", 0)

		if n := len(strings.Fields(readDir(t, x, "public/big/"))); n != 2499+1+1+150+2 {
			t.Errorf("%d entries", n)
		}
		atMost(t, b, "readdir", 3)
		want(t, "after readdir", lookup(t, x, "public/big/", "f01999"), "f01999")
		atMost(t, b, "all known", 0)

		// Many single names pay for the whole directory.
		time.Sleep(ttl)
		for i := range 1000 {
			lookup(t, x, "public/big/", fmt.Sprintf("f%05d", i))
		}
		atMost(t, b, "1,000 names within the TTL", 3*3)
	})
}

// TestWalk: find, cp -r and ls -R read directory after directory below one.
func TestWalk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket()
		var dirs []string
		for i := range 20 {
			for j := range 5 {
				dir := fmt.Sprintf("public/t/d%d/e%d/", i, j)
				dirs = append(dirs, dir)
				for _, k := range many(dir+"f", 20) {
					b.put(k)
				}
			}
		}
		x := open(t, b, listing.Config{TTL: ttl})
		if n := len(strings.Fields(readDir(t, x, "public/t/"))); n != 20 {
			t.Fatalf("%d directories", n)
		}
		for i := range 20 {
			want(t, "subdirectory", readDir(t, x, fmt.Sprintf("public/t/d%d/", i)), "e0/ e1/ e2/ e3/ e4/")
			for _, dir := range dirs[5*i : 5*i+5] {
				if n := len(strings.Fields(readDir(t, x, dir))); n != 20 {
					t.Fatalf("%s: %d files", dir, n)
				}
				want(t, "absent", lookup(t, x, dir, "g"), "")
			}
			time.Sleep(100 * time.Millisecond)
		}
		atMost(t, b, "walk over 121 directories with 2,000 files", 8)
	})
}

// TestWalkOfALargeTree: what does not fit is given up, and costs a bounded share.
func TestWalkOfALargeTree(t *testing.T) {
	b := newBucket(many("public/t/a/huge/f", 30_000)...)
	for i := range 100 {
		b.put(fmt.Sprintf("public/t/z%02d/f", i))
	}
	x := open(t, b, listing.Config{MaxEntries: 50_000})
	readDir(t, x, "public/t/")
	for i := range 100 {
		want(t, "subdirectory", readDir(t, x, fmt.Sprintf("public/t/z%02d/", i)), "f")
	}
	atMost(t, b, "walk beside 30,000 files", 1+100+2*100)
}

// TestErrors: an error is an error, never an absent name or an empty directory.
func TestErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, kind := range []error{store.ErrPermission, store.ErrTransient, store.ErrNoBucket} {
			for failing := range 3 { // the page that fails
				b := newBucket(many("public/big/f", 2500)...)
				b.hook(func(_ string, page int) error {
					if page == failing {
						return refuse(kind)
					}
					return nil
				}, nil)
				x := open(t, b, listing.Config{})
				if es, _, err := x.ReadDir(t.Context(), "public/big/"); !errors.Is(err, kind) || es != nil {
					t.Errorf("readdir, page %d: %d entries, %v", failing, len(es), err)
				}
				if failing == 0 {
					if es, _, err := x.Lookup(t.Context(), "public/big/", "f"); !errors.Is(err, kind) || es != nil {
						t.Errorf("lookup: %v, %v", es, err)
					}
					if _, err := vacated(t, x, "public/big/"); !errors.Is(err, kind) {
						t.Errorf("empty: %v", err)
					}
				}
				n, last := 0, error(nil)
				for _, err := range x.Walk(t.Context(), "public/") {
					if last = err; err == nil {
						n++
					}
				}
				if !errors.Is(last, kind) || n != 1000*failing {
					t.Errorf("walk: %d objects, %v", n, last)
				}
				b.hook(nil, nil)
				want(t, "healed", lookup(t, x, "public/big/", "f00001"), "f00001")
			}
		}
	})
}

// TestNameErrors: the second half of a lookup counts too, and a walk's failed
// flat listing is no error of the directory.
func TestNameErrors(t *testing.T) {
	b := newBucket(many("public/big/f", 1500)...)
	for _, k := range many("public/big/z-", 150) {
		b.put(k)
	}
	x := open(t, b, listing.Config{})
	b.hook(func(prefix string, _ int) error {
		if prefix == "public/big/z/" {
			return refuse(store.ErrPermission)
		}
		return nil
	}, nil)
	if es, _, err := x.Lookup(t.Context(), "public/big/", "z"); !errors.Is(err, store.ErrPermission) {
		t.Errorf("%v, %v", es, err)
	}

	b = newBucket("p/a/x", "p/b/x", "p/c/x")
	x = open(t, b, listing.Config{})
	readDir(t, x, "p/")
	b.hook(func(prefix string, _ int) error {
		if prefix == "p/" {
			return refuse(store.ErrPermission)
		}
		return nil
	}, nil)
	for _, d := range []string{"a", "b", "c"} {
		want(t, d, readDir(t, x, "p/"+d+"/"), "x")
	}
}

func TestVacatedAndWalk(t *testing.T) {
	b := newBucket("p/a/", "p/b/x", "p/c/", "p/c/x", "p/b-")
	x := open(t, b, listing.Config{})
	for dir, empty := range map[string]bool{"p/a/": true, "p/b/": false, "p/c/": false, "p/none/": true} {
		if got, err := vacated(t, x, dir); err != nil || got != empty {
			t.Errorf("%s: empty %v, %v", dir, got, err)
		}
		atMost(t, b, "empty", 1)
	}
	for _, k := range many("p/big/f", 2500) {
		b.put(k)
	}
	var keys []string
	for o, err := range x.Walk(t.Context(), "p/") {
		if err != nil {
			t.Fatal(err)
		}
		if keys = append(keys, o.Key); len(keys) == 1500 {
			break
		}
	}
	want(t, "first", strings.Join(keys[:5], " "), "p/a/ p/b- p/b/x p/big/f00000 p/big/f00001")
	atMost(t, b, "a walk broken off", 2)
}

func TestMemoryIsBounded(t *testing.T) {
	b := newBucket(many("p/big/f", 1500)...)
	for i := range 200 {
		for j := range 10 {
			b.put(fmt.Sprintf("p/d%03d/f%d", i, j))
		}
	}
	x := open(t, b, listing.Config{MaxEntries: 500})
	if n := len(strings.Fields(readDir(t, x, "p/big/"))); n != 1500 {
		t.Errorf("%d entries of a directory above the bound", n)
	}
	want(t, "name in it", lookup(t, x, "p/big/", "f01400"), "f01400")
	for range 2 {
		for i := range 200 {
			if n := len(strings.Fields(readDir(t, x, fmt.Sprintf("p/d%03d/", i)))); n != 10 {
				t.Errorf("%d entries", n)
			}
		}
	}
	if n := x.Entries(); n > 500 {
		t.Errorf("%d entries kept", n)
	}
}

func TestClosed(t *testing.T) {
	x := listing.New(newBucket("p/a"), listing.Config{})
	want(t, "open", lookup(t, x, "p/", "a"), "a")
	x.Close()
	want(t, "known", lookup(t, x, "p/", "a"), "a")
	if _, _, err := x.ReadDir(t.Context(), "q/"); !errors.Is(err, listing.ErrClosed) {
		t.Errorf("%v", err)
	}
}
