package vfs_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/fs/vfs"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/op"
)

// TestForeignVersion: a new remote version is a new generation of the inode; a handle
// that has returned bytes keeps to its version, one that has not goes on with the new one.
func TestForeignVersion(t *testing.T) {
	e := newEnv(t, envConfig{})
	defer e.close(t)
	old := bytes.Repeat([]byte("old "), 4<<20) // more than one reading fetches
	e.put(t, "public/f", old)
	before := mustLookup(t, e, "public/f")
	started, fresh := open(t, e, "public/f", syscall.O_RDONLY), open(t, e, "public/f", syscall.O_RDONLY)
	defer func() { must(t, started.Release(t.Context())); must(t, fresh.Release(t.Context())) }()
	buf := make([]byte, 4)
	_, err := started.ReadAt(t.Context(), buf, 0)
	must(t, err)

	e.put(t, "public/f", []byte("new"))
	e.age(t)
	after := mustLookup(t, e, "public/f")
	if after.Ino != before.Ino || after.Gen == before.Gen || after.Size != 3 {
		t.Errorf("before %+v, after %+v", before, after)
	}
	if _, err := started.ReadAt(t.Context(), buf, int64(len(old)-4)); errnoOf(err) != syscall.ESTALE {
		t.Errorf("a read of a version that is gone: %v %q", err, buf)
	}
	n, err := started.ReadAt(t.Context(), buf, 0)
	must(t, err)
	if string(buf[:n]) != "old " {
		t.Errorf("cached bytes: %q", buf[:n])
	}
	wantFile(t, e, "public/f", "new")
}

// TestRepin: a reader that has got no byte yet goes on with the newer version.
func TestRepin(t *testing.T) {
	e := newEnv(t, envConfig{})
	defer e.close(t)
	e.put(t, "public/f", []byte("old"))
	h := open(t, e, "public/f", syscall.O_RDONLY)
	defer func() { must(t, h.Release(t.Context())) }()
	e.put(t, "public/f", []byte("newer"))
	wantRead(t, h, "newer")
}

// TestErrorIsNotAbsence: a listing or a HEAD that fails is an error, never an absent
// name or an empty directory.
func TestErrorIsNotAbsence(t *testing.T) {
	e := newEnv(t, envConfig{})
	defer e.close(t)
	e.put(t, "public/f", []byte("x"))
	e.mem.SetAllow(func(kind, _ string) error {
		if kind == op.List {
			return errors.New("denied")
		}
		return nil
	})
	if err := lookup(e, "public/f"); err == nil || isNoEntry(err) {
		t.Errorf("lookup: %v", err)
	}
	if err := readDir(e, "public"); err == nil || isNoEntry(err) {
		t.Errorf("readdir: %v", err)
	}
	if err := create(e, "public/new"); err == nil || isNoEntry(err) {
		t.Errorf("create: %v", err)
	}
}

// TestRefusedRead: a file that is listed but may not be read is EACCES, one that is gone ENOENT
// or ESTALE.
func TestRefusedRead(t *testing.T) {
	e := newEnv(t, envConfig{})
	defer e.close(t)
	e.put(t, "public/f", []byte("x"))
	h := open(t, e, "public/f", syscall.O_RDONLY)
	defer func() { must(t, h.Release(t.Context())) }()
	e.mem.SetAllow(func(kind, _ string) error {
		if kind == op.Get {
			return errors.New("denied")
		}
		return nil
	})
	_, err := h.ReadAt(t.Context(), make([]byte, 1), 0)
	wantErrno(t, err, syscall.EACCES)
	e.mem.Remove("public/f")
	_, err = h.ReadAt(t.Context(), make([]byte, 1), 0)
	wantErrno(t, err, syscall.ENOENT)
}

// TestArchived: an archived object is EIO.
func TestArchived(t *testing.T) {
	e := newEnv(t, envConfig{})
	defer e.close(t)
	e.put(t, "public/f", []byte("x"))
	e.mem.Archive("public/f")
	h := open(t, e, "public/f", syscall.O_RDONLY)
	defer func() { must(t, h.Release(t.Context())) }()
	_, err := h.ReadAt(t.Context(), make([]byte, 1), 0)
	wantErrno(t, err, syscall.EIO)
}

