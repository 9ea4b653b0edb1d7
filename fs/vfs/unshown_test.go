package vfs_test

import (
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/fs/vfs"
	"github.com/s3levelfs/s3levelfs/levels"
)

// TestMarkerWithContent: an object whose key ends in a slash is a directory, and what it holds is not lost with it: other programs store such.
func TestMarkerWithContent(t *testing.T) {
	e := newEnv(t, envConfig{})
	defer e.close(t)
	e.put(t, "public/d/", []byte("content"))
	e.put(t, "public/d/below/", []byte("content below"))
	e.put(t, "public/empty/", nil)
	wantErrno(t, e.fs.Rmdir(bg(), "public/d/below"), syscall.ENOTEMPTY)
	wantErrno(t, e.fs.Rename(bg(), "public/empty", "public/d/below", 0), syscall.ENOTEMPTY)
	must(t, e.fs.Rename(bg(), "public/d", "public/moved", 0))
	e.drain(t)
	e.age(t)
	wantErrno(t, e.fs.Rmdir(bg(), "public/moved/below"), syscall.ENOTEMPTY)
	must(t, e.fs.Rmdir(bg(), "public/empty"))
	e.drain(t)
	want := map[string]string{"public/moved/": "content", "public/moved/below/": "content below"}
	if diff := cmp.Diff(want, e.objects(t)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestRenameDirTakesWhatHasNoPath: objects that no path leads to, as their names are too long, go along with their directory.
func TestRenameDirTakesWhatHasNoPath(t *testing.T) {
	e := newEnv(t, envConfig{})
	defer e.close(t)
	long := strings.Repeat("n", levels.MaxName+1)
	want := map[string]string{}
	for _, name := range []string{"f", long, long + "/x", long + "/", "a/" + long + "/" + long, "/" + long} {
		e.put(t, "public/d/"+name, []byte(name))
		want["public/e/"+name] = name
	}
	must(t, e.fs.Rename(bg(), "public/d", "public/e", 0))
	e.drain(t)
	if diff := cmp.Diff(want, e.objects(t)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// TestRenameDirLeavesOtherLevels: a directory that another level's prefix begins in is not renamed, for nothing private may become public so: not
// what is stored, nor what is about to be, nor what is open.
func TestRenameDirLeavesOtherLevels(t *testing.T) {
	private := "public/a/d/p"
	e := newEnv(t, envConfig{options: levels.Options{Prefixes: levels.Prefixes{Private: &private}}})
	defer e.close(t)
	e.put(t, "public/a/d/f", []byte("public"))
	e.put(t, private+ownID+"/stored", []byte("private"))
	writeFile(t, e.fs, "private/pending", []byte("private"))
	h := open(t, e, "private/stored", syscall.O_RDWR)
	wantErrno(t, e.fs.Rename(bg(), "public/a/d", "public/e", 0), syscall.EBUSY)
	wantErrno(t, e.fs.Rename(bg(), "public/a", "private/e", 0), syscall.EBUSY)
	write(t, h, "PRIVATE", 0)
	must(t, h.Flush(bg()))
	must(t, h.Release(bg()))
	e.drain(t)
	want := map[string]string{"public/a/d/f": "public", private + ownID + "/stored": "PRIVATE", private + ownID + "/pending": "private"}
	if diff := cmp.Diff(want, e.objects(t)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for name, content := range map[string]string{"stored": "PRIVATE", "pending": "private"} {
		wantFile(t, e, "private/"+name, content)
	}
}

// TestNamelessDirectory: a directory whose name is empty (a//x) is renamed, changed and removed as any other, and the directory around
// it, or one without a name in it, is not taken for it.
func TestNamelessDirectory(t *testing.T) {
	e := newEnv(t, envConfig{})
	defer e.close(t)
	for _, key := range []string{"public/a/", "public/a//x", "public/a///y", "public/b//", "public/b///", "private/" + ownID + "/c//z"} {
		e.put(t, key, nil)
	}
	mode := uint32(0o700)
	_, err := e.fs.SetAttr(bg(), vfs.Ref{Path: "private/c/‛2F"}, vfs.SetAttr{Mode: &mode})
	must(t, err)
	must(t, e.fs.Rename(bg(), "public/a/‛2F", "public/a/named", 0))
	must(t, e.fs.Rmdir(bg(), "public/b/‛2F/‛2F"))
	if names := listNames(t, e, "public/b"); len(names) != 1 || names[0] != "‛2F" {
		t.Errorf("public/b shows %q", names)
	}
	must(t, e.fs.Rmdir(bg(), "public/b/‛2F"))
	if _, err := e.fs.Lookup(bg(), "public/b/‛2F"); err == nil {
		t.Error("the removed directory is there")
	}
	must(t, e.fs.Rmdir(bg(), "public/b"))
	e.drain(t)
	want := map[string]string{"public/a/": "", "public/a/named/x": "", "public/a/named//y": "", "private/" + ownID + "/c//": "", "private/" + ownID + "/c//z": ""}
	if diff := cmp.Diff(want, e.objects(t)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	a, err := e.fs.Lookup(bg(), "private/c/‛2F")
	if must(t, err); a.Mode&0o777 != mode {
		t.Errorf("mode %o", a.Mode)
	}
}
