package files_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.org/s3levelfs-files/files"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/storetest"
)

func open(t *testing.T, root string) store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), files.Name, store.Options{Extra: store.Settings{files.Root: root}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestConformance: what s3levelfs needs of a store, the seven methods and what stands beside them give.
func TestConformance(t *testing.T) {
	storetest.Test(t, func(t *testing.T) store.Store { return open(t, t.TempDir()) }, storetest.Features{
		NoFileBesideDir: true, NoMarkerContent: true, NoPathKeys: true, NoRequestIDs: true,
	})
}

// TestPlainFiles: objects are files that other programs read and write, and what those write is another version.
func TestPlainFiles(t *testing.T) {
	root := t.TempDir()
	s := open(t, root)
	put := func(text string, c store.Cond) (store.PutResult, error) {
		return s.Put(t.Context(), "public/a.txt", io.NewSectionReader(strings.NewReader(text), 0, int64(len(text))), store.Headers{ContentType: "text/plain"}, c)
	}
	first, err := put("first", store.Cond{IfNoneMatch: true})
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(root, "data", "public", "a.txt")
	if data, err := os.ReadFile(name); err != nil || string(data) != "first" {
		t.Fatalf("%q, %v", data, err)
	}
	if err := os.WriteFile(name, []byte("other"), 0o600); err != nil { // of the same length
		t.Fatal(err)
	}
	if err := os.Chtimes(name, time.Time{}, time.Unix(1_000_000_000, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := put("second", store.Cond{IfMatch: first.ETag}); !errors.Is(err, store.ErrChanged) {
		t.Errorf("over what another program has written: %v", err)
	}
	second := open(t, root) // another process, as far as the lock is concerned
	o, err := second.Head(t.Context(), "public/a.txt", store.Cond{})
	if err != nil || o.Size != 5 || o.Headers.ContentType != "text/plain" {
		t.Errorf("%+v, %v", o, err)
	}
	if _, err := put("third", store.Cond{IfMatch: o.ETag}); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(filepath.Join(root, "tmp")); err != nil || len(left) != 0 {
		t.Errorf("left are %v, %v", left, err)
	}
}

// TestNoWayOut: a link in the data leads nowhere, and no key out of them.
func TestNoWayOut(t *testing.T) {
	root, outside := t.TempDir(), t.TempDir()
	s := open(t, root)
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(root, "data", "link")); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"link/secret", "../lock", "/etc/passwd", "a/../../lock", "a//b", "."} {
		if _, _, err := s.Get(t.Context(), key, store.All, store.Cond{}); err == nil {
			t.Errorf("%q can be read", key)
		}
		if _, err := s.Put(t.Context(), key, nil, store.Headers{}, store.Cond{}); err == nil {
			t.Errorf("%q can be written", key)
		}
	}
	if _, err := os.Stat(filepath.Join(outside, "secret")); err != nil {
		t.Error(err)
	}
}

func TestConfigure(t *testing.T) {
	for root, want := range map[string]string{"": `setting "root" is missing`, "relative": "absolute", "/dev/null/x": "not a directory"} {
		if _, err := store.Open(t.Context(), files.Name, store.Options{Extra: store.Settings{files.Root: root}}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", root, err, want)
		}
	}
}
