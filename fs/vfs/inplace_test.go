package vfs_test

import (
	"runtime"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// names are the entries of a directory, those that are directories with a slash.
func names(t tb, e *env, dir string) []string {
	t.Helper()
	entries, err := e.fs.ReadDir(bg(), dir)
	must(t, err)
	all := []string{}
	for i := range entries {
		name := entries[i].Name
		if entries[i].Attr.Mode&syscall.S_IFMT == syscall.S_IFDIR {
			name += "/"
		}
		all = append(all, name)
	}
	return all
}

func wantNames(t *testing.T, e *env, when, dir string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(append([]string{}, want...), names(t, e, dir)); diff != "" {
		t.Errorf("%s: %q (-want +got): %s", when, dir, diff)
	}
}

// heldEnv is a mount whose writes can be held up, also across a crash: they get no answer, and have not been applied.
type heldEnv struct {
	*env

	puts, copies, deletes gate
	told                  chan string // events as "kind key"
}

// gate holds requests of some kinds up.
type gate struct {
	*faultstore.Store

	kinds []string
}

// shut holds up the requests of a key, "" for any.
func (g *gate) shut(key string) {
	for _, kind := range g.kinds {
		g.Add(faultstore.Rule{Op: kind, Key: key, Fault: faultstore.Stall(), Count: faultstore.Forever})
	}
}

// open lets them go.
func (g *gate) open() {
	g.Clear()
	g.Release()
}

// reached returns when a request is held up.
func (g *gate) reached() {
	for len(g.Stalled()) == 0 {
		runtime.Gosched()
	}
}

// newHeldEnv has the level's first removal behind it, which waits for the store's word.
func newHeldEnv(t tb) *heldEnv {
	t.Helper()
	h := &heldEnv{told: make(chan string, 1000)}
	h.env = newEnv(t, envConfig{
		wrap: func(s store.Store) store.Store {
			if h.puts.Store == nil {
				h.deletes = gate{faultstore.New(s), []string{op.Delete, op.DeleteMany}}
				h.copies = gate{faultstore.New(h.deletes), []string{op.Copy}}
				h.puts = gate{faultstore.New(h.copies), []string{op.Put}}
			}
			return h.puts
		},
		event: func(ev uploader.Event) { h.told <- ev.Kind.String() + " " + ev.Key },
	})
	writeFile(t, h.fs, "public/first", nil)
	h.drain(t)
	must(t, h.fs.Unlink(bg(), "public/first"))
	h.drain(t)
	return h
}

// end lets everything go and ends the mount.
func (h *heldEnv) end(t tb) {
	t.Helper()
	h.puts.open()
	h.copies.open()
	h.deletes.open()
	h.close(t)
}

// await waits until an event has been taken in.
func (h *heldEnv) await(event string) {
	for <-h.told != event { // a test that waits for what never comes ends with its binary's timeout
	}
	h.fs.Settle(bg())
}

// TestDirectoryInPlaceOfAFile: a file was removed, a directory has got its name, and the store takes the marker before the
// delete, or after it: it is one directory all the while, before and after a crash.
func TestDirectoryInPlaceOfAFile(t *testing.T) {
	for name, markerFirst := range map[string]bool{"marker before delete": true, "delete before marker": false} {
		t.Run(name, func(t *testing.T) {
			e := newHeldEnv(t)
			defer e.end(t)
			writeFile(t, e.fs, "public/a", []byte("x"))
			writeFile(t, e.fs, "public/b", nil)
			e.drain(t)
			e.puts.shut("")
			e.deletes.shut("")
			must(t, e.fs.Unlink(t.Context(), "public/a"))
			_, err := e.fs.Mkdir(t.Context(), "public/a", 0o755)
			must(t, err)
			wantNames(t, e.env, "before the crash", "public", "a/", "b")
			e.reopen(t, true)
			wantNames(t, e.env, "after the crash", "public", "a/", "b") // from here on the listing is known
			if markerFirst {
				e.puts.open()
				e.await("committed public/a/")
			} else {
				e.deletes.open()
				e.await("removed public/a")
			}
			wantNames(t, e.env, "while the store knows one", "public", "a/", "b")
			_, err = e.fs.Lookup(t.Context(), "public/a‛")
			wantErrno(t, err, syscall.ENOENT)
			e.puts.open()
			e.deletes.open()
			e.drain(t)
			wantNames(t, e.env, "in the end", "public", "a/", "b")
			if a := mustLookup(t, e.env, "public/a"); a.Mode&syscall.S_IFMT != syscall.S_IFDIR {
				t.Errorf("lookup: mode %o", a.Mode)
			}
		})
	}
}

// TestDirectoryInPlaceOfAFileThatIsSent: the file that was removed is stored meanwhile, and shows under no other name.
func TestDirectoryInPlaceOfAFileThatIsSent(t *testing.T) {
	e := newHeldEnv(t)
	defer e.end(t)
	wantNames(t, e.env, "at first", "public")
	e.puts.shut("")
	e.deletes.shut("")
	writeFile(t, e.fs, "public/a", []byte("x"))
	e.puts.reached()
	must(t, e.fs.Unlink(t.Context(), "public/a"))
	_, err := e.fs.Mkdir(t.Context(), "public/a", 0o755)
	must(t, err)
	e.puts.open()
	e.await("committed public/a")
	wantNames(t, e.env, "the file is stored", "public", "a/")
	_, err = e.fs.Lookup(t.Context(), "public/a‛")
	wantErrno(t, err, syscall.ENOENT)
	e.deletes.open()
	e.drain(t)
	wantNames(t, e.env, "in the end", "public", "a/")
}

// TestRenameOfADirectoryInPlaceOfAFile: such a directory goes along when the one that it is in is renamed.
func TestRenameOfADirectoryInPlaceOfAFile(t *testing.T) {
	e := newHeldEnv(t)
	defer e.end(t)
	writeFile(t, e.fs, "public/d/a", []byte("x"))
	writeFile(t, e.fs, "public/d/b", nil)
	e.drain(t)
	e.deletes.shut("")
	must(t, e.fs.Unlink(t.Context(), "public/d/a"))
	_, err := e.fs.Mkdir(t.Context(), "public/d/a", 0o755)
	must(t, err)
	e.await("committed public/d/a/")
	must(t, e.fs.Rename(t.Context(), "public/d", "public/e", 0))
	wantNames(t, e.env, "renamed", "public/e", "a/", "b")
	e.deletes.open()
	e.drain(t)
	e.age(t)
	wantNames(t, e.env, "in the end", "public/e", "a/", "b")
	wantNames(t, e.env, "in the end", "public", "e/")
}

// TestFileAndDirectoryOfOneNameRemoved: of a name that was a file, then a directory, and is nothing, nothing shows after a crash.
func TestFileAndDirectoryOfOneNameRemoved(t *testing.T) {
	e := newHeldEnv(t)
	defer e.end(t)
	writeFile(t, e.fs, "public/a", []byte("x"))
	e.drain(t)
	e.deletes.shut("")
	must(t, e.fs.Unlink(t.Context(), "public/a"))
	_, err := e.fs.Mkdir(t.Context(), "public/a", 0o755)
	must(t, err)
	e.await("committed public/a/")
	must(t, e.fs.Rmdir(t.Context(), "public/a"))
	wantNames(t, e.env, "removed", "public")
	e.reopen(t, true)
	wantNames(t, e.env, "after the crash", "public")
	_, err = e.fs.Lookup(t.Context(), "public/a")
	wantErrno(t, err, syscall.ENOENT)
	e.deletes.open()
	e.drain(t)
	wantNames(t, e.env, "in the end", "public")
}

// TestOldNameOfARenamedDirectoryGoes: what is left of a directory without markers that was renamed before a crash are removals of
// its files; with the last of them its old name goes.
func TestOldNameOfARenamedDirectoryGoes(t *testing.T) {
	e := newHeldEnv(t)
	defer e.end(t)
	e.put(t, "public/a/deep/f", []byte("x"))
	e.age(t)
	e.deletes.shut("")
	must(t, e.fs.Rename(t.Context(), "public/a", "public/c", 0))
	e.reopen(t, true)
	e.deletes.open()
	e.drain(t)
	wantNames(t, e.env, "in the end", "public", "c/")
	_, err := e.fs.Mkdir(t.Context(), "public/a", 0o755)
	must(t, err)
}

// TestRenameOfADirectoryWhoseMarkerIsStoredMeanwhile: an empty directory goes along also when its marker is stored after the
// listing that the rename goes by.
func TestRenameOfADirectoryWhoseMarkerIsStoredMeanwhile(t *testing.T) {
	e := newHeldEnv(t)
	defer e.end(t)
	writeFile(t, e.fs, "public/d/b", nil)
	e.drain(t)
	storedLate := func(dir, from, to string) {
		e.puts.shut(dir + "/")
		_, err := e.fs.Mkdir(t.Context(), dir, 0o755)
		must(t, err)
		e.puts.reached()
		e.copies.Add(faultstore.Rule{Op: op.List, Key: from + "/", Fault: faultstore.Applied(faultstore.Do("commit", func() {
			e.puts.open()
			e.await("committed " + dir + "/")
		}))})
		must(t, e.fs.Rename(t.Context(), from, to, 0))
		e.drain(t)
		e.age(t)
	}
	storedLate("public/d/c", "public/d", "public/e")
	wantNames(t, e.env, "one in it", "public/e", "b", "c/")
	wantNames(t, e.env, "one in it", "public", "e/")
	storedLate("public/f", "public/f", "public/g")
	wantNames(t, e.env, "itself", "public", "e/", "g/")
}
