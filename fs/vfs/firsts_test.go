package vfs_test

import (
	"bytes"
	"errors"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/store/op"
)

// refuse has the bucket refuse requests of a kind for keys with a suffix.
func refuse(e *env, kind, suffix string) {
	e.mem.SetAllow(func(k, key string) error {
		if k == kind && strings.HasSuffix(key, suffix) {
			return errors.New("denied")
		}
		return nil
	})
}

// TestFirstUnlinkOfAnOpenFileIsProved: a right to delete that is not there is told by the first
// unlink, also of a file that somebody reads.
func TestFirstUnlinkOfAnOpenFileIsProved(t *testing.T) {
	e := newEnv(t, envConfig{})
	defer e.close(t)
	text := strings.Repeat("text ", 1<<20)
	e.put(t, "public/f", []byte(text))
	h := open(t, e, "public/f", syscall.O_RDONLY)
	defer func() { must(t, h.Release(t.Context())) }()
	refuse(e, op.Delete, "")
	wantErrno(t, e.fs.Unlink(t.Context(), "public/f"), syscall.EACCES)
	wantFile(t, e, "public/f", text)
	e.mem.SetAllow(nil)
	must(t, e.fs.Unlink(t.Context(), "public/f"))
	if _, ok := e.mem.Object("public/f"); ok {
		t.Error("the first unlink has not waited for the store")
	}
	wantRead(t, h, text)
}

// TestFirstUnlinkOfAFileBeingChanged: the base that a writer needs is not removed before the
// writer is done, first unlink or not.
func TestFirstUnlinkOfAFileBeingChanged(t *testing.T) {
	e := newEnv(t, envConfig{})
	defer e.close(t)
	old := bytes.Repeat([]byte("old "), 1<<20)
	e.put(t, "public/f", old)
	h := open(t, e, "public/f", syscall.O_RDWR)
	write(t, h, "NEW ", 0)
	must(t, e.fs.Unlink(t.Context(), "public/f"))
	wantRead(t, h, "NEW "+string(old[4:]))
	must(t, h.Release(t.Context()))
	e.drain(t)
	if keys := e.mem.Keys(); len(keys) > 0 {
		t.Errorf("left: %q", keys)
	}
}

// TestFirstMkdirIsProved: a right to write that is not there is EACCES of mkdir(2), and no directory comes of it,
// neither then nor when the right is given later.
func TestFirstMkdirIsProved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnv(t, envConfig{})
		defer e.close(t)
		refuse(e, op.Put, "")
		_, err := e.fs.Mkdir(t.Context(), "public/d", 0o755)
		wantErrno(t, err, syscall.EACCES)
		if err := lookup(e, "public/d"); !isNoEntry(err) {
			t.Errorf("the refused directory: %v", err)
		}
		e.mem.SetAllow(nil)
		time.Sleep(time.Minute) // until the next probe
		e.drain(t)
		if keys := e.mem.Keys(); len(keys) > 0 {
			t.Errorf("made after all: %q", keys)
		}
		_, err = e.fs.Mkdir(t.Context(), "public/d", 0o755)
		must(t, err)
		mustLookup(t, e, "public/d")
	})
}