// TestHeadersSurvive: every header of an object survives whatever is done to it here.
func TestHeadersSurvive(t *testing.T) {
	headers := store.Headers{
		ContentType: "text/x-own", ContentEncoding: "br", ContentDisposition: "inline", ContentLanguage: "de",
		CacheControl: "no-store", Expires: "Thu, 01 Dec 2033 16:00:00 GMT", Metadata: map[string]string{"colour": "green"},
	}
	for name, change := range map[string]func(*env) error{
		"overwrite": func(e *env) error {
			writeFile(fatal{}, e.fs, "public/f", []byte("new"))
			return nil
		},
		"append": func(e *env) error {
			h, err := e.fs.Open(bg(), "public/f", syscall.O_WRONLY|syscall.O_APPEND)
			if err != nil {
				return err
			}
			_, err = h.WriteAt(bg(), []byte("more"), 0)
			return errors.Join(err, h.Flush(bg()), h.Release(bg()))
		},
		"truncate": func(e *env) error {
			size := int64(1)
			_, err := e.fs.SetAttr(bg(), vfs.Ref{Path: "public/f"}, vfs.SetAttr{Size: &size})
			return err
		},
		"chmod": func(e *env) error {
			mode := uint32(0o600)
			_, err := e.fs.SetAttr(bg(), vfs.Ref{Path: "public/f"}, vfs.SetAttr{Mode: &mode})
			return err
		},
		"utimens": func(e *env) error {
			when := time.Unix(1_600_000_000, 0)
			_, err := e.fs.SetAttr(bg(), vfs.Ref{Path: "public/f"}, vfs.SetAttr{Mtime: &when})
			return err
		},
		"rename": func(e *env) error {
			return errors.Join(e.fs.Rename(bg(), "public/f", "public/g", 0), e.fs.Rename(bg(), "public/g", "public/f", 0))
		},
		"replaced by a new file": func(e *env) error {
			writeFile(fatal{}, e.fs, "public/.f.tmp", []byte("new"))
			return e.fs.Rename(bg(), "public/.f.tmp", "public/f", 0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t, envConfig{settle: time.Hour}) // what is renamed has not been sent, however slow the machine is
			defer e.close(t)
			e.mem.PutRaw("public/f", memstore.Raw{Data: []byte("old"), Headers: headers})
			must(t, change(e))
			e.drain(t)
			raw, ok := e.mem.Object("public/f")
			got := raw.Headers
			if !ok || got.ContentType != headers.ContentType || got.ContentEncoding != headers.ContentEncoding ||
				got.ContentDisposition != headers.ContentDisposition || got.ContentLanguage != headers.ContentLanguage ||
				got.CacheControl != headers.CacheControl || got.Expires != headers.Expires || got.Metadata["colour"] != "green" {
				t.Errorf("headers %+v", got)
			}
		})
	}
}

// fatal is a tb for helpers that can not fail here.
type fatal struct{}

func (fatal) Helper()                   {}
func (fatal) Fatalf(f string, a ...any) { panic(f) }
func (fatal) Errorf(f string, a ...any) { panic(f) }
func (fatal) Logf(string, ...any)       {}

// TestSizeOfAnotherVersion: a listing made while an object was replaced may tell the ETag of one version and the size of the other. That
// is no version of the file's: it does not change what the kernel knows of the one that is right, before and after.
func TestSizeOfAnotherVersion(t *testing.T) {
	var torn atomic.Bool
	e := newEnv(t, envConfig{wrap: func(s store.Store) store.Store { return tornStore{s, &torn} }})
	defer e.close(t)
	e.put(t, "public/f", []byte("version"))
	right := mustLookup(t, e, "public/f")
	wantFile(t, e, "public/f", "version")
	torn.Store(true)
	e.age(t)
	wrong := mustLookup(t, e, "public/f")
	if wrong.Size == right.Size {
		t.Fatal("the listing is not torn")
	}
	if wrong.Gen == right.Gen {
		t.Errorf("one generation has the sizes %d and %d", right.Size, wrong.Size)
	}
	torn.Store(false)
	e.age(t)
	again := mustLookup(t, e, "public/f")
	if again.Gen == wrong.Gen || again.Size != right.Size {
		t.Errorf("afterwards generation %d, size %d; torn: generation %d", again.Gen, again.Size, wrong.Gen)
	}
	wantFile(t, e, "public/f", "version")
}

// tornStore lists sizes of versions that are not there yet.
type tornStore struct {
	store.Store
	torn *atomic.Bool
}

func (s tornStore) List(ctx context.Context, prefix string, o store.ListOptions) iter.Seq2[store.Page, error] {
	return func(yield func(store.Page, error) bool) {
		for page, err := range s.Store.List(ctx, prefix, o) {
			for i := range page.Objects {
				if s.torn.Load() {
					page.Objects[i].Size += 1000
				}
			}
			if !yield(page, err) {
				return
			}
		}
	}
}
