package storetest

import (
	"fmt"
	"slices"
	"sync"

	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/store"
)

func testList(e *env) {
	for _, n := range []string{"ab", "a-1", "b/1", "b/2", "b/c/3", "b/c/d/4", "d", "e/5", "z"} {
		e.puts(n, n)
	}
	tests := []struct {
		prefix   string
		o        store.ListOptions
		keys     []string
		prefixes []string
	}{
		{"", store.ListOptions{}, []string{"a-1", "ab", "b/1", "b/2", "b/c/3", "b/c/d/4", "d", "e/5", "z"}, nil},
		{"", store.ListOptions{Delimiter: "/"}, []string{"a-1", "ab", "d", "z"}, []string{"b/", "e/"}},
		{"b/", store.ListOptions{Delimiter: "/"}, []string{"b/1", "b/2"}, []string{"b/c/"}},
		{"b", store.ListOptions{Delimiter: "/"}, nil, []string{"b/"}},
		{"a", store.ListOptions{Delimiter: "/"}, []string{"a-1", "ab"}, nil},
		{"d", store.ListOptions{Delimiter: "/"}, []string{"d"}, nil}, // a prefix that is a key
		{"b/1", store.ListOptions{}, []string{"b/1"}, nil},
		{"b/c/", store.ListOptions{}, []string{"b/c/3", "b/c/d/4"}, nil},
		{"absent/", store.ListOptions{Delimiter: "/"}, nil, nil},
		{"", store.ListOptions{StartAfter: e.key("b/2")}, []string{"b/c/3", "b/c/d/4", "d", "e/5", "z"}, nil},
		{"", store.ListOptions{StartAfter: e.key("b/1zz")}, []string{"b/2", "b/c/3", "b/c/d/4", "d", "e/5", "z"}, nil},
		{"", store.ListOptions{StartAfter: e.key("c"), Delimiter: "/"}, []string{"d", "z"}, []string{"e/"}},
		{"b/", store.ListOptions{StartAfter: e.key("a")}, []string{"b/1", "b/2", "b/c/3", "b/c/d/4"}, nil},
		{"b/", store.ListOptions{StartAfter: e.key("c")}, nil, nil},
		{"", store.ListOptions{StartAfter: e.key("z")}, nil, nil},
	}
	for _, tt := range tests {
		for _, size := range []int{0, 1, 2, 3} {
			tt.o.PageSize = size
			what := fmt.Sprintf("prefix %q, delimiter %q, after %q, pages of %d", tt.prefix, tt.o.Delimiter, tt.o.StartAfter, size)
			_, keys, prefixes := e.listing(tt.prefix, tt.o)
			if !slices.Equal(keys, tt.keys) || !slices.Equal(prefixes, tt.prefixes) {
				e.Errorf("%s: keys %q, prefixes %q, want %q, %q", what, keys, prefixes, tt.keys, tt.prefixes)
			}
		}
	}
}

// testListOrder asserts that keys come in the order of their bytes.
func testListOrder(e *env) {
	names := []string{
		"A", "Z", "a", "b", "d-1", "d.x", "d/f", "d/g/h", "d0", "é", "zz", "～", "😀", "d!", "d/-", "B/c",
	}
	for _, n := range names {
		e.puts(n, "")
	}
	slices.Sort(names)
	for _, size := range []int{0, 1, 5} {
		if _, keys, _ := e.listing("", store.ListOptions{PageSize: size}); !slices.Equal(keys, names) {
			e.Errorf("pages of %d (-want +got):\n%s", size, cmp.Diff(names, keys))
		}
	}
	_, keys, prefixes := e.listing("", store.ListOptions{Delimiter: "/", PageSize: 4})
	if !slices.IsSorted(keys) || !slices.Equal(prefixes, []string{"B/", "d/"}) {
		e.Errorf("with a delimiter: %q, %q", keys, prefixes)
	}
}

// testListPages lists more keys than one page holds.
func testListPages(e *env) {
	const count = 1050
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := w; i < count; i += 8 {
				if _, err := e.s.Put(e.Context(), e.key(fmt.Sprintf("n/%04d", i)), section(nil), store.Headers{}, store.Cond{}); err != nil {
					e.Errorf("put: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	pages := func(prefix string, o store.ListOptions) (sizes []int, keys []string) {
		for p, err := range e.s.List(e.Context(), e.key(prefix), o) {
			if err != nil {
				e.Fatalf("list: %v", err)
			}
			if n := len(p.Objects) + len(p.Prefixes); n > 1000 || (o.PageSize > 0 && n > o.PageSize) || (n == 0 && p.More) {
				e.Errorf("page of %d entries, more %v", n, p.More)
			}
			sizes = append(sizes, len(p.Objects))
			for _, obj := range p.Objects {
				keys = append(keys, obj.Key)
			}
		}
		return sizes, e.names(keys)
	}
	want := make([]string, count)
	for i := range want {
		want[i] = fmt.Sprintf("n/%04d", i)
	}
	if sizes, keys := pages("n/", store.ListOptions{Delimiter: "/"}); !slices.Equal(keys, want) || !slices.Equal(sizes, []int{1000, 50}) {
		e.Errorf("%d keys in pages of %v", len(keys), sizes)
	}
	if sizes, keys := pages("n/", store.ListOptions{PageSize: 400, StartAfter: e.key("n/0099")}); !slices.Equal(keys, want[100:]) || len(sizes) < 3 {
		e.Errorf("start after: %d keys in pages of %v", len(keys), sizes)
	}
	for p, err := range e.s.List(e.Context(), e.key("n/"), store.ListOptions{PageSize: 10}) {
		if err != nil || len(p.Objects) != 10 || !p.More {
			e.Errorf("first page: %d objects, more %v, %v", len(p.Objects), p.More, err)
		}
		break // no further page is fetched; a following listing begins anew
	}
	var keys []string
	for _, n := range want {
		keys = append(keys, e.key(n))
	}
	for batch := range slices.Chunk(keys, e.s.Limits().MaxDelete) {
		if failed, err := e.s.DeleteMany(e.Context(), batch); err != nil || len(failed) > 0 {
			e.Errorf("delete-many of %d keys: %v, %v", len(batch), failed, err)
		}
	}
	if sizes, keys := pages("n/", store.ListOptions{}); len(keys) != 0 || len(sizes) > 1 {
		e.Errorf("after deleting: %d keys in %d pages", len(keys), len(sizes))
	}
	_, err := e.s.DeleteMany(e.Context(), slices.Concat(keys, keys)[:e.s.Limits().MaxDelete+1])
	e.wantKind("delete-many of more keys than Limits.MaxDelete", err, store.ErrInvalid)
}
