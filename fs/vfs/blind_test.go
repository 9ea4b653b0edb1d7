package vfs_test

import (
	"errors"
	"slices"
	"syscall"
	"testing"

	"github.com/s3levelfs/s3levelfs/fs/vfs"
	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/op"
)

// TestDirectoryThatOnlyItsMarkerTells: without the right to list a directory is found by its marker, also on a server that
// answers 403 where there is no object, as AWS does then.
func TestDirectoryThatOnlyItsMarkerTells(t *testing.T) {
	stored := []string{"public/dir/", "public/dir/f"}
	mem := memstore.New(memstore.Config{Allow: func(kind, key string) error {
		if kind == op.List || kind == op.Head && !slices.Contains(stored, key) {
			return errors.New("no")
		}
		return nil
	}})
	e := newEnv(t, envConfig{
		mem: mem, options: levels.Options{Grants: map[levels.Level]levels.Perm{levels.Public: levels.Get}},
	})
	defer e.close(t)
	e.put(t, stored[0], nil)
	e.put(t, stored[1], []byte("x"))
	if a, err := e.fs.Stat(bg(), vfs.Ref{Path: "public/dir"}); err != nil || a.Mode&syscall.S_IFMT != syscall.S_IFDIR {
		t.Errorf("a directory with a marker: %+v, %v", a, err)
	}
	if got := string(readFile(t, e.fs, "public/dir/f")); got != "x" {
		t.Errorf("its file has %q", got)
	}
	_, err := e.fs.Lookup(bg(), "public/none") // absent or refused: the server does not say
	wantErrno(t, err, syscall.EACCES)
}
