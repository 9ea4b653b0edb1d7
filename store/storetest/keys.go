package storetest

import (
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/store"
)

// oddNames travel through URLs, XML and header values of copies.
func oddNames() []string {
	return []string{
		"with space", "plus+plus", "a%2Fb", "100%", "%20", "%", "-dash", "--", "~tilde", "tab\tnew\nline", "ret\rurn", "del\x7fete",
		"quote'double\"back\\slash", "amp&lt<gt>", "semi;colon:at@eq=comma,", "star*question?hash#", "[br]{ac}|e^s`",
		"caf\u00e9", "cafe\u0301", "日本語", "emoji😀", "fullwidth～", "\u201b2F", "US-east-1:0f1e", " lead", "trail ",
		"dots...", ".hidden", "name.", "$dollar!", strings.Repeat("x", 255), strings.Repeat("é", 127),
		"deep/with space/plus+/%2F/leaf",
	}
}

func testKeyNames(e *env) {
	names := oddNames()
	for _, n := range names {
		e.puts(n, "content of "+n)
	}
	for _, n := range names {
		e.wantString(n, "content of "+n)
		if o, err := e.s.Head(e.Context(), e.key(n), store.Cond{}); err != nil || o.Key != e.key(n) {
			e.Errorf("head %q: %v, %v", n, o.Key, err)
		}
	}
	slices.Sort(names)
	if _, got, _ := e.listing("", store.ListOptions{}); !slices.Equal(names, slices.Sorted(slices.Values(got))) {
		e.Errorf("listing (-want +got):\n%s", cmp.Diff(names, slices.Sorted(slices.Values(got))))
	}
	for _, n := range names {
		dir := "copies of " + n + "/"
		if len(n) > 200 {
			dir = "copies/"
		}
		if _, err := e.s.Copy(e.Context(), store.CopyRequest{Source: e.key(n), Target: e.key(dir + n)}); err != nil {
			e.Errorf("copy %q: %v", n, err)
			continue
		}
		e.wantString(dir+n, "content of "+n)
		if _, got, _ := e.listing(dir+n, store.ListOptions{StartAfter: e.key(dir)}); !slices.Contains(got, dir+n) {
			e.Errorf("listing with prefix %q: %q", dir+n, got)
		}
	}
	for i, n := range names {
		if i%2 == 0 {
			if err := e.s.Delete(e.Context(), e.key(n), store.Cond{}); err != nil {
				e.Errorf("delete %q: %v", n, err)
			}
			continue
		}
		if failed, err := e.s.DeleteMany(e.Context(), []string{e.key(n)}); err != nil || len(failed) > 0 {
			e.Errorf("delete-many %q: %v, %v", n, failed, err)
		}
	}
	_, left, _ := e.listing("", store.ListOptions{})
	if left = slices.DeleteFunc(left, func(n string) bool { return strings.HasPrefix(n, "copies") }); len(left) > 0 {
		e.Errorf("after deleting all: %q", left)
	}
	long := e.key(strings.Repeat("x/", e.s.Limits().MaxKey))
	_, err := e.s.Put(e.Context(), long, section(nil), store.Headers{}, store.Cond{})
	if e.f.LongKeys {
		if err != nil {
			e.Errorf("put of a key that is too long: %v", err)
		}
		return
	}
	e.wantKind("put of a key that is too long", err, store.ErrInvalid)
}

func testBinaryKeys(e *env) {
	control := []string{"ctl\x01", "ctl\x1bname", "\x1f"}
	binary := []string{"bin\xff", "bin\xc3(", "bin\xed\xa0\x80"}
	for _, n := range control {
		e.verbatimOrNot(n, !e.f.NoControlKeys)
	}
	for _, n := range binary {
		e.verbatimOrNot(n, !e.f.NoBinaryKeys)
	}
}

// testPathKeys asserts keys that a path can not carry. They are opaque to S3.
func testPathKeys(e *env) {
	for _, n := range []string{"a//b", "a/./b", "a/../b", "c//", "./d"} {
		e.verbatimOrNot("p"+strings.ReplaceAll(n, "/", "~")+"/"+n, !e.f.NoPathKeys)
	}
}

// verbatimOrNot asserts that a key works like any other, or that it does not.
func (e *env) verbatimOrNot(name string, verbatim bool) {
	e.Helper()
	data := []byte("content of " + name)
	if strings.HasSuffix(name, "/") && e.f.NoMarkerContent {
		data = nil
	}
	_, err := e.s.Put(e.Context(), e.key(name), section(data), store.Headers{}, store.Cond{})
	if !verbatim && err != nil {
		e.wantKind("put of a key that the server does not take", err, store.ErrInvalid)
		return
	}
	if err != nil {
		e.Errorf("put %q: %v", name, err)
		return
	}
	dir, _, _ := strings.Cut(name, "/")
	if !strings.Contains(name, "/") {
		dir = ""
	}
	_, keys, _ := e.listing(dir, store.ListOptions{})
	listed := slices.Contains(keys, name)
	switch {
	case verbatim && !listed:
		e.Errorf("%q is not in the listing %q", name, keys)
	case verbatim:
		e.wantObject(name, data)
	case listed:
		e.Errorf("%q is listed verbatim, Features say that it is not", name)
	}
	if err := e.s.Delete(e.Context(), e.key(name), store.Cond{}); err != nil && verbatim {
		e.Errorf("delete %q: %v", name, err)
	}
}

func testFileBesideDir(e *env) {
	try := func(first, second string) {
		e.puts(first, "first")
		_, err := e.s.Put(e.Context(), e.key(second), section([]byte("second")), store.Headers{}, store.Cond{})
		if e.f.NoFileBesideDir {
			e.wantKind("put of "+second+" beside "+first, err, store.ErrInvalid)
			e.wantString(first, "first")
			e.wantAbsent(second)
			return
		}
		if err != nil {
			e.Errorf("put of %s beside %s: %v", second, first, err)
			return
		}
		e.wantString(first, "first")
		e.wantString(second, "second")
		if err := e.s.Delete(e.Context(), e.key(first), store.Cond{}); err != nil {
			e.Errorf("delete: %v", err)
		}
		e.wantString(second, "second")
	}
	try("a", "a/b")
	try("d/f", "d")
	try("deep/x", "deep/x/y/z")
}
