package vfs_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/s3levelfs/s3levelfs/fs/vfs"
)

// batchOf gives the entries of the first batch of public/d by name.
func batchOf(t *testing.T, e *env) map[string]*vfs.DirEntry {
	t.Helper()
	d, err := e.fs.OpenDir(t.Context(), "public/d")
	must(t, err)
	defer d.Close()
	entries, err := d.Next(t.Context())
	must(t, err)
	out := make(map[string]*vfs.DirEntry)
	for i := range entries {
		out[entries[i].Name] = &entries[i]
	}
	return out
}

// TestAgainIsLookup: what a directory's stream has found is told again as a lookup tells it, without asking for anything. After any
// change by this mount, of names beside it too, it has to be looked up.
func TestAgainIsLookup(t *testing.T) {
	e := newEnv(t, envConfig{})
	defer e.close(t)
	for i := range 20 {
		e.put(t, fmt.Sprintf("public/d/f-%02d", i), []byte("text"))
	}
	e.put(t, "public/d/sub/x", nil)
	e.put(t, "public/d/pair", []byte("x"))
	e.put(t, "public/d/pair/x", nil)
	writeFile(t, e.fs, "public/d/pending", []byte("text"))
	e.drain(t)
	release := e.block()
	writeFile(t, e.fs, "public/d/f-19", []byte("other"))
	batch := batchOf(t, e)
	again := 0
	for name, entry := range batch {
		a, ok := e.fs.Again(t.Context(), entry)
		if !ok {
			continue
		}
		again++
		if diff := cmp.Diff(mustLookup(t, e, "public/d/"+name), a, cmpopts.IgnoreFields(vfs.Attr{}, "TTL")); diff != "" || a.TTL <= 0 {
			t.Errorf("%s: TTL %v %s", name, a.TTL, diff)
		}
	}
	if again != 20 { // 19 files, and the one that was stored; neither directories nor what is pending or beside
		t.Errorf("%d of %d entries were told again", again, len(batch))
	}
	release()
	e.drain(t)

	mode := uint32(0o600)
	for _, step := range []struct {
		what   string
		change func()
	}{
		{"it is written", func() { writeFile(t, e.fs, "public/d/f-01", []byte("longer")) }},
		{"it is written and stored", func() { writeFile(t, e.fs, "public/d/f-01", []byte("and longer")); e.drain(t) }},
		{"one beside it is made", func() { writeFile(t, e.fs, "public/d/new", nil); e.drain(t) }},
		{"its mode is changed", func() {
			_, err := e.fs.SetAttr(t.Context(), vfs.Ref{Path: "public/d/f-01"}, vfs.SetAttr{Mode: &mode})
			must(t, err)
			e.drain(t)
		}},
		{"it is renamed to and fro", func() {
			must(t, e.fs.Rename(t.Context(), "public/d/f-01", "public/d/moved", 0))
			must(t, e.fs.Rename(t.Context(), "public/d/moved", "public/d/f-01", 0))
			e.drain(t)
		}},
		{"another version of it is known", func() {
			e.put(t, "public/d/f-01", []byte("theirs"))
			e.listing.Forget("public/d/")
			mustLookup(t, e, "public/d/f-01")
		}},
		{"it is removed", func() { must(t, e.fs.Unlink(t.Context(), "public/d/f-01")) }},
	} {
		e.drain(t)
		entry := batchOf(t, e)["f-01"]
		mustLookup(t, e, "public/d/f-01")
		if _, ok := e.fs.Again(t.Context(), entry); !ok {
			t.Errorf("before %s: it has to be looked up", step.what)
		}
		if step.change(); entry == nil {
			t.Fatalf("before %s: it is not listed", step.what)
		}
		if a, ok := e.fs.Again(t.Context(), entry); ok {
			t.Errorf("%s, and it is told again: %+v", step.what, a)
		}
	}
}
