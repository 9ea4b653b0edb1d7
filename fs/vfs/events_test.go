package vfs_test

import (
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// TestRenameOntoANameJustRemoved: the news that the store has removed what had the name before does
// not stand for the news of the file that was moved there.
func TestRenameOntoANameJustRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const key = "public/moved"
		var held atomic.Bool
		gate, removal, news := make(chan struct{}), make(chan struct{}), make(chan struct{})
		e := newEnv(t, envConfig{
			settle: time.Second, // the new file is renamed before it is sent
			event: func(ev uploader.Event) {
				switch {
				case !held.Load() || ev.Key != key:
				case ev.Kind == uploader.Removed:
					<-news
				case ev.Kind == uploader.Committed:
					<-gate
				}
			},
			wrap: func(st store.Store) store.Store {
				faults := faultstore.New(st)
				faults.SetHooks(faultstore.Hooks{Before: func(c faultstore.Call) {
					if c.Key == key && (c.Op == op.Delete || c.Op == op.DeleteMany) {
						<-removal
					}
				}})
				return faults
			},
		})
		defer e.close(t)
		for _, name := range []string{"public/first", key, "public/other"} {
			e.put(t, name, []byte(name))
		}
		must(t, e.fs.Unlink(t.Context(), "public/first")) // later ones are journalled
		must(t, e.fs.Unlink(t.Context(), key))
		time.Sleep(time.Second) // its delete is on its way
		writeFile(t, e.fs, "public/new", []byte("new"))
		held.Store(true)
		must(t, e.fs.Rename(t.Context(), "public/new", key, 0))
		close(removal)
		if _, err := e.up.Wait(t.Context(), key); err != nil { // in the store; the event is on its way
			t.Fatal(err)
		}
		close(news)
		synctest.Wait()
		found := make(chan error, 1)
		go func() { found <- lookup(e, key) }()
		synctest.Wait()
		close(gate)
		must(t, <-found)
		wantFile(t, e, key, "new")
	})
}

// TestLookupWaitsForTheLastCommit: the news of an earlier upload of a name do not stand for those of the file that was
// renamed over it since.
func TestLookupWaitsForTheLastCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const key = "public/f"
		first, second, upload := make(chan struct{}), make(chan struct{}), make(chan struct{})
		var commits atomic.Int32
		var held atomic.Bool
		e := newEnv(t, envConfig{
			event: func(ev uploader.Event) {
				switch {
				case ev.Key != key || ev.Kind != uploader.Committed:
				case commits.Add(1) == 1:
					<-first
				default:
					<-second
				}
			},
			wrap: func(st store.Store) store.Store {
				faults := faultstore.New(st)
				faults.SetHooks(faultstore.Hooks{Before: func(c faultstore.Call) {
					if c.Op == op.Put && held.Load() {
						<-upload
					}
				}})
				return faults
			},
		})
		defer e.close(t)
		writeFile(t, e.fs, "public/other", nil) // proves the level
		e.drain(t)
		held.Store(true)
		writeFile(t, e.fs, key, []byte("first"))
		time.Sleep(time.Second) // its upload is on its way
		writeFile(t, e.fs, "public/new", []byte("the second"))
		must(t, e.fs.Rename(t.Context(), "public/new", key, 0))
		close(upload)
		if _, err := e.up.Wait(t.Context(), ""); err != nil { // both are in the store
			t.Fatal(err)
		}
		close(first)
		synctest.Wait()
		found := make(chan int64, 1)
		go func() {
			a, err := e.fs.Lookup(t.Context(), key)
			if err != nil {
				t.Error(err)
			}
			found <- a.Size
		}()
		synctest.Wait()
		close(second)
		if size := <-found; size != int64(len("the second")) {
			t.Errorf("size %d", size)
		}
		wantFile(t, e, key, "the second")
	})
}

