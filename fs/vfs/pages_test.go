package vfs_test

import (
	"bytes"
	"errors"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/s3levelfs/s3levelfs/fs/vfs"
	"github.com/s3levelfs/s3levelfs/store/op"
)

// wantStale reads at off by a new handle of public/f, which the listing still shows as it was,
// and expects ESTALE; after that the name is another generation and reads want.
func wantStale(t *testing.T, e *env, before vfs.Attr, off int64, want string) {
	t.Helper()
	h := open(t, e, "public/f", syscall.O_RDONLY)
	if h.Ino() != before.Ino || h.Gen() != before.Gen {
		t.Fatalf("opened %d.%d, want %d.%d: the change was seen already", h.Ino(), h.Gen(), before.Ino, before.Gen)
	}
	buf := make([]byte, 4)
	n, err := h.ReadAt(t.Context(), buf, off)
	if errnoOf(err) != syscall.ESTALE {
		t.Errorf("read: %q, %v, want ESTALE", buf[:n], err)
	}
	must(t, h.Release(t.Context()))
	again := open(t, e, "public/f", syscall.O_RDONLY)
	defer func() { must(t, again.Release(t.Context())) }()
	if again.Ino() == before.Ino && again.Gen() == before.Gen {
		t.Error("the new version has the old one's generation")
	}
	n, err = again.ReadAt(t.Context(), buf, off)
	must(t, err)
	if string(buf[:n]) != want {
		t.Errorf("the next open reads %q, want %q", buf[:n], want)
	}
}

// TestServedGenerationIsNotRepinned: of an inode that bytes of one version were read from, by a handle
// that is closed by now, no handle is pinned to another version: the kernel may have pages
// of the first.
func TestServedGenerationIsNotRepinned(t *testing.T) {
	e := newEnv(t, envConfig{})
	defer e.close(t)
	old, now := bytes.Repeat([]byte("old "), 4<<20), bytes.Repeat([]byte("new "), 4<<20)
	e.put(t, "public/f", old) // larger than what one reading fetches
	before := mustLookup(t, e, "public/f")
	h := open(t, e, "public/f", syscall.O_RDONLY)
	_, err := h.ReadAt(t.Context(), make([]byte, 4), 0)
	must(t, err)
	must(t, h.Release(t.Context()))
	e.put(t, "public/f", now)
	wantStale(t, e, before, int64(len(old)-4), "new ")
}

// TestWrittenGenerationIsNotRepinned: the same of an inode whose pages the kernel has from writing.
func TestWrittenGenerationIsNotRepinned(t *testing.T) {
	e := newEnv(t, envConfig{forgets: true})
	defer e.close(t)
	writeFile(t, e.fs, "public/f", bytes.Repeat([]byte("ours"), 4096))
	e.drain(t)
	before := mustLookup(t, e, "public/f")
	e.put(t, "public/f", bytes.Repeat([]byte("them"), 4096))
	wantStale(t, e, before, 8192, "them")
}

// TestWrittenInPartIsRepinned: of writes that fill no page the kernel keeps nothing that it would
// read again.
func TestWrittenInPartIsRepinned(t *testing.T) {
	e := newEnv(t, envConfig{forgets: true})
	defer e.close(t)
	writeFile(t, e.fs, "public/f", []byte("ours"))
	e.drain(t)
	mustLookup(t, e, "public/f")
	e.put(t, "public/f", []byte("them"))
	h := open(t, e, "public/f", syscall.O_RDONLY)
	defer func() { must(t, h.Release(t.Context())) }()
	wantRead(t, h, "them")
}

// TestResizedIsToldOnce: a reader that goes on with a version of another size has the kernel ask
// for the size anew.
func TestResizedIsToldOnce(t *testing.T) {
	e := newEnv(t, envConfig{})
	defer e.close(t)
	e.put(t, "public/f", []byte("old"))
	h := open(t, e, "public/f", syscall.O_RDONLY)
	defer func() { must(t, h.Release(t.Context())) }()
	e.put(t, "public/f", []byte("longer"))
	wantRead(t, h, "longer")
	if !h.Resized() || h.Resized() {
		t.Error("the new size is not told exactly once")
	}
}

// TestRefusedReadAfterRename: what a refused read says is about the name that the file has now.
func TestRefusedReadAfterRename(t *testing.T) {
	e := newEnv(t, envConfig{})
	defer e.close(t)
	e.put(t, "public/f", bytes.Repeat([]byte("x"), 16<<20))
	h := open(t, e, "public/f", syscall.O_RDONLY)
	defer func() { must(t, h.Release(t.Context())) }()
	must(t, e.fs.Rename(t.Context(), "public/f", "public/g", 0))
	e.drain(t)
	e.mem.SetAllow(func(kind, _ string) error {
		if kind == op.Get {
			return errors.New("denied")
		}
		return nil
	})
	_, err := h.ReadAt(t.Context(), make([]byte, 1), 8<<20)
	wantErrno(t, err, syscall.EACCES)
}

// TestReadThatARenameOvertakes: a request for the old key, sent before a rename and answered after
// it, is repeated with the new one.
func TestReadThatARenameOvertakes(t *testing.T) {
	e := newEnv(t, envConfig{})
	defer e.close(t)
	e.put(t, "public/f", bytes.Repeat([]byte("f"), 16<<20))
	h := open(t, e, "public/f", syscall.O_RDONLY)
	defer func() { must(t, h.Release(t.Context())) }()
	_, err := h.ReadAt(t.Context(), make([]byte, 1), 0) // some handle has got bytes: no other version will do
	must(t, err)
	asked, renamed := make(chan struct{}), make(chan struct{})
	var waits atomic.Bool
	e.mem.SetAllow(func(kind, key string) error {
		if kind == op.Get && key == "public/f" && waits.CompareAndSwap(false, true) {
			close(asked)
			<-renamed
		}
		return nil
	})
	go func() {
		defer close(renamed)
		<-asked
		if err := e.fs.Rename(bg(), "public/f", "public/g", 0); err != nil {
			t.Error(err)
		}
		e.drain(t)
	}()
	buf := make([]byte, 1)
	_, err = h.ReadAt(t.Context(), buf, 12<<20)
	must(t, err)
	if string(buf) != "f" {
		t.Errorf("read %q", buf)
	}
}
