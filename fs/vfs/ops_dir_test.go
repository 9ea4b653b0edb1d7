package vfs_test

import (
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/fs/vfs"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/op"
)

func dirCases() []opCase {
	return []opCase{
		{"mkdir and rmdir", func(t *testing.T, e *env, dir string) {
			_, err := e.fs.Mkdir(t.Context(), dir+"/a", 0o755)
			must(t, err)
			_, err = e.fs.Mkdir(t.Context(), dir+"/a", 0o755)
			wantErrno(t, err, syscall.EEXIST)
			writeFile(t, e.fs, dir+"/a/f", []byte("x"))
			wantErrno(t, e.fs.Rmdir(t.Context(), dir+"/a"), syscall.ENOTEMPTY)
			e.drain(t)
			wantErrno(t, e.fs.Rmdir(t.Context(), dir+"/a"), syscall.ENOTEMPTY)
			wantErrno(t, e.fs.Rmdir(t.Context(), dir+"/a/f"), syscall.ENOTDIR)
			wantErrno(t, e.fs.Unlink(t.Context(), dir+"/a"), syscall.EISDIR)
			must(t, e.fs.Unlink(t.Context(), dir+"/a/f"))
			must(t, e.fs.Rmdir(t.Context(), dir+"/a"))
			_, err = e.fs.Lookup(t.Context(), dir+"/a")
			wantErrno(t, err, syscall.ENOENT)
			e.drain(t)
			_, err = e.fs.Lookup(t.Context(), dir+"/a")
			wantErrno(t, err, syscall.ENOENT)
		}},
		{"an implied directory stays when its last file goes", func(t *testing.T, e *env, dir string) {
			writeFile(t, e.fs, dir+"/i/f", []byte("x"))
			e.drain(t)
			must(t, e.fs.Unlink(t.Context(), dir+"/i/f"))
			e.drain(t)
			if a := mustLookup(t, e, dir+"/i"); a.Mode&syscall.S_IFMT != syscall.S_IFDIR {
				t.Errorf("mode %o", a.Mode)
			}
			must(t, e.fs.Rmdir(t.Context(), dir+"/i"))
			_, err := e.fs.Lookup(t.Context(), dir+"/i")
			wantErrno(t, err, syscall.ENOENT)
		}},
		{"readdir", func(t *testing.T, e *env, dir string) {
			writeFile(t, e.fs, dir+"/stored", []byte("x"))
			e.drain(t)
			writeFile(t, e.fs, dir+"/pending", []byte("xy"))
			_, err := e.fs.Mkdir(t.Context(), dir+"/sub", 0o755)
			must(t, err)
			if diff := cmp.Diff([]string{"pending", "stored", "sub"}, listNames(t, e, dir)); diff != "" {
				t.Errorf("(-want +got) %s", diff)
			}
			_, err = e.fs.ReadDir(t.Context(), dir+"/stored")
			wantErrno(t, err, syscall.ENOTDIR)
		}},
		{"rename files", caseRename},
		{"rename directories", caseRenameDir},
		{"nothing below a file", func(t *testing.T, e *env, dir string) {
			writeFile(t, e.fs, dir+"/f", []byte("x"))
			_, _, err := e.fs.Create(t.Context(), dir+"/f/g", syscall.O_CREAT|syscall.O_WRONLY, 0o644)
			wantErrno(t, err, syscall.ENOTDIR)
		}},
	}
}

func caseRename(t *testing.T, e *env, dir string) {
	for _, stored := range []bool{false, true} {
		settle := func() {
			if stored {
				e.drain(t)
			}
		}
		writeFile(t, e.fs, dir+"/a", []byte("A"))
		writeFile(t, e.fs, dir+"/b", []byte("B"))
		settle()
		wantErrno(t, e.fs.Rename(t.Context(), dir+"/a", dir+"/b", vfs.RenameNoReplace), syscall.EEXIST)
		wantErrno(t, e.fs.Rename(t.Context(), dir+"/a", dir+"/b", vfs.RenameExchange), syscall.EINVAL)
		wantErrno(t, e.fs.Rename(t.Context(), dir+"/none", dir+"/b", 0), syscall.ENOENT)
		must(t, e.fs.Rename(t.Context(), dir+"/a", dir+"/a", 0))
		must(t, e.fs.Rename(t.Context(), dir+"/a", dir+"/b", 0))
		wantFile(t, e, dir+"/b", "A")
		must(t, e.fs.Rename(t.Context(), dir+"/b", dir+"/c", vfs.RenameNoReplace))
		settle()
		wantFile(t, e, dir+"/c", "A")
		if diff := cmp.Diff([]string{"c"}, listNames(t, e, dir)); diff != "" {
			t.Errorf("(-want +got) %s", diff)
		}
		must(t, e.fs.Unlink(t.Context(), dir+"/c"))
	}
}

