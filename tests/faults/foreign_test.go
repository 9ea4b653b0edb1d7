package faults

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/tests/rig"
)

const ttl = 2 * time.Second // --metadata-ttl of these tests

// seen waits until a new open reads want.
func (w *world) seen(t *testing.T, path, want string) {
	t.Helper()
	within(t, 3*ttl, path+" reads as changed", func() bool {
		p, err := os.ReadFile(path)
		return err == nil && string(p) == want
	})
}

// oneVersion reads a file through an open descriptor: all of the old version or
// ESTALE, never a mixture.
func oneVersion(t *testing.T, f *os.File, old string) {
	t.Helper()
	p, err := io.ReadAll(io.NewSectionReader(f, 0, int64(len(old))+10))
	switch {
	case errors.Is(err, unix.ESTALE):
	case err != nil:
		t.Errorf("%s: %v, want ESTALE or the old bytes", f.Name(), err)
	case string(p) != old:
		t.Errorf("%s: an open file has mixed or new bytes (%d, old %d)", f.Name(), len(p), len(old))
	}
}

// TestForeignChangesUnderReaders: replaced, grown, shrunk and deleted objects
// under open, half cached and mapped files.
func TestForeignChangesUnderReaders(t *testing.T) {
	w := newWorld(t, "--metadata-ttl", ttl.String())
	old := strings.Repeat("old version ", 400_000) // 4.8 MB: more than one readahead
	for _, tt := range []struct{ name, now string }{
		{"replaced", strings.Repeat("new version ", 400_000)},
		{"grown", strings.Repeat("grown ", 1_000_000)},
		{"shrunk", "short"},
		{"deleted", ""},
	} {
		key := "public/" + tt.name
		w.foreignPut(t, key, old, store.Headers{})
		path := w.path("public", tt.name)
		w.seen(t, path, old)
		if _, err := shell(t, 30*time.Second, "echo 1 > /proc/sys/vm/drop_caches"); err != nil {
			t.Fatal(err)
		}
		unread, half := open(t, path), open(t, path)
		if _, err := half.ReadAt(make([]byte, 1000), 0); err != nil {
			t.Fatal(err)
		}
		mapped, err := unix.Mmap(int(half.Fd()), 0, len(old), unix.PROT_READ, unix.MAP_SHARED)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(mapped[:3]); got != "old" {
			t.Errorf("%s: map begins with %q", tt.name, got)
		}
		if tt.name == "deleted" {
			if err := w.Foreign.Delete(t.Context(), key, store.Cond{}); err != nil {
				t.Fatal(err)
			}
			within(t, 3*ttl, "deleted object is gone", func() bool { _, err := os.Stat(path); return os.IsNotExist(err) })
		} else {
			w.foreignPut(t, key, tt.now, store.Headers{})
			w.seen(t, path, tt.now)
		}
		oneVersion(t, half, old)
		p, err := io.ReadAll(unread) // has returned no byte: may follow to the new version
		if err == nil && string(p) != old && string(p) != tt.now {
			t.Errorf("%s: first read of an open file is a mixture", tt.name)
		} else if err != nil && !errors.Is(err, unix.ESTALE) {
			t.Errorf("%s: first read of an open file: %v", tt.name, err)
		}
		if got := string(mapped[:3]); got != "old" {
			t.Errorf("%s: mapped page changed to %q", tt.name, got)
		}
		if err := errors.Join(unix.Munmap(mapped), half.Close(), unread.Close()); err != nil {
			t.Error(err)
		}
	}
	w.Unmount(t)
}

