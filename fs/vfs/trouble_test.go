package vfs_test

import (
	"path"
	"strings"
	"syscall"
	"testing"

	"github.com/s3levelfs/s3levelfs/fs/vfs"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// fact reads user.s3levelfs.NAME; "" = ENODATA.
func (e *env) fact(t tb, p, name string) string {
	t.Helper()
	value, err := e.fs.GetXattr(bg(), vfs.Ref{Path: p}, "user.s3levelfs."+name)
	if err != nil {
		wantErrno(t, err, syscall.ENODATA)
	}
	return string(value)
}

// wantFact compares user.s3levelfs.NAME; want is a part of it.
func (e *env) wantFact(t tb, p, name, want string) {
	t.Helper()
	if got := e.fact(t, p, name); want == "" && got != "" || !strings.Contains(got, want) {
		t.Errorf("%s of %s: %q, want %q", name, p, got, want)
	}
}

// TestConflictIsToldByTheFiles: both files of a conflict name each other until one is gone.
func TestConflictIsToldByTheFiles(t *testing.T) {
	var copies []string
	e := newEnv(t, envConfig{event: func(ev uploader.Event) {
		if ev.Kind == uploader.Conflict {
			copies = append(copies, path.Base(ev.To))
		}
	}})
	defer e.close(t)
	writeFile(t, e.fs, "private/f", []byte("first"))
	e.drain(t)
	e.wantFact(t, "private/f", "state", "clean")
	e.mem.PutString("private/"+ownID+"/f", "theirs")
	writeFile(t, e.fs, "private/f", []byte("ours"))
	e.drain(t)
	if len(copies) != 1 {
		t.Fatalf("conflicts %q", copies)
	}
	ours := "private/" + copies[0]
	for _, p := range []string{"private/f", ours} {
		e.wantFact(t, p, "state", "conflict")
	}
	e.wantFact(t, "private/f", "conflict", ours)
	e.wantFact(t, ours, "conflict", "private/f")
	must(t, e.fs.Unlink(bg(), ours))
	e.drain(t)
	e.wantFact(t, "private/f", "state", "clean")
	e.wantFact(t, "private/f", "conflict", "")
}

// TestFailureIsToldByTheFile: what can not be uploaded says so, and why.
func TestFailureIsToldByTheFile(t *testing.T) {
	var faults *faultstore.Store
	committed := make(chan struct{}, 10)
	e := newEnv(t, envConfig{
		wrap: func(s store.Store) store.Store { faults = faultstore.New(s); return faults },
		event: func(ev uploader.Event) {
			if ev.Kind == uploader.Committed {
				committed <- struct{}{}
			}
		},
	})
	defer e.close(t)
	writeFile(t, e.fs, "private/f", []byte("first"))
	e.drain(t)
	<-committed
	faults.Add(faultstore.Rule{Op: op.Put, Fault: faultstore.Denied(), Count: faultstore.Forever})
	writeFile(t, e.fs, "private/f", []byte("second"))
	_, err := e.up.Wait(bg(), "")
	must(t, err)
	e.wantFact(t, "private/f", "state", "failed")
	e.wantFact(t, "private/f", "error", "put")
	faults.Clear()
	e.up.Retry()
	<-committed
	e.fs.Settle(bg())
	e.wantFact(t, "private/f", "state", "clean")
	e.wantFact(t, "private/f", "error", "")
}

// TestWhatIsKeptIsToldByTheFile: a file of which a crash or a lost base has left something in the spool names it.
func TestWhatIsKeptIsToldByTheFile(t *testing.T) {
	var told []string
	e := newEnv(t, envConfig{event: func(ev uploader.Event) { told = append(told, ev.Kind.String()) }})
	defer e.close(t)
	writeFile(t, e.fs, "private/f", []byte("first"))
	e.drain(t)
	h, err := e.fs.Open(bg(), "private/f", syscall.O_WRONLY)
	must(t, err)
	_, err = h.WriteAt(bg(), []byte("half"), 0)
	must(t, err)
	e.reopen(t, true)
	e.fs.Settle(bg())
	e.wantFact(t, "private/f", "state", "quarantined")
	kept := e.up.Kept()
	if len(kept) != 1 || len(told) == 0 || told[len(told)-1] != "quarantined" {
		t.Fatalf("kept %+v, told %q", kept, told)
	}
	e.wantFact(t, "private/f", "error", "s3levelfs spool export "+kept[0].Gen)
	must(t, e.up.Discard(kept[0].Gen))
	e.wantFact(t, "private/f", "state", "clean")
	e.wantFact(t, "private/f", "error", "")
}
