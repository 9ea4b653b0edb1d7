package vfs_test

import (
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/fs/vfs"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/op"
)

// What was pending when it was found may have been stored before it is opened, removed or renamed: then what is
// stored is meant, and nothing else.

func wantBucket(t *testing.T, e *env, want map[string]string) {
	t.Helper()
	if diff := cmp.Diff(want, e.objects(t)); diff != "" {
		t.Errorf("bucket (-want +got): %s", diff)
	}
}

// TestOpenThatACommitOvertakes: the file was pending when it was found, and is stored while the level is proved. Emptied, and
// renamed while it is open, it is nowhere but under its new name, also after a crash.
func TestOpenThatACommitOvertakes(t *testing.T) {
	e := newHeldEnv(t)
	defer e.end(t)
	e.puts.shut("public/c/f")
	writeFile(t, e.fs, "public/c/f", []byte("old"))
	e.puts.reached()
	e.stop(t, true)
	e.puts.Clear()
	e.puts.Add(faultstore.Rule{Op: op.Put, Key: "public/.s3levelfs-probe-*", Fault: faultstore.Do("commit", func() {
		e.puts.open()
		e.await("committed public/c/f")
	})})
	e.puts.shut("public/c/f")
	e.start(t)
	h, _, err := e.fs.Create(t.Context(), "public/c/f", syscall.O_RDWR|syscall.O_CREAT|syscall.O_TRUNC, 0o644)
	must(t, err)
	must(t, e.fs.Rename(t.Context(), "public/c", "public/d", 0))
	closeHandle(t, h)
	e.reopen(t, true)
	e.drain(t)
	wantBucket(t, e.env, map[string]string{"public/d/f": ""})
}

// TestOpenWhileARenameIsCarriedOn: a rename that a crash has interrupted goes on, and ends, while its file is opened for
// writing: what is not written is what it was.
func TestOpenWhileARenameIsCarriedOn(t *testing.T) {
	e := newHeldEnv(t)
	defer e.end(t)
	e.put(t, "public/a", []byte("bytes of a file"))
	e.age(t)
	e.copies.shut("")
	renamed := make(chan error, 1)
	go func() { renamed <- e.fs.Rename(bg(), "public/a", "public/b", 0) }()
	e.copies.reached()
	e.stop(t, true)
	if err := <-renamed; err == nil {
		t.Fatal("the rename has ended")
	}
	e.start(t)
	e.copies.reached()
	e.puts.Add(faultstore.Rule{Op: op.Put, Key: "public/.s3levelfs-probe-*", Fault: faultstore.Do("copy", func() {
		e.copies.open()
		e.await("committed public/b")
	})})
	h := open(t, e.env, "public/b", syscall.O_RDWR)
	write(t, h, "BYTES", 0)
	wantRead(t, h, "BYTES of a file")
	closeHandle(t, h)
	e.drain(t)
	wantBucket(t, e.env, map[string]string{"public/b": "BYTES of a file"})
}

// TestRemovalThatACommitOvertakes: the version that was stored meanwhile goes, however late the delete is sent.
func TestRemovalThatACommitOvertakes(t *testing.T) {
	e := newHeldEnv(t)
	defer e.end(t)
	e.puts.shut("public/f")
	writeFile(t, e.fs, "public/f", []byte("old"))
	e.deletes.shut("")
	must(t, e.fs.UnlinkLate(t.Context(), "public/f", func() {
		e.puts.open()
		e.await("committed public/f")
	}))
	e.reopen(t, true)
	e.deletes.open()
	e.drain(t)
	wantBucket(t, e.env, map[string]string{})
}

// TestRenameThatACommitOvertakes: what was pending at the new name is stored meanwhile, and somebody else replaces it: theirs is kept.
func TestRenameThatACommitOvertakes(t *testing.T) {
	e := newHeldEnv(t)
	defer e.end(t)
	writeFile(t, e.fs, "public/a", []byte("ours"))
	e.drain(t)
	e.puts.shut("public/b")
	writeFile(t, e.fs, "public/b", []byte("old"))
	wantErrno(t, e.fs.RenameLate(t.Context(), "public/a", "public/b", func() {
		e.puts.open()
		e.await("committed public/b")
		e.put(t, "public/b", []byte("theirs"))
	}), syscall.ESTALE)
	wantBucket(t, e.env, map[string]string{"public/a": "ours", "public/b": "theirs"})
}

// TestChmodThatACommitOvertakes: the mode is that of what is stored meanwhile.
func TestChmodThatACommitOvertakes(t *testing.T) {
	e := newHeldEnv(t)
	defer e.end(t)
	e.puts.shut("private/*/f")
	writeFile(t, e.fs, "private/f", []byte("text"))
	mode := uint32(0o600)
	must(t, e.fs.ChmodLate(t.Context(), "private/f", mode, func() {
		e.puts.open()
		e.await("committed private/" + ownID + "/f")
	}))
	e.drain(t)
	if a := mustLookup(t, e.env, "private/f"); a.Mode&0o777 != mode {
		t.Errorf("mode %o", a.Mode)
	}
}

// TestReplacedFileWhileARenameIsCarriedOn: a rename of a stored file over one that was not stored yet is interrupted by a crash. From then on the
// name is that of the file that was renamed, with its size and its bytes; what is done to it is not done to the one that is replaced.
func TestReplacedFileWhileARenameIsCarriedOn(t *testing.T) {
	e := newHeldEnv(t)
	defer e.end(t)
	writeFile(t, e.fs, "private/a", []byte("the bytes of the file that is renamed"))
	e.drain(t)
	e.puts.shut("private/*/b")
	e.copies.shut("")
	writeFile(t, e.fs, "private/b", []byte("replaced"))
	renamed := make(chan error, 1)
	go func() { renamed <- e.fs.Rename(bg(), "private/a", "private/b", 0) }()
	e.copies.reached()
	e.stop(t, true)
	if err := <-renamed; err == nil {
		t.Fatal("the rename has ended")
	}
	e.start(t)
	e.copies.reached()
	wantFile(t, e.env, "private/b", "the bytes of the file that is renamed")
	wantNames(t, e.env, "while it is copied", "private", "b")
	if a := mustLookup(t, e.env, "private/b"); a.Size != int64(len("the bytes of the file that is renamed")) {
		t.Errorf("size %d", a.Size)
	}
	mode := uint32(0o600)
	_, err := e.fs.SetAttr(t.Context(), vfs.Ref{Path: "private/b"}, vfs.SetAttr{Mode: &mode})
	must(t, err)
	e.copies.open()
	e.puts.open()
	e.drain(t)
	wantFile(t, e.env, "private/b", "the bytes of the file that is renamed")
	if a := mustLookup(t, e.env, "private/b"); a.Mode&0o777 != mode {
		t.Errorf("mode %o", a.Mode)
	}
	wantBucket(t, e.env, map[string]string{"private/" + ownID + "/b": "the bytes of the file that is renamed"})
}
