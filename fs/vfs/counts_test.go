package vfs_test

import (
	"fmt"
	"maps"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/fs/vfs"
	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store/op"
)

// wantCounts compares the requests since the last reset, probes left out, and resets.
func wantCounts(t tb, e *env, want map[string]int) {
	t.Helper()
	got := map[string]int{}
	for _, r := range e.mem.Requests() {
		if !strings.Contains(r.Key, ".s3levelfs-probe-") {
			got[r.Op]++
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("requests (-want +got): %s\n%v", diff, e.lastRequests())
	}
	e.mem.ResetCounts()
}

// TestUnchangedAttributesCostNothing: chown -R and chmod -R to what is there already are no requests.
func TestUnchangedAttributesCostNothing(t *testing.T) {
	e := newEnv(t, envConfig{})
	defer e.close(t)
	_, err := e.fs.Mkdir(t.Context(), "public/d", 0o755)
	must(t, err)
	writeFile(t, e.fs, "public/d/f", []byte("x"))
	e.drain(t)
	mode, uid := uint32(0o640), uint32(1234)
	dirMode := uint32(0o750)
	for _, want := range []map[string]int{{op.Copy: 2}, {}} {
		e.mem.ResetCounts()
		for path, m := range map[string]*uint32{"public/d": &dirMode, "public/d/f": &mode} {
			_, err := e.fs.SetAttr(t.Context(), vfs.Ref{Path: path}, vfs.SetAttr{Mode: m, UID: &uid})
			must(t, err)
		}
		e.drain(t)
		wantCounts(t, e, want)
	}
}

// TestCreateCosts: in a directory listed before, create, write and close are one PUT.
func TestCreateCosts(t *testing.T) {
	e := newEnv(t, envConfig{})
	defer e.close(t)
	listNames(t, e, "public")
	e.mem.ResetCounts()
	writeFile(t, e.fs, "public/f", []byte("x"))
	e.drain(t)
	wantCounts(t, e, map[string]int{op.Put: 1})

	// A shell flushes before the first write: never an empty object first.
	h, _, err := e.fs.Create(t.Context(), "public/g", syscall.O_CREAT|syscall.O_WRONLY, 0o644)
	must(t, err)
	must(t, h.Flush(t.Context()))
	write(t, h, "x", 0)
	closeHandle(t, h)
	e.drain(t)
	wantCounts(t, e, map[string]int{op.Put: 1})

	// Reading it back and stat cost nothing.
	mustLookup(t, e, "public/g")
	wantCounts(t, e, map[string]int{})
	wantFile(t, e, "public/g", "x")
	wantCounts(t, e, map[string]int{})

	// chmod of an open file rides on its upload.
	mode := uint32(0o600)
	h, _, err = e.fs.Create(t.Context(), "public/h", syscall.O_CREAT|syscall.O_WRONLY, 0o644)
	must(t, err)
	write(t, h, "x", 0)
	_, err = h.SetAttr(t.Context(), vfs.SetAttr{Mode: &mode})
	must(t, err)
	closeHandle(t, h)
	e.drain(t)
	wantCounts(t, e, map[string]int{op.Put: 1})
}

// TestOverwriteCosts: a small stored file is overwritten for one HEAD and one PUT, or, where
// its headers are known, for the PUT alone.
func TestOverwriteCosts(t *testing.T) {
	e := newEnv(t, envConfig{})
	defer e.close(t)
	e.put(t, "public/f", []byte("others wrote this"))
	listNames(t, e, "public")
	e.mem.ResetCounts()
	writeFile(t, e.fs, "public/f", []byte("x"))
	e.drain(t)
	wantCounts(t, e, map[string]int{op.Head: 1, op.Put: 1})
	writeFile(t, e.fs, "public/f", []byte("y"))
	e.drain(t)
	wantCounts(t, e, map[string]int{op.Put: 1})
}

// TestManyFilesCost: a new directory with 1,000 files costs their PUTs, one marker and
// no HEAD.
func TestManyFilesCost(t *testing.T) {
	const files = 1000
	e := newEnv(t, envConfig{})
	defer e.close(t)
	_, err := e.fs.Mkdir(t.Context(), "private/d", 0o755)
	must(t, err)
	for i := range files {
		name := fmt.Sprintf("private/d/f%03d", i)
		if _, err := e.fs.Lookup(t.Context(), name); !isNoEntry(err) {
			t.Fatalf("%v", err)
		}
		writeFile(t, e.fs, name, []byte("content"))
		mustLookup(t, e, name)
	}
	e.drain(t)
	wantCounts(t, e, map[string]int{op.Put: files + 1, op.List: 1}) // the listing is private/'s

	// ls -l of what this machine wrote: no request, or after a new mount one LIST a directory.
	entries, err := e.fs.ReadDir(t.Context(), "private/d")
	must(t, err)
	if len(entries) != files {
		t.Fatalf("%d entries", len(entries))
	}
	wantCounts(t, e, map[string]int{})
	e.reopen(t, false)
	e.mem.ResetCounts()
	lsLong(t, e, "private/d")
	got := e.mem.Counts()
	if got[op.List] != 3 || got[op.Head] != 0 { // private/ and two pages of private/d/, the marker included
		t.Errorf("requests of ls -l after a new mount: %v", got)
	}

	// rm -r: listings and batched deletes alone.
	e.mem.ResetCounts()
	for _, entry := range entries {
		must(t, e.fs.Unlink(t.Context(), "private/d/"+entry.Name))
	}
	must(t, e.fs.Rmdir(t.Context(), "private/d"))
	e.drain(t)
	if keys := e.mem.Keys(); len(keys) > 0 {
		t.Errorf("left over: %q", keys)
	}
	for kind, n := range e.mem.Counts() {
		if kind != op.List && kind != op.DeleteMany && (kind != op.Delete || n > 5) {
			t.Errorf("rm -r sent %d %s", n, kind)
		}
	}
	if n := e.mem.Counts()[op.DeleteMany]; n > 50 {
		t.Errorf("rm -r of %d files sent %d batches", files, n)
	}
}

// TestLongListingCosts: attributes of others' files come from the listing in public/, from one HEAD
// each in private/, once.
func TestLongListingCosts(t *testing.T) {
	const files = 300
	e := newEnv(t, envConfig{})
	defer e.close(t)
	for i := range files {
		e.put(t, fmt.Sprintf("public/d/f%03d", i), []byte("x"))
		e.put(t, fmt.Sprintf("private/%s/d/f%03d", ownID, i), []byte("x"))
	}
	mustLookup(t, e, "public/d")
	mustLookup(t, e, "private/d")
	e.mem.ResetCounts()
	lsLong(t, e, "public/d")
	wantCounts(t, e, map[string]int{op.List: 1})
	lsLong(t, e, "private/d")
	wantCounts(t, e, map[string]int{op.List: 1, op.Head: files})
	lsLong(t, e, "private/d")
	wantCounts(t, e, map[string]int{})
	e.age(t)
	lsLong(t, e, "private/d")
	wantCounts(t, e, map[string]int{op.List: 2})
}

// lsLong is ls -l: the entries and the attributes of each.
func lsLong(t tb, e *env, dir string) {
	t.Helper()
	entries, err := e.fs.ReadDir(bg(), dir)
	must(t, err)
	for _, entry := range entries {
		mustLookup(t, e, dir+"/"+entry.Name)
	}
}

// TestDropCosts: a file put into uploads/ costs its PUT, no LIST and no HEAD, and is known
// afterwards.
func TestDropCosts(t *testing.T) {
	e := newEnv(t, envConfig{options: levels.Options{Uploads: true}, memory: guarded(levels.Put)})
	defer e.close(t)
	_, err := e.fs.Lookup(t.Context(), "uploads/f")
	wantErrno(t, err, syscall.ENOENT)
	writeFile(t, e.fs, "uploads/f", []byte("x"))
	e.drain(t)
	if got := maps.Clone(e.mem.Counts()); got[op.List]+got[op.Head]+got[op.Get] > 0 || got[op.Put] > 2 {
		t.Errorf("requests: %v", e.lastRequests())
	}
	if a := mustLookup(t, e, "uploads/f"); a.Size != 1 {
		t.Errorf("size %d", a.Size)
	}
	_, err = e.fs.ReadDir(t.Context(), "uploads")
	wantErrno(t, err, syscall.EACCES)
	_, err = e.fs.Open(t.Context(), "uploads/f", syscall.O_RDONLY)
	wantErrno(t, err, syscall.EACCES)
	wantErrno(t, e.fs.Unlink(t.Context(), "uploads/f"), syscall.EACCES)
}