func caseRenameDir(t *testing.T, e *env, dir string) {
	_, err := e.fs.Mkdir(t.Context(), dir+"/x", 0o755)
	must(t, err)
	_, err = e.fs.Mkdir(t.Context(), dir+"/x/deep", 0o755)
	must(t, err)
	writeFile(t, e.fs, dir+"/x/deep/stored", []byte("S"))
	e.drain(t)
	writeFile(t, e.fs, dir+"/x/deep/pending", []byte("P"))
	h := open(t, e, dir+"/x/deep/stored", syscall.O_RDONLY)
	ino := mustLookup(t, e, dir+"/x").Ino
	wantErrno(t, e.fs.Rename(t.Context(), dir+"/x", dir+"/x/deep/y", 0), syscall.EINVAL)
	must(t, e.fs.Rename(t.Context(), dir+"/x", dir+"/y", 0))
	if diff := cmp.Diff([]string{"y"}, listNames(t, e, dir)); diff != "" {
		t.Errorf("(-want +got) %s", diff)
	}
	if got := mustLookup(t, e, dir+"/y").Ino; got != ino {
		t.Errorf("a renamed directory changed its number from %d to %d", ino, got)
	}
	wantFile(t, e, dir+"/y/deep/stored", "S")
	wantFile(t, e, dir+"/y/deep/pending", "P")
	wantRead(t, h, "S")
	closeHandle(t, h)
	e.drain(t)
	wantFile(t, e, dir+"/y/deep/stored", "S")
	wantFile(t, e, dir+"/y/deep/pending", "P")
	_, err = e.fs.Lookup(t.Context(), dir+"/x")
	wantErrno(t, err, syscall.ENOENT)
	_, err = e.fs.Mkdir(t.Context(), dir+"/full", 0o755)
	must(t, err)
	writeFile(t, e.fs, dir+"/full/f", nil)
	wantErrno(t, e.fs.Rename(t.Context(), dir+"/y", dir+"/full", 0), syscall.ENOTEMPTY)
	wantErrno(t, e.fs.Rename(t.Context(), dir+"/y", dir+"/full/f", 0), syscall.ENOTDIR)
	wantErrno(t, e.fs.Rename(t.Context(), dir+"/full/f", dir+"/y", 0), syscall.EISDIR)
	_, err = e.fs.Mkdir(t.Context(), dir+"/empty", 0o755)
	must(t, err)
	must(t, e.fs.Rename(t.Context(), dir+"/y", dir+"/empty", 0))
	wantFile(t, e, dir+"/empty/deep/stored", "S")
}

func attrCases() []opCase {
	return []opCase{
		{"chmod and utimens", caseChmod},
		{"symlink", func(t *testing.T, e *env, dir string) {
			a, err := e.fs.Symlink(t.Context(), "../é target", dir+"/l")
			must(t, err)
			if a.Mode&syscall.S_IFMT != syscall.S_IFLNK || a.Size != int64(len("../é target")) {
				t.Errorf("attributes %+v", a)
			}
			e.reopen(t, false)
			got, err := e.fs.Readlink(t.Context(), vfs.Ref{Path: dir + "/l"})
			must(t, err)
			if got != "../é target" {
				t.Errorf("target %q", got)
			}
			if a := mustLookup(t, e, dir+"/l"); a.Mode&syscall.S_IFMT != syscall.S_IFLNK {
				t.Errorf("mode %o", a.Mode)
			}
			_, err = e.fs.Symlink(t.Context(), "x", dir+"/l")
			wantErrno(t, err, syscall.EEXIST)
			writeFile(t, e.fs, dir+"/f", nil)
			_, err = e.fs.Readlink(t.Context(), vfs.Ref{Path: dir + "/f"})
			wantErrno(t, err, syscall.EINVAL)
		}},
		{"extended attributes", caseXattr},
		{"statfs", func(t *testing.T, e *env, _ string) {
			s, err := e.fs.Statfs(t.Context())
			must(t, err)
			if s.NameLen != 255 || s.Avail*uint64(s.BlockSize) < 1<<40 {
				t.Errorf("%+v", s)
			}
		}},
	}
}

