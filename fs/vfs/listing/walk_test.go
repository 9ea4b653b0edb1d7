package listing_test

import (
	"context"
	"fmt"
	"hash/fnv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/fs/vfs/listing"
	"github.com/s3levelfs/s3levelfs/store"
)

// way is how long each request takes in these tests.
const way = 20 * time.Millisecond

func slowly(b *bucket) {
	b.hook(func(string, int) error { time.Sleep(way); return nil }, nil)
}

// unevenly is the same, but no two pages take the same time, and each always the same: which of two answers comes first is no matter of luck.
func unevenly(b *bucket) {
	b.way = func(from string) time.Duration {
		h := fnv.New32a()
		_, _ = h.Write([]byte(from))
		return way - time.Duration(h.Sum32()%100_000) // ns
	}
}

// treeOf has dirs directories of files files each.
func treeOf(dirs, files int) *bucket {
	b := newBucket()
	for i := range dirs * files {
		b.put(fmt.Sprintf("public/tree/d%03d/f%05d", i%dirs, i))
	}
	return b
}

// walk is os.walk: each directory is looked up and read.
func walk(t *testing.T, x *listing.Index, dir string, think time.Duration) (files int) {
	entries, _, err := x.ReadDir(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !e.Dir {
			files++
			continue
		}
		time.Sleep(think)
		if lookup(t, x, dir, e.Name) == "" {
			t.Fatalf("%s%s is gone", dir, e.Name)
		}
		files += walk(t, x, dir+e.Name+"/", think)
	}
	return files
}

// TestWalkOf10000: the harness's walk, of 10,000 files in 100 directories, costs 13 requests, and little more time than listing
// all serially; on a distant store less.
func TestWalkOf10000(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, distant := range []bool{false, true} {
			b := treeOf(100, 100)
			x := open(t, b, listing.Config{TTL: ttl})
			if distant {
				slowly(b)
			}
			began := time.Now()
			want(t, "tree", lookup(t, x, "public/", "tree"), "tree/")
			if n := walk(t, x, "public/tree/", time.Millisecond); n != 10_000 {
				t.Fatalf("%d files", n)
			}
			n := b.count()
			took := time.Since(began)
			t.Logf("distant %v: %d requests, %v", distant, n, took)
			if n > 13 {
				t.Errorf("%d requests", n)
			}
			if serial := 10 * way; distant && took > serial*13/10 {
				t.Errorf("%v, all pages one after the other are %v", took, serial)
			}
		}
	})
}

// TestWalkIsUsableWhileItRuns: a directory is there as soon as the listing has passed it, not when all of the tree has come.
func TestWalkIsUsableWhileItRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := treeOf(100, 100)
		x := open(t, b, listing.Config{TTL: ttl})
		slowly(b)
		readDir(t, x, "public/tree/")
		began := time.Now()
		for i := range 9 {
			if n := len(strings.Fields(readDir(t, x, fmt.Sprintf("public/tree/d%03d/", i)))); n != 100 {
				t.Fatalf("%d files", n)
			}
		}
		if took := time.Since(began); took > way {
			t.Errorf("the first nine directories took %v, a request is %v", took, way)
		}
	})
}

// TestWalkThatStops costs a few pages, not the tree.
func TestWalkThatStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := treeOf(1000, 50)
		x := open(t, b, listing.Config{TTL: ttl})
		slowly(b)
		readDir(t, x, "public/tree/")
		readDir(t, x, "public/tree/d000/")
		time.Sleep(time.Minute)
		atMost(t, b, "one directory read", 2)
		readDir(t, x, "public/tree/")
		readDir(t, x, "public/tree/d000/")
		readDir(t, x, "public/tree/d001/")
		readDir(t, x, "public/tree/d002/")
		time.Sleep(time.Minute)
		atMost(t, b, "three directories read", 1+1+4*3)
	})
}

// TestWalkSeesOwnChanges: a directory that changes here while the listing that shows it is under way is as it is now,
// whichever page it is on.
func TestWalkSeesOwnChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := treeOf(100, 100)
		x := open(t, b, listing.Config{TTL: time.Minute})
		slowly(b)
		readDir(t, x, "public/tree/")
		for i := range 100 {
			d := fmt.Sprintf("public/tree/d%03d/", i)
			for _, at := range []int{i, (i + 5) % 100, (i + 37) % 100} {
				x.Stored(b.put(fmt.Sprintf("public/tree/d%03d/new%d", at, i)))
				gone := fmt.Sprintf("public/tree/d%03d/f%05d", at, at+100*(i%50))
				b.remove(gone)
				x.Removed(gone)
			}
			time.Sleep(time.Duration(i%7) * time.Millisecond)
			want(t, d, readDir(t, x, d), strings.Join(namesIn(b, d), " "))
		}
	})
}

func namesIn(b *bucket, dir string) (names []string) {
	p, _ := b.page(dir, "", store.ListOptions{Delimiter: "/", PageSize: 100_000})
	for _, o := range p.Objects {
		names = append(names, o.Key[len(dir):])
	}
	return names
}

// TestWalkThatFails: who waits for a flat listing that fails asks by itself, and who goes away ends nothing.
func TestWalkThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := treeOf(100, 100)
		x := open(t, b, listing.Config{TTL: ttl})
		readDir(t, x, "public/tree/")
		b.hook(func(prefix string, _ int) error {
			time.Sleep(way)
			if prefix == "public/tree/" {
				return refuse(store.ErrPermission)
			}
			return nil
		}, nil)
		for i := range 10 {
			if n := len(strings.Fields(readDir(t, x, fmt.Sprintf("public/tree/d%03d/", i)))); n != 100 {
				t.Fatalf("%d files", n)
			}
		}
		slowly(b)
		ctx, cancel := context.WithTimeout(t.Context(), way/2)
		defer cancel()
		if _, _, err := x.ReadDir(ctx, "public/tree/d050/"); err == nil {
			t.Error("answered before the store did")
		}
		if n := len(strings.Fields(readDir(t, x, "public/tree/d050/"))); n != 100 {
			t.Fatalf("%d files", n)
		}
	})
}
