package vfs_test

import (
	"errors"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/fs/vfs"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/op"
)

// replace is what editors do: it gives the attributes of the new file, under the name that it has at first.
func replace(t *testing.T, e *env, path, content string) vfs.Attr {
	t.Helper()
	writeFile(t, e.fs, path+".new", []byte(content))
	a := mustLookup(t, e, path+".new")
	must(t, e.fs.Rename(bg(), path+".new", path, 0))
	return a
}

// TestOpenThatARenameOvertakes: an open that has found a file which is replaced before it gets it makes nobody see the old
// file's bytes under the new one's number.
func TestOpenThatARenameOvertakes(t *testing.T) {
	for name, stored := range map[string]bool{"pending": false, "stored": true} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t, envConfig{})
			defer e.close(t)
			settle := func() {
				if stored {
					e.drain(t)
				}
			}
			writeFile(t, e.fs, "public/f", []byte("old"))
			settle()
			var now vfs.Attr
			late, err := e.fs.OpenLate(t.Context(), "public/f", func() {
				now = replace(t, e, "public/f", "the new one")
				settle()
			})
			if err == nil {
				defer closeHandle(t, late)
			} else if !errors.Is(err, syscall.ESTALE) { // the file is found again
				t.Fatal(err)
			}
			h := open(t, e, "public/f", syscall.O_RDONLY)
			defer closeHandle(t, h)
			wantRead(t, h, "the new one")
			if h.Ino() != now.Ino || h.Gen() != now.Gen {
				t.Errorf("opened %d.%d, want %d.%d", h.Ino(), h.Gen(), now.Ino, now.Gen)
			}
		})
	}
}

// TestLookupThatARenameOvertakes: a lookup that has found the version before takes nothing for somebody else's change: the
// new file keeps its generation, and its size goes with its number.
func TestLookupThatARenameOvertakes(t *testing.T) {
	e := newEnv(t, envConfig{})
	defer e.close(t)
	writeFile(t, e.fs, "public/f", []byte("old"))
	e.drain(t)
	var now vfs.Attr
	late, err := e.fs.LookLate(t.Context(), "public/f", func() {
		now = replace(t, e, "public/f", "the new one")
		e.drain(t)
		mustLookup(t, e, "public/f")
	})
	must(t, err)
	for when, a := range map[string]vfs.Attr{"the late one": late, "the next one": mustLookup(t, e, "public/f")} {
		if a.Ino != now.Ino || a.Gen != now.Gen || a.Size != now.Size {
			t.Errorf("%s: %d.%d of %d bytes, want %d.%d of %d", when, a.Ino, a.Gen, a.Size, now.Ino, now.Gen, now.Size)
		}
	}
}

// TestLookupThatARewriteOvertakes: the same of a file that is written anew in its place.
func TestLookupThatARewriteOvertakes(t *testing.T) {
	e := newEnv(t, envConfig{})
	defer e.close(t)
	writeFile(t, e.fs, "public/f", []byte("old"))
	e.drain(t)
	before := mustLookup(t, e, "public/f")
	late, err := e.fs.LookLate(t.Context(), "public/f", func() {
		writeFile(t, e.fs, "public/f", []byte("written anew"))
		e.drain(t)
	})
	must(t, err)
	if next := mustLookup(t, e, "public/f"); late.Gen != before.Gen || next.Gen != before.Gen || late.Size != next.Size {
		t.Errorf("generations %d, %d, %d, sizes %d, %d", before.Gen, late.Gen, next.Gen, late.Size, next.Size)
	}
}

// TestSizeOfAFileThatIsKept: who asks for the size of a removed file while its bytes are moved out of the uploader is told
// the size that it has.
func TestSizeOfAFileThatIsKept(t *testing.T) {
	e := newEnv(t, envConfig{})
	defer e.close(t)
	e.put(t, "public/f", []byte("stored"))
	w := open(t, e, "public/f", syscall.O_RDWR|syscall.O_TRUNC)
	h := open(t, e, "public/f", syscall.O_RDONLY)
	defer closeHandle(t, h)
	write(t, w, "not stored yet", 0)
	closeHandle(t, w)
	must(t, e.fs.Unlink(t.Context(), "public/f"))
	size := h.SizeLate(func() { writeFile(t, e.fs, "public/f", []byte("another")) })
	if size != int64(len("not stored yet")) {
		t.Errorf("size %d", size)
	}
	wantRead(t, h, "not stored yet")
}

// TestOpenWhileItIsReplaced: who opens a file while another one is being renamed over it, and has got it, keeps its bytes.
func TestOpenWhileItIsReplaced(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan struct{})
	var once sync.Once
	e := newEnv(t, envConfig{settle: time.Minute, wrap: func(st store.Store) store.Store {
		faults := faultstore.New(st)
		faults.SetHooks(faultstore.Hooks{Before: func(c faultstore.Call) {
			if c.Op == op.Head && c.Key == "public/f" { // the headers that the new file inherits
				once.Do(func() { close(asked); <-answer })
			}
		}})
		return faults
	}})
	defer e.close(t)
	e.put(t, "public/f", []byte("old"))
	writeFile(t, e.fs, "public/new", []byte("new"))
	renamed := make(chan error, 1)
	go func() { renamed <- e.fs.Rename(bg(), "public/new", "public/f", 0) }()
	<-asked
	h := open(t, e, "public/f", syscall.O_RDONLY)
	defer closeHandle(t, h)
	close(answer)
	must(t, <-renamed)
	e.drain(t)
	wantRead(t, h, "old")
	wantFile(t, e, "public/f", "new")
}
