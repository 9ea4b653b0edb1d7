package vfs_test

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/s3levelfs/s3levelfs/fs/vfs"
	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/op"
)

func isNoEntry(err error) bool { return errors.Is(err, syscall.ENOENT) }

// permOf is the right that a request needs.
func permOf(kind string) levels.Perm {
	switch kind {
	case op.Get, op.Head:
		return levels.Get
	case op.List:
		return levels.List
	case op.Delete, op.DeleteMany:
		return levels.Delete
	}
	return levels.Put
}

// guarded is a bucket that allows only these rights, everywhere.
func guarded(grants levels.Perm) memstore.Config {
	return memstore.Config{Allow: func(kind, key string) error {
		if !grants.Has(permOf(kind)) {
			return fmt.Errorf("%s %q is outside of %s", kind, key, grants)
		}
		return nil
	}}
}

// errnoOf is the number that a program would see, 0 for none.
func errnoOf(err error) syscall.Errno {
	var errno syscall.Errno
	if err != nil && !errors.As(err, &errno) {
		return syscall.EIO
	}
	return errno
}

// TestGrants runs every operation under each of the 16 sets of grants on public/: what
// the set does not grant is EACCES before any request, and the bucket, which enforces the
// same set, never has to refuse one.
func TestGrants(t *testing.T) {
	for grants := levels.None; grants <= levels.All; grants++ {
		t.Run(grants.String(), func(t *testing.T) {
			e := newEnv(t, envConfig{
				options: levels.Options{Grants: map[levels.Level]levels.Perm{levels.Public: grants}},
				memory:  guarded(grants),
			})
			defer e.close(t)
			for _, name := range []string{"read", "write", "unlink", "move", "d/f"} {
				e.put(t, "public/"+name, []byte("stored"))
			}
			for _, c := range grantCases() {
				// A name can be found by a listing or a HEAD, else it does not exist.
				if c.exists && !grants.Any(levels.List|levels.Get) {
					continue
				}
				got := errnoOf(c.run(e))
				if want := !grants.Has(c.needs); want != (got == syscall.EACCES) {
					t.Errorf("%s under %q: %v, needs %s", c.name, grants, got, c.needs)
				}
			}
			_, _ = e.up.Wait(t.Context(), "")
			for _, r := range e.mem.Requests() {
				if errors.Is(r.Err, syscall.EACCES) || r.Err != nil && strings.Contains(r.Err.Error(), "AccessDenied") {
					t.Errorf("refused by the bucket: %s", r)
				}
			}
		})
	}
}

type grantCase struct {
	name   string
	exists bool
	needs  levels.Perm
	run    func(*env) error
}

func grantCases() []grantCase {
	opening := func(path string, flags uint32) func(*env) error {
		return func(e *env) error {
			h, err := e.fs.Open(bg(), path, flags)
			if err != nil {
				return err
			}
			if flags&syscall.O_ACCMODE != syscall.O_WRONLY {
				_, err = h.ReadAt(bg(), make([]byte, 3), 0)
			}
			return errors.Join(err, h.Flush(bg()), h.Release(bg()))
		}
	}
	return []grantCase{
		{"readdir", false, levels.List, func(e *env) error { _, err := e.fs.ReadDir(bg(), "public"); return err }},
		{"open to read", true, levels.Get, opening("public/read", syscall.O_RDONLY)},
		{"open to overwrite", true, levels.Put, opening("public/write", syscall.O_WRONLY|syscall.O_TRUNC)},
		{"open to change", true, levels.Put | levels.Get, opening("public/write", syscall.O_RDWR)},
		{"create", false, levels.Put, func(e *env) error {
			h, _, err := e.fs.Create(bg(), "public/new", syscall.O_CREAT|syscall.O_WRONLY, 0o644)
			if err != nil {
				return err
			}
			return errors.Join(h.Flush(bg()), h.Release(bg()))
		}},
		{"mkdir", false, levels.Put, func(e *env) error { _, err := e.fs.Mkdir(bg(), "public/newdir", 0o755); return err }},
		{"unlink", true, levels.Delete, func(e *env) error { return e.fs.Unlink(bg(), "public/unlink") }},
		{"rename", true, levels.Get | levels.Put | levels.Delete, func(e *env) error {
			return e.fs.Rename(bg(), "public/move", "public/moved", 0)
		}},
	}
}

