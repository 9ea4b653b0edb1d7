package local_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/local"
)

func TestMain(m *testing.M) {
	local.MaybeRunChild()
	maybeRunParent()
	// The race detector would let each server sleep a second at its end.
	if err := os.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=0"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

func section(s string) *io.SectionReader {
	return io.NewSectionReader(strings.NewReader(s), 0, int64(len(s)))
}

func open(t *testing.T, cfg local.Config) *local.Store {
	t.Helper()
	st, err := local.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return st
}

func put(t *testing.T, st store.Store, key, text string) store.PutResult {
	t.Helper()
	r, err := st.Put(t.Context(), key, section(text), store.Headers{}, store.Cond{IfNoneMatch: true})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func read(t *testing.T, st store.Store, key string) (string, store.Object) {
	t.Helper()
	body, o, err := st.Get(t.Context(), key, store.All, store.Cond{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = body.Close() }()
	data, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(data), o
}

func list(t *testing.T, st store.Store) map[string]string {
	t.Helper()
	etags := map[string]string{}
	for page, err := range st.List(t.Context(), "", store.ListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Objects {
			etags[o.Key] = o.ETag
		}
	}
	return etags
}

var names = []string{
	"public/a b.txt", "public/a+b.txt", "public/a%2Fb", "public/ü.txt", "public/u\u0308.txt", "public/-rf",
	"public/日本/語 &<>'\"\\?#[]", "private/us-east-1:0/.hidden", "public/" + strings.Repeat("n", 255), "public/tab\tand\nline",
}

// TestRestart: data, ETags and names are the same after the server is gone and
// back, and lie in the directory as plain files.
func TestRestart(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	first, err := local.Open(t.Context(), local.Config{Data: data})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, name := range names {
		want[name] = put(t, first, name, "text of "+name).ETag
	}
	if diff := cmp.Diff(want, list(t, first)); diff != "" {
		t.Error(diff)
	}
	if err := first.Sync(t.Context()); err != nil {
		t.Error(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := open(t, local.Config{Data: data})
	if diff := cmp.Diff(want, list(t, second)); diff != "" {
		t.Error(diff)
	}
	for _, name := range names {
		text, o := read(t, second, name)
		if text != "text of "+name || o.ETag != want[name] || o.ETag == "" {
			t.Errorf("%q: %q %q", name, text, o.ETag)
		}
		if plain, err := os.ReadFile(filepath.Join(data, local.DefaultBucket, name)); err != nil || string(plain) != text {
			t.Errorf("%q on disk: %q, %v", name, plain, err)
		}
		if _, err := second.Copy(t.Context(), store.CopyRequest{Source: name, SourceETag: o.ETag, Target: "copies/x"}); err != nil {
			t.Errorf("copy of %q: %v", name, err)
		}
	}
}

// TestHeaders: every header that the server can hold comes back.
func TestHeaders(t *testing.T) {
	t.Parallel()
	st := open(t, local.Config{Data: t.TempDir()})
	want := store.Headers{
		ContentType: "a/b", ContentEncoding: "gzip", ContentDisposition: "inline", ContentLanguage: "de",
		CacheControl: "no-store", Expires: "0", Metadata: map[string]string{"mode": "33188", "s3levelfs-w": "x"},
	}
	if _, err := st.Put(t.Context(), "k", section("x"), want, store.Cond{}); err != nil {
		t.Fatal(err)
	}
	o, err := st.Head(t.Context(), "k", store.Cond{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&want, o.Headers); diff != "" {
		t.Error(diff)
	}
}

// TestRefusedBody: a big conditional write that is refused is told so, and is not
// a broken connection of unknown outcome.
func TestRefusedBody(t *testing.T) {
	t.Parallel()
	st := open(t, local.Config{Data: t.TempDir()})
	put(t, st, "k", "x")
	for _, size := range []int{300 << 10, 1 << 20, 20 << 20} {
		_, err := st.Put(t.Context(), "k", section(strings.Repeat("y", size)), store.Headers{}, store.Cond{IfNoneMatch: true})
		if !errors.Is(err, store.ErrChanged) || store.Unanswered(err) {
			t.Errorf("%d: %v", size, err)
		}
	}
	if text, _ := read(t, st, "k"); text != "x" {
		t.Errorf("%q", text)
	}
}

// TestDropped: files put into the directory by hand, and the directory itself made
// by hand, are objects with ETags; changed ones get others; written ones keep theirs.
func TestDropped(t *testing.T) {
	t.Parallel()
	for _, side := range []bool{false, true} {
		data := t.TempDir()
		if side {
			useSidecar(t, data)
		}
		write := func(name, text string, age time.Duration) {
			t.Helper()
			path := filepath.Join(data, local.DefaultBucket, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			at := time.Now().Add(-age)
			if err := os.Chtimes(path, at, at); err != nil {
				t.Fatal(err)
			}
		}
		write("public/a/hand.txt", "hand", time.Hour)
		write("public/b/other.txt", "hand", time.Hour)
		session := func(then func(st *local.Store)) map[string]string {
			st, err := local.Open(t.Context(), local.Config{Data: data})
			if err != nil {
				t.Fatal(err)
			}
			if then != nil {
				then(st)
			}
			etags := list(t, st)
			for key, etag := range etags {
				if text, o := read(t, st, key); o.ETag != etag || etag == "" || text == "" {
					t.Errorf("%s: %q listed, %q read", key, etag, o.ETag)
				}
			}
			if err := st.Close(); err != nil {
				t.Fatal(err)
			}
			return etags
		}
		one := session(func(st *local.Store) { put(t, st, "public/put.txt", "put") })
		if len(one) != 3 || one["public/a/hand.txt"] == one["public/b/other.txt"] {
			t.Errorf("%v", one)
		}
		if diff := cmp.Diff(one, session(nil)); diff != "" {
			t.Error("a second start changes ETags:", diff)
		}
		session(func(st *local.Store) {
			write("public/c/late.txt", "while it runs", 0)
			if got := list(t, st)["public/c/late.txt"]; got == "" {
				t.Error("no ETag for a file dropped while the server runs")
			}
		})
		write("public/a/hand.txt", "changed", 0)
		two := session(func(st *local.Store) {
			_, err := st.Put(t.Context(), "public/b/other.txt", section("new"), store.Headers{}, store.Cond{IfMatch: one["public/b/other.txt"]})
			if err != nil {
				t.Errorf("conditional overwrite of a dropped file: %v", err)
			}
		})
		if two["public/a/hand.txt"] == one["public/a/hand.txt"] || two["public/b/other.txt"] == one["public/b/other.txt"] ||
			two["public/put.txt"] != one["public/put.txt"] {
			t.Errorf("%v after %v", two, one)
		}
	}
}

// useSidecar makes the server keep headers in files, as it does where the
// filesystem has no extended attributes.
func useSidecar(t *testing.T, data string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(data, ".s3levelfs", "meta"), 0o700); err != nil {
		t.Fatal(err)
	}
}

func TestSidecar(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	useSidecar(t, data)
	st := open(t, local.Config{Data: data})
	etag := put(t, st, "public/a", "x").ETag
	if _, err := os.Stat(filepath.Join(data, ".s3levelfs", "meta", local.DefaultBucket, "public", "a", "meta", "etag")); err != nil {
		t.Error(err)
	}
	if got := list(t, st); len(got) != 1 || got["public/a"] != etag {
		t.Errorf("%v", got)
	}
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	one, err := local.Identity(data)
	if err != nil {
		t.Fatal(err)
	}
	two, err := local.Identity(data)
	if err != nil || one != two || len(one) != len("us-east-1:")+36 || !strings.HasPrefix(one, "us-east-1:") {
		t.Errorf("%q %q %v", one, two, err)
	}
	other, err := local.Identity(t.TempDir())
	if err != nil || other == one {
		t.Errorf("%q %v", other, err)
	}
	if _, err := local.Identity(filepath.Join(data, "no", "such")); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v", err)
	}
}

// TestProvider: the registered provider needs a data directory alone.
func TestProvider(t *testing.T) {
	t.Parallel()
	st, err := store.Open(t.Context(), "local", store.Options{Extra: map[string]string{local.ExtraData: t.TempDir()}})
	if err != nil {
		t.Fatal(err)
	}
	put(t, st, "public/a", "x")
	if _, ok := st.(store.Syncer); !ok {
		t.Error("no Syncer")
	}
	if err := st.Close(); err != nil {
		t.Error(err)
	}
	if err := st.Close(); err != nil {
		t.Error("second Close:", err)
	}
}
