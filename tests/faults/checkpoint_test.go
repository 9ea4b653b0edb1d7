package faults

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/tests/rig"
)

// TestFsyncedFileThatStaysOpen: what a program that never closes its file has fsynced gets into the bucket, whole and
// without what it has written since, also when the server is away and the daemon is killed. No other program is started
// meanwhile: it would inherit the file, and close it.
func TestFsyncedFileThatStaysOpen(t *testing.T) {
	w := newWorld(t)
	state := bytes.Repeat([]byte("fsynced "), 400_000)
	open := func(name string) *os.File {
		db, err := os.Create(w.path("private", name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		for _, err := range []error{
			writeAt(db, state, 0), db.Sync(), writeAt(db, []byte("half a transaction"), 1000),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		return db
	}
	arrives := func(name string) {
		within(t, time.Minute, name+" as it was fsynced in the bucket", func() bool {
			got, _ := w.stored(t, "private/"+rig.Identity+"/"+name)
			return got == string(state)
		})
	}
	db := open("db")
	arrives("db")
	if p, got := make([]byte, 18), "half a transaction"; readAt(db, p, 1000) != nil || string(p) != got {
		t.Errorf("read %q, want %q", p, got)
	}
	w.Proxy.SetDown(true)
	open("db2")
	w.Kill()
	w.Proxy.SetDown(false)
	w.Mount = rig.MountAt(t, w.Top, w.Server.Env, w.Options...)
	arrives("db2")
	arrives("db")
	if out, _, code := w.Run(t, "spool", "ls"); code != 0 || strings.Count(out, "quarantined") != 2 {
		t.Errorf("what was not fsynced: exit %d: %s", code, out)
	}
	w.Unmount(t)
}

func writeAt(f *os.File, p []byte, off int64) error { _, err := f.WriteAt(p, off); return err }

func readAt(f *os.File, p []byte, off int64) error { _, err := f.ReadAt(p, off); return err }

// TestCheckpointFlag: with --checkpoint a log that is never synced gets there, too.
func TestCheckpointFlag(t *testing.T) {
	w := newWorld(t, "--checkpoint", "1s")
	log, err := os.Create(w.path("private", "log"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := log.WriteString("a line\n"); err != nil {
		t.Fatal(err)
	}
	within(t, 30*time.Second, "the log in the bucket", func() bool {
		got, _ := w.stored(t, "private/"+rig.Identity+"/log")
		return got == "a line\n"
	})
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	w.Unmount(t)
}
