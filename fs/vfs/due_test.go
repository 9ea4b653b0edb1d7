package vfs_test

import (
	"sync/atomic"
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
