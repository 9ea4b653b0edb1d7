package vfs_test

import (
	"fmt"
	"slices"
	"syscall"
	"testing"

	"github.com/s3levelfs/s3levelfs/store/op"
)

// TestDirStreamMergesWhatIsPending: over several pages, what is pending, removed or both a file and a directory is as a stat says,
// each once.
func TestDirStreamMergesWhatIsPending(t *testing.T) {
	e := newEnv(t, envConfig{})
	defer e.close(t)
	want := []string{"a", "a\u201b", "new", "zz"}
	e.put(t, "public/d/a", nil)
	e.put(t, "public/d/a/x", nil) // more than a page between the file and the directory of its name
	for i := range 2500 {
		name := fmt.Sprintf("a-%04d", i)
		e.put(t, "public/d/"+name, []byte("x"))
		if i%100 != 7 {
			want = append(want, name)
		}
	}
	writeFile(t, e.fs, "public/proof", nil) // the rights are known from here on
	e.drain(t)
	must(t, e.fs.Unlink(t.Context(), "public/proof"))
	release := e.block()
	defer release()
	for i := 7; i < 2500; i += 100 {
		must(t, e.fs.Unlink(t.Context(), fmt.Sprintf("public/d/a-%04d", i)))
	}
	for _, name := range []string{"new", "zz", "a-1000", "a-2400"} {
		writeFile(t, e.fs, "public/d/"+name, []byte("pending"))
	}
	d, err := e.fs.OpenDir(t.Context(), "public/d")
	must(t, err)
	defer d.Close()
	var got []string
	batches := 0
	for {
		entries, err := d.Next(t.Context())
		must(t, err)
		if len(entries) == 0 {
			break
		}
		batches++
		for _, entry := range entries {
			got = append(got, entry.Name)
			a := mustLookup(t, e, "public/d/"+entry.Name)
			if a.Ino != entry.Attr.Ino || a.Mode&syscall.S_IFMT != entry.Attr.Mode&syscall.S_IFMT || entry.Full && a.Size != entry.Attr.Size {
				t.Errorf("%s: listed as %+v, is %+v", entry.Name, entry.Attr, a)
			}
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%d entries, want %d", len(got), len(want))
	}
	if batches < 3 {
		t.Errorf("%d batches: not streamed", batches)
	}
}

// block keeps changes from being sent until it is released.
func (e *env) block() (release func()) {
	e.mem.SetBusy(func(kind, _ string) bool { return kind == op.Put || kind == op.Delete || kind == op.DeleteMany })
	return func() { e.mem.SetBusy(nil) }
}

// TestDirStreamOfSyntheticDirectories: the root's entries are the policy's.
func TestDirStreamOfSyntheticDirectories(t *testing.T) {
	e := newEnv(t, envConfig{})
	defer e.close(t)
	d, err := e.fs.OpenDir(t.Context(), "")
	must(t, err)
	defer d.Close()
	entries, err := d.Next(t.Context())
	must(t, err)
	names := []string{}
	for _, entry := range entries {
		names = append(names, entry.Name)
	}
	if !slices.Equal(names, []string{"private", "protected", "public"}) {
		t.Errorf("%q", names)
	}
	if more, err := d.Next(t.Context()); err != nil || len(more) > 0 {
		t.Errorf("%v, %v", more, err)
	}
	_, err = e.fs.OpenDir(t.Context(), "public/none")
	wantErrno(t, err, syscall.ENOENT)
}
