package listing_test

import (
	"context"
	"crypto/md5"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"

	"github.com/s3levelfs/s3levelfs/fs/vfs/listing"
	"github.com/s3levelfs/s3levelfs/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bucket is a store of keys that counts its listings. before, if set, runs at
// the begin of every page, without the lock; its error fails the page. after
// runs between the answer's making and its delivery.
type bucket struct {
	mu     sync.Mutex
	keys   map[string]store.Object
	lists  []string // "prefix" of every page, with a slash-d for the delimiter
	before func(prefix string, page int) error
	after  func(prefix string, page int)

	sorted   []string // all keys, nil after a change
	deaf     bool     // knows no start-after
	shuffled bool     // lists in another order than that of the keys

	way func(from string) time.Duration // how long the page behind a key takes; nil = no time
}

func newBucket(keys ...string) *bucket {
	b := &bucket{keys: make(map[string]store.Object)}
	for _, k := range keys {
		b.put(k)
	}
	return b
}

func (b *bucket) put(key string) store.Object {
	b.mu.Lock()
	defer b.mu.Unlock()
	o := store.Object{Key: key, Size: int64(len(key)), ETag: fmt.Sprintf("%q", key)}
	if strings.HasSuffix(key, "/") {
		o.Size = 0 // a marker
	}
	b.keys[key], b.sorted = o, nil
	return o
}

func (b *bucket) remove(key string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.keys, key)
	b.sorted = nil
}

// count gives the pages listed since the last call.
func (b *bucket) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := len(b.lists)
	b.lists = nil
	return n
}

func (b *bucket) hook(before func(string, int) error, after func(string, int)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.before, b.after = before, after
}

func (b *bucket) List(ctx context.Context, prefix string, o store.ListOptions) iter.Seq2[store.Page, error] {
	return func(yield func(store.Page, error) bool) {
		if !utf8.ValidString(o.StartAfter) { // S3 has parameters of UTF-8 alone
			yield(store.Page{}, &store.Error{Op: "list", Key: prefix, Code: "InvalidArgument", Kind: store.ErrInvalid})
			return
		}
		from := b.order(o.StartAfter)
		if b.deaf {
			from = ""
		}
		for page := 0; ; page++ {
			b.mu.Lock()
			before, after := b.before, b.after
			b.lists = append(b.lists, prefix+" "+o.Delimiter)
			b.mu.Unlock()
			if before != nil {
				if err := before(prefix, page); err != nil {
					yield(store.Page{}, err)
					return
				}
			}
			if b.way != nil {
				time.Sleep(b.way(from))
			}
			if err := ctx.Err(); err != nil {
				yield(store.Page{}, err)
				return
			}
			var p store.Page
			p, from = b.page(prefix, from, o)
			if after != nil {
				after(prefix, page)
			}
			if !yield(p, nil) || !p.More {
				return
			}
		}
	}
}

// page gives the keys and common prefixes behind from, in one order.
func (b *bucket) page(prefix, from string, o store.ListOptions) (p store.Page, last string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	size := o.PageSize
	if size == 0 {
		size = 1000
	}
	if b.sorted == nil {
		b.sorted = slices.SortedFunc(maps.Keys(b.keys), func(a, c string) int { return strings.Compare(b.order(a), b.order(c)) })
	}
	at := 0
	if start := max(from, prefix); !b.shuffled {
		at, _ = slices.BinarySearch(b.sorted, start)
	}
	common := ""
	for _, k := range b.sorted[at:] {
		if !strings.HasPrefix(k, prefix) {
			if k > prefix && !b.shuffled {
				break
			}
			continue
		}
		dir := false
		if i := strings.Index(k[len(prefix):], "/"); o.Delimiter != "" && i >= 0 {
			k, dir = k[:len(prefix)+i+1], true
		}
		if from != "" && b.order(k) <= from || dir && k == common {
			continue
		}
		if len(p.Objects)+len(p.Prefixes) == size {
			p.More = true
			break
		}
		if last = b.order(k); dir {
			common = k
			p.Prefixes = append(p.Prefixes, k)
		} else {
			p.Objects = append(p.Objects, b.keys[k])
		}
	}
	return p, last
}

// order is what keys are listed in the order of.
func (b *bucket) order(key string) string {
	if !b.shuffled || key == "" {
		return key
	}
	return fmt.Sprintf("%x", md5.Sum([]byte(key)))
}

func (*bucket) Head(context.Context, string, store.Cond) (store.Object, error) {
	panic("a listing never sends HEAD")
}

func (*bucket) Get(context.Context, string, store.Range, store.Cond) (io.ReadCloser, store.Object, error) {
	panic("a listing never sends GET")
}

// refuse is an error of the store.
func refuse(kind error) error { return &store.Error{Op: "list", Key: "x", Kind: kind} }

func open(t testing.TB, b *bucket, cfg listing.Config) *listing.Index {
	x := listing.New(b, cfg)
	t.Cleanup(x.Close)
	return x
}

// show writes entries as "file", "dir/" and "dir/*" (with a known marker).
func show(entries []listing.Entry) string {
	var out []string
	for _, e := range entries {
		switch {
		case e.Dir && e.Marker:
			out = append(out, e.Name+"/*")
		case e.Dir:
			out = append(out, e.Name+"/")
		default:
			out = append(out, e.Name)
		}
	}
	return strings.Join(out, " ")
}

func lookup(t testing.TB, x *listing.Index, dir, name string) string {
	t.Helper()
	entries, _, err := x.Lookup(t.Context(), dir, name)
	if err != nil {
		t.Fatalf("lookup %q %q: %v", dir, name, err)
	}
	if entries != nil && len(entries) == 0 {
		t.Fatalf("lookup %q %q: absent is nil", dir, name)
	}
	return strings.ReplaceAll(show(entries), "*", "")
}

func readDir(t testing.TB, x *listing.Index, dir string) string {
	t.Helper()
	entries, _, err := x.ReadDir(t.Context(), dir)
	if err != nil {
		t.Fatalf("readdir %q: %v", dir, err)
	}
	return strings.ReplaceAll(show(entries), "*", "")
}

func want(t testing.TB, what, got, want string) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: %q, want %q", what, got, want)
	}
}

func atMost(t testing.TB, b *bucket, what string, n int) {
	t.Helper()
	b.mu.Lock()
	lists := slices.Clone(b.lists)
	b.mu.Unlock()
	if len(lists) > 10 {
		lists = append(lists[:10], "…")
	}
	if got := b.count(); got > n {
		t.Errorf("%s: %d LISTs, want at most %d: %q", what, got, n, lists)
	}
}
