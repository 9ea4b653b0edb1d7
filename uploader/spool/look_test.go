package spool_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// tree lists all files below a directory with their bytes.
func tree(t fatal, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	check(t, filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		files[path] = string(b)
		return err
	}))
	return files
}

// TestLookChangesNothing: a spool is looked at as it is, in use or not, torn or damaged.
func TestLookChangesNothing(t *testing.T) {
	dir := fastDir(t)
	if _, err := spool.Look(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("look at nothing: %v", err)
	}
	s, _ := open(t, config(dir))
	stored(t, s, "small", inlineData(1))
	large := stored(t, s, "large", ownData(2))
	ended := stored(t, s, "ended", ownData(3))
	check(t, s.Append(&spool.Record{Type: spool.TypeCommit, Gen: "ended"}))
	ended.Release()
	check(t, s.Sync(t.Context()))
	v, err := spool.Look(dir) // somebody has it open
	check(t, err)
	if v.Owner != "owner" || v.PID != os.Getpid() || v.Torn != 0 || v.Bytes == 0 || len(v.Damaged) != 0 || len(v.Records) != 7 {
		t.Errorf("view %+v", v)
	}
	large.Release()
	check(t, s.Close())

	log := filepath.Join(dir, "ns.log")
	f, err := os.OpenFile(log, os.O_APPEND|os.O_WRONLY, 0)
	check(t, err)
	_, err = f.WriteString("torn")
	check(t, err, f.Close())
	data, err := filepath.Glob(filepath.Join(dir, "data", "*-large"))
	check(t, err)
	check(t, os.Truncate(data[0], 10))
	before := tree(t, dir)
	v, err = spool.Look(dir)
	check(t, err)
	if v.Torn != 4 || len(v.Damaged) != 1 || v.Damaged[0].Gen != "large" || !errors.Is(v.Damaged[0].Err, spool.ErrDamaged) {
		t.Errorf("view of a torn one: %+v", v)
	}
	if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
		t.Errorf("a look has changed the spool: %s", diff)
	}
	check(t, os.WriteFile(log, []byte("something else altogether"), 0o600))
	if _, err := spool.Look(dir); !errors.Is(err, spool.ErrFormat) {
		t.Errorf("look at a foreign log: %v", err)
	}
}