func caseChmod(t *testing.T, e *env, dir string) {
	mode, when := uint32(0o600), time.Date(2020, 2, 3, 4, 5, 6, 789, time.UTC)
	for _, name := range []string{"f", "sub"} {
		for _, stored := range []bool{false, true} {
			p := dir + "/" + name
			if name == "f" {
				writeFile(t, e.fs, p, []byte("x"))
			} else if !stored {
				_, err := e.fs.Mkdir(t.Context(), p, 0o755)
				must(t, err)
			}
			if stored {
				e.drain(t)
			}
			_, err := e.fs.SetAttr(t.Context(), vfs.Ref{Path: p}, vfs.SetAttr{Mode: &mode})
			must(t, err)
			_, err = e.fs.SetAttr(t.Context(), vfs.Ref{Path: p}, vfs.SetAttr{Mtime: &when})
			must(t, err)
			check := func(step string) {
				t.Helper()
				if a := mustLookup(t, e, p); a.Mode&0o7777 != mode || !a.Mtime.Equal(when) {
					t.Errorf("%s, stored %v, %s: mode %o mtime %v", name, stored, step, a.Mode, a.Mtime)
				}
			}
			check("at once")
			e.drain(t)
			check("uploaded")
			e.reopen(t, false)
			if strings.HasPrefix(dir, "private") {
				check("after a new mount")
			}
		}
	}
}

func caseXattr(t *testing.T, e *env, dir string) {
	p := dir + "/f"
	ref := vfs.Ref{Path: p}
	writeFile(t, e.fs, p, []byte("x"))
	must(t, e.fs.SetXattr(t.Context(), ref, "user.s3.content-type", []byte("text/x-test"), 0))
	must(t, e.fs.SetXattr(t.Context(), ref, "user.Colour", []byte("gr\xfcn"), vfs.XattrCreate))
	wantErrno(t, e.fs.SetXattr(t.Context(), ref, "user.Colour", nil, vfs.XattrCreate), syscall.EEXIST)
	wantErrno(t, e.fs.SetXattr(t.Context(), ref, "user.none", nil, vfs.XattrReplace), syscall.ENODATA)
	wantErrno(t, e.fs.SetXattr(t.Context(), ref, "security.capability", nil, 0), syscall.ENOTSUP)
	wantErrno(t, e.fs.SetXattr(t.Context(), ref, "user.s3levelfs.key", nil, 0), syscall.EPERM)
	e.drain(t)
	// A change of the bytes keeps them.
	h := open(t, e, p, syscall.O_WRONLY|syscall.O_TRUNC)
	write(t, h, "new", 0)
	closeHandle(t, h)
	e.drain(t)
	e.reopen(t, false)
	for name, want := range map[string]string{
		"user.s3.content-type": "text/x-test", "user.Colour": "gr\xfcn", "user.s3levelfs.state": "clean",
		"user.s3levelfs.identity": ownID, "user.s3levelfs.storage-class": "STANDARD",
	} {
		got, err := e.fs.GetXattr(t.Context(), ref, name)
		must(t, err)
		if string(got) != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	_, err := e.fs.GetXattr(t.Context(), ref, "system.posix_acl_access")
	wantErrno(t, err, syscall.ENODATA)
	names, err := e.fs.ListXattr(t.Context(), ref)
	must(t, err)
	if diff := cmp.Diff([]string{"user.Colour", "user.s3.content-type"}, names); diff != "" {
		t.Errorf("(-want +got) %s", diff)
	}
	must(t, e.fs.RemoveXattr(t.Context(), ref, "user.Colour"))
	wantErrno(t, e.fs.RemoveXattr(t.Context(), ref, "user.Colour"), syscall.ENODATA)
	_, err = e.fs.GetXattr(t.Context(), ref, "user.Colour")
	wantErrno(t, err, syscall.ENODATA)
}

// TestRenameDirWhileAFileIsCommitted: what is committed between the listing of a directory and its
// rename goes along.
func TestRenameDirWhileAFileIsCommitted(t *testing.T) {
	var e *env
	listed := make(chan struct{})
	var armed atomic.Bool
	e = newEnv(t, envConfig{wrap: func(st store.Store) store.Store {
		faults := faultstore.New(st)
		faults.SetHooks(faultstore.Hooks{
			Before: func(c faultstore.Call) {
				if c.Op == op.Put && c.Key == "public/x/late" {
					<-listed
				}
			},
			After: func(c faultstore.Call, _ error) {
				if c.Op == op.List && c.Key == "public/x/" && armed.CompareAndSwap(true, false) {
					close(listed)
					if _, err := e.up.Wait(bg(), "public/x/late"); err != nil {
						t.Error(err)
					}
				}
			},
		})
		return faults
	}})
	defer e.close(t)
	e.put(t, "public/x/stored", []byte("S"))
	mustLookup(t, e, "public/x/stored")
	writeFile(t, e.fs, "public/x/late", []byte("L"))
	armed.Store(true)
	must(t, e.fs.Rename(t.Context(), "public/x", "public/y", 0))
	wantFile(t, e, "public/y/late", "L")
	wantFile(t, e, "public/y/stored", "S")
	e.drain(t)
	want := map[string]string{"public/y/late": "L", "public/y/stored": "S"}
	if diff := cmp.Diff(want, e.objects(t)); diff != "" {
		t.Errorf("(-want +got) %s", diff)
	}
}
