package vfs_test

import (
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/fs/vfs"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/op"
)

// uses notes what vfs tells of uses.
type uses struct {
	mu  sync.Mutex
	all []string
}

func (u *uses) note(use vfs.Use) {
	u.mu.Lock()
	defer u.mu.Unlock()
	text := map[vfs.UseKind]string{vfs.UseRead: "read", vfs.UseList: "list"}[use.Kind] + " " + use.Key
	if use.Kind == vfs.UseRead {
		text += fmt.Sprint(" ", use.Size)
	}
	if use.Err != nil {
		text += " failed"
	}
	u.all = append(u.all, text)
}

// since gives what was told since the last call.
func (u *uses) since() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	all := u.all
	u.all = nil
	return all
}

// TestUsesAreToldOncePerHandle: who opens a stored file and reads it has used it once, however often and from whichever cache; who does not read,
// and what is not stored yet, counts for nothing.
func TestUsesAreToldOncePerHandle(t *testing.T) {
	u := &uses{}
	var faults *faultstore.Store
	e := newEnv(t, envConfig{vfs: vfs.Config{Used: u.note}, wrap: func(st store.Store) store.Store {
		faults = faultstore.New(st)
		return faults
	}})
	defer e.close(t)
	e.put(t, "public/big", make([]byte, 300_000))
	e.put(t, "public/empty", nil)
	want := func(what string, all ...string) {
		t.Helper()
		if diff := cmp.Diff(all, u.since()); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
	readFile(t, e.fs, "public/big")
	want("a file", "read public/big 300000")
	readFile(t, e.fs, "public/big")
	want("from the cache", "read public/big 300000")
	readFile(t, e.fs, "public/empty")
	want("an empty file", "read public/empty 0")
	h := open(t, e, "public/big", syscall.O_RDONLY)
	mustLookup(t, e, "public/big")
	closeHandle(t, h)
	want("not read")
	gate := make(chan struct{})
	faults.Add(faultstore.Rule{Op: op.Put, Key: "public/new", Fault: faultstore.Do("wait", func() { <-gate })})
	writeFile(t, e.fs, "public/new", []byte("abc"))
	readFile(t, e.fs, "public/new")
	close(gate)
	e.drain(t)
	want("not stored")
	readFile(t, e.fs, "public/new")
	want("stored meanwhile", "read public/new 3")
	_, err := e.fs.ReadDir(t.Context(), "public")
	must(t, err)
	want("a directory", "list public/")
	_, err = e.fs.ReadDir(t.Context(), "")
	must(t, err)
	want("the root, which no store has")
}

// TestFailedUses: what could not be read or listed is told with its error, and once read it is a use as any.
func TestFailedUses(t *testing.T) {
	u := &uses{}
	var faults *faultstore.Store
	e := newEnv(t, envConfig{vfs: vfs.Config{Used: u.note}, wrap: func(st store.Store) store.Store {
		faults = faultstore.New(st)
		return faults
	}})
	defer e.close(t)
	e.put(t, "public/f", []byte("abc"))
	mustLookup(t, e, "public/f")
	refused := func(call string) {
		faults.Clear()
		faults.Add(faultstore.Rule{Op: call, Count: faultstore.Forever, Fault: faultstore.Answer(403, "AccessDenied", store.ErrPermission)})
	}
	refused(op.Get)
	h := open(t, e, "public/f", syscall.O_RDONLY)
	if _, err := h.ReadAt(t.Context(), make([]byte, 3), 0); err == nil {
		t.Error("read what was refused")
	}
	closeHandle(t, h)
	refused(op.List)
	e.age(t)
	if _, err := e.fs.ReadDir(t.Context(), "public"); !errors.Is(err, store.ErrPermission) {
		t.Errorf("listed what was refused: %v", err)
	}
	if diff := cmp.Diff([]string{"read public/f 3 failed", "list public/ failed"}, u.since()); diff != "" {
		t.Error(diff)
	}
}