func open(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// TestForeignChangeUnderAWriter: a file that is being rewritten here and
// replaced there ends as two files, neither mixed.
func TestForeignChangeUnderAWriter(t *testing.T) {
	w := newWorld(t, "--metadata-ttl", ttl.String())
	w.foreignPut(t, "public/doc.txt", "base", store.Headers{})
	path := w.path("public", "doc.txt")
	w.seen(t, path, "base")
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("ours, all of it"); err != nil {
		t.Fatal(err)
	}
	w.foreignPut(t, "public/doc.txt", "theirs", store.Headers{})
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	var beside string
	within(t, 20*time.Second, "a conflict copy in the bucket", func() bool {
		for _, k := range w.keys(t, "public/") {
			if strings.HasPrefix(k, "public/doc (conflict ") && strings.HasSuffix(k, ").txt") {
				beside = k
			}
		}
		return beside != ""
	})
	if got, _ := w.stored(t, beside); got != "ours, all of it" {
		t.Errorf("conflict copy: %q", got)
	}
	if got, _ := w.stored(t, "public/doc.txt"); got != "theirs" {
		t.Errorf("the foreign version became %q", got)
	}
	w.seen(t, path, "theirs")
	if got := read(t, w.path("public", strings.TrimPrefix(beside, "public/"))); got != "ours, all of it" {
		t.Errorf("conflict copy in the mount: %q", got)
	}
	w.Unmount(t)
}

// TestForeignChangeUnderAPartialWriter: bytes written into an old version are
// never mixed into a new one.
func TestForeignChangeUnderAPartialWriter(t *testing.T) {
	w := newWorld(t, "--metadata-ttl", ttl.String())
	old := strings.Repeat("o", 3_000_000)
	w.foreignPut(t, "public/part", old, store.Headers{})
	w.remount(t) // nothing of it is cached
	f, err := os.OpenFile(w.path("public", "part"), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("HERE"), 1_000_000); err != nil {
		t.Fatal(err)
	}
	w.foreignPut(t, "public/part", strings.Repeat("n", 3_000_000), store.Headers{})
	if err := f.Close(); err != nil && !errors.Is(err, unix.ESTALE) {
		t.Errorf("close: %v", err)
	}
	_, _, _ = w.Run(t, "sync", "--timeout", "10s", w.Dir)
	for _, k := range w.keys(t, "public/") {
		got, _ := w.stored(t, k)
		if strings.Contains(got, "n") && strings.ContainsAny(got, "oHERE") {
			t.Errorf("%s is a mixture", k)
		}
	}
	w.Kill() // what lost its base stays in the spool: umount would say so
}

// TestForeignCreateWins: O_EXCL and new files never replace what somebody else made meanwhile.
func TestForeignCreateWins(t *testing.T) {
	w := newWorld(t, "--metadata-ttl", "1m")
	if _, err := os.ReadDir(w.path("public")); err != nil {
		t.Fatal(err)
	}
	w.foreignPut(t, "public/new", "theirs", store.Headers{})
	write(t, w.path("public", "new"), "ours")
	if _, stderr, code := w.Run(t, "sync", w.Dir); code != 0 {
		t.Fatal(stderr)
	}
	if got, _ := w.stored(t, "public/new"); got != "theirs" {
		t.Errorf("public/new = %q", got)
	}
	if n := len(w.keys(t, "public/new (conflict ")); n != 1 {
		t.Errorf("%d conflict copies, want 1", n)
	}
	w.Unmount(t)
}

// TestAttributesOfAnotherMount: what a second mount changes of attributes is seen in time.
func TestAttributesOfAnotherMount(t *testing.T) {
	w := newWorld(t, "--metadata-ttl", ttl.String(), "--attr-ttl", "3s", "--attrs", "exact")
	other := rig.MountAt(t, t.TempDir(), w.Server.Env, append(w.Options, "--metadata-ttl", ttl.String(), "--attrs", "exact")...)
	at := func(name string) (here, there string) { return w.path("public", name), other.Dir + "/public/" + name }
	here, there := at("file")
	write(t, there, "text")
	link, linkThere := at("link")
	if err := os.Symlink("first", linkThere); err != nil {
		t.Fatal(err)
	}
	empty, emptyThere := at("empty")
	write(t, emptyThere, "")
	if _, stderr, code := other.Run(t, "sync", other.Dir); code != 0 {
		t.Fatal(stderr)
	}
	within(t, 10*time.Second, "files of the other mount", func() bool {
		_, err1 := os.Stat(here)
		to, _ := os.Readlink(link)
		st, err2 := os.Lstat(empty)
		return err1 == nil && to == "first" && err2 == nil && st.Mode().IsRegular()
	})
	then := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	if err := errors.Join(
		os.Chmod(there, 0o600), os.Chtimes(there, then, then),
		os.Remove(linkThere), os.Symlink("second", linkThere),
		os.Remove(emptyThere), os.Symlink("target", emptyThere),
	); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setxattr(there, "user.s3.content-type", []byte("text/x-test"), 0); err != nil {
		t.Fatal(err)
	}
	if _, stderr, code := other.Run(t, "sync", other.Dir); code != 0 {
		t.Fatal(stderr)
	}
	within(t, 15*time.Second, "mode and time of another mount", func() bool {
		st, err := os.Stat(here)
		return err == nil && st.Mode().Perm() == 0o600 && st.ModTime().Equal(then)
	})
	within(t, 15*time.Second, "content type of another mount", func() bool {
		value := make([]byte, 100)
		n, err := unix.Getxattr(here, "user.s3.content-type", value)
		return err == nil && string(value[:n]) == "text/x-test"
	})
	within(t, 15*time.Second, "symlinks of another mount", func() bool {
		to, _ := os.Readlink(link)
		replaced, _ := os.Readlink(empty)
		return to == "second" && replaced == "target"
	})
	other.Unmount(t)
	w.Unmount(t)
}