// TestIdentities: what the levels' table says for a guest and for a signed-in identity.
func TestIdentities(t *testing.T) {
	const other = "us-east-1:99999999-2222-3333-4444-555555555555"
	for _, c := range []struct {
		name string
		id   levels.Identity
		path string
		op   func(*env, string) error
		want syscall.Errno
	}{
		{"guest lists public", levels.Identity{ID: ownID}, "public", readDir, 0},
		{"guest has no private", levels.Identity{ID: ownID}, "private", lookup, syscall.ENOENT},
		{"guest reads protected", levels.Identity{ID: ownID}, "protected/" + other + "/f", read, 0},
		{"guest does not write own protected", levels.Identity{ID: ownID}, "protected/" + ownID + "/f", create, syscall.EACCES},
		{"owner writes protected", levels.Identity{ID: ownID, Authenticated: true}, "protected/" + ownID + "/g", create, 0},
		{"owner reads others", levels.Identity{ID: ownID, Authenticated: true}, "protected/" + other + "/f", read, 0},
		{"owner does not write others", levels.Identity{ID: ownID, Authenticated: true}, "protected/" + other + "/g", create, syscall.EACCES},
		{"owner does not remove others'", levels.Identity{ID: ownID, Authenticated: true}, "protected/" + other + "/f", unlink, syscall.EACCES},
		{"moving out of others'", levels.Identity{ID: ownID, Authenticated: true}, "protected/" + other + "/f", moveOut, syscall.EACCES},
		{"protected is nobody's to write", levels.Identity{ID: ownID, Authenticated: true}, "protected/new", mkdir, syscall.EACCES},
		{"nothing beside the levels", levels.Identity{ID: ownID, Authenticated: true}, "other", mkdir, syscall.EACCES},
		{"levels are not removed", levels.Identity{ID: ownID, Authenticated: true}, "public", rmdir, syscall.EBUSY},
		{"me is a link", levels.Identity{ID: ownID, Authenticated: true}, "protected/me", readlink, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEnv(t, envConfig{identity: c.id})
			defer e.close(t)
			e.put(t, "protected/"+other+"/f", []byte("x"))
			before := len(e.mem.Keys())
			if got := errnoOf(c.op(e, c.path)); got != c.want {
				t.Errorf("%q: %v, want %v", c.path, got, c.want)
			}
			if c.want != 0 && len(e.mem.Keys()) != before {
				t.Errorf("bucket changed: %q", e.mem.Keys())
			}
		})
	}
}

func lookup(e *env, p string) error  { _, err := e.fs.Lookup(bg(), p); return err }
func readDir(e *env, p string) error { _, err := e.fs.ReadDir(bg(), p); return err }
func mkdir(e *env, p string) error   { _, err := e.fs.Mkdir(bg(), p, 0o755); return err }
func rmdir(e *env, p string) error   { return e.fs.Rmdir(bg(), p) }
func unlink(e *env, p string) error  { return e.fs.Unlink(bg(), p) }
func moveOut(e *env, p string) error { return e.fs.Rename(bg(), p, "private/stolen", 0) }

func readlink(e *env, p string) error {
	got, err := e.fs.Readlink(bg(), vfs.Ref{Path: p})
	if err == nil && got != ownID {
		return fmt.Errorf("target %q", got)
	}
	return err
}

func read(e *env, p string) error {
	h, err := e.fs.Open(bg(), p, syscall.O_RDONLY)
	if err != nil {
		return err
	}
	_, err = h.ReadAt(bg(), make([]byte, 1), 0)
	return errors.Join(err, h.Release(bg()))
}

func create(e *env, p string) error {
	h, _, err := e.fs.Create(bg(), p, syscall.O_CREAT|syscall.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return errors.Join(h.Flush(bg()), h.Release(bg()))
}

// TestProtected lists the identities: the own one is there from the start, and me.
func TestProtected(t *testing.T) {
	e := newEnv(t, envConfig{})
	defer e.close(t)
	e.put(t, "protected/someone/f", []byte("x"))
	got := strings.Join(listNames(t, e, "protected"), " ")
	if want := "me someone " + ownID; got != want {
		t.Errorf("protected/ has %q, want %q", got, want)
	}
	if got := strings.Join(listNames(t, e, ""), " "); got != "private protected public" {
		t.Errorf("the root has %q", got)
	}
}

// TestNoNamesInTheRoot: the mount's root is there, and nobody may make anything in it.
func TestNoNamesInTheRoot(t *testing.T) {
	e := newEnv(t, envConfig{})
	defer e.close(t)
	writeFile(t, e.fs, "public/f", []byte("x"))
	_, err := e.fs.Mkdir(bg(), "dir", 0o755)
	wantErrno(t, err, syscall.EACCES)
	_, _, err = e.fs.Create(bg(), "file", syscall.O_WRONLY, 0o644)
	wantErrno(t, err, syscall.EACCES)
	_, err = e.fs.Symlink(bg(), "public", "link")
	wantErrno(t, err, syscall.EACCES)
	wantErrno(t, e.fs.Rename(bg(), "public/f", "f", 0), syscall.EACCES)
	_, err = e.fs.Mkdir(bg(), "dir/below", 0o755)
	wantErrno(t, err, syscall.ENOENT)
}