// TestRenameOfWhatHasJustBeenCommitted: a file that is committed between the beginning of its rename and the record of
// it is copied at the version that it has, without a look at the store.
func TestRenameOfWhatHasJustBeenCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, answer := make(chan struct{}), make(chan struct{})
		var held atomic.Bool
		e := newEnv(t, envConfig{
			settle: time.Minute,
			wrap: func(st store.Store) store.Store {
				faults := faultstore.New(st)
				faults.SetHooks(faultstore.Hooks{Before: func(c faultstore.Call) {
					if c.Op == op.List && held.CompareAndSwap(true, false) {
						close(asked)
						<-answer
					}
				}})
				return faults
			},
		})
		defer e.close(t)
		e.put(t, "public/dir/other", []byte("x"))
		writeFile(t, e.fs, "public/f", []byte("bytes"))
		before := mustLookup(t, e, "public/f")
		held.Store(true)
		renamed := make(chan error, 1)
		go func() { renamed <- e.fs.Rename(t.Context(), "public/f", "public/dir/f", 0) }()
		<-asked // it has found the file, pending
		e.drain(t)
		e.mem.ResetCounts()
		close(answer)
		must(t, <-renamed)
		for _, r := range e.mem.Requests() {
			if r.Op == op.Head && r.Key == "public/f" {
				t.Error("the source was asked for")
			}
		}
		if a := mustLookup(t, e, "public/dir/f"); a.Ino != before.Ino || a.Gen != before.Gen || a.Size != before.Size {
			t.Errorf("before %+v, after %+v", before, a)
		}
		wantFile(t, e, "public/dir/f", "bytes")
	})
}

// TestNumbersAreUsedWithAnotherGeneration: the kernel may ask for a removed file yet when another one has got its number.
func TestNumbersAreUsedWithAnotherGeneration(t *testing.T) {
	e := newEnv(t, envConfig{})
	defer e.close(t)
	writeFile(t, e.fs, "public/f", []byte("first"))
	first := mustLookup(t, e, "public/f")
	must(t, e.fs.Unlink(t.Context(), "public/f"))
	e.fs.Forget(first.Ino, first.Gen)
	writeFile(t, e.fs, "public/f", []byte("second"))
	second := mustLookup(t, e, "public/f")
	if second.Ino != first.Ino || second.Gen == first.Gen {
		t.Errorf("first %d.%d, second %d.%d", first.Ino, first.Gen, second.Ino, second.Gen)
	}
	e.fs.Forget(first.Ino, first.Gen) // late: not of this one
	if again := mustLookup(t, e, "public/f"); again.Ino != second.Ino || again.Gen != second.Gen {
		t.Errorf("second %d.%d, then %d.%d", second.Ino, second.Gen, again.Ino, again.Gen)
	}
}

// TestLateNewsAreOfTheFileBefore: the news of an upload that a rename over its name has overtaken say nothing of the file that
// has the name now, and is open.
func TestLateNewsAreOfTheFileBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const key = "public/f"
		upload, news := make(chan struct{}), make(chan struct{})
		var commits atomic.Int32
		var held atomic.Bool
		e := newEnv(t, envConfig{
			event: func(ev uploader.Event) {
				if ev.Key == key && ev.Kind == uploader.Committed && commits.Add(1) == 1 {
					<-news
				}
			},
			wrap: func(st store.Store) store.Store {
				faults := faultstore.New(st)
				faults.SetHooks(faultstore.Hooks{Before: func(c faultstore.Call) {
					if c.Op == op.Put && held.Load() {
						<-upload
					}
				}})
				return faults
			},
		})
		defer e.close(t)
		writeFile(t, e.fs, "public/other", nil) // proves the level
		e.drain(t)
		e.put(t, "public/source", []byte("bytes"))
		e.age(t)
		h := open(t, e, "public/source", syscall.O_RDONLY)
		defer closeHandle(t, h)
		wantRead(t, h, "bytes")
		held.Store(true)
		writeFile(t, e.fs, key, []byte("other"))
		time.Sleep(time.Second) // its upload is on its way
		renamed := make(chan error, 1)
		go func() { renamed <- e.fs.Rename(t.Context(), "public/source", key, 0) }()
		synctest.Wait()
		close(upload)
		must(t, <-renamed)
		close(news)
		e.drain(t)
		wantRead(t, h, "bytes")
		wantFile(t, e, key, "bytes")
	})
}
