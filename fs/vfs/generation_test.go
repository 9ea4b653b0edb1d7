package vfs_test

import (
	"syscall"
	"testing"

	"github.com/s3levelfs/s3levelfs/fs/vfs"
)

// TestForgottenTooLate: the kernel forgets a file and looks it up again, and the news of the first come after the second. Another version that
// comes then is another generation: the kernel may have pages of the one that it knows.
func TestForgottenTooLate(t *testing.T) {
	e := newEnv(t, envConfig{})
	defer e.close(t)
	e.put(t, "public/f", []byte("the first version"))
	first := mustLookup(t, e, "public/f")
	if again := mustLookup(t, e, "public/f"); again.Gen != first.Gen {
		t.Fatalf("generation %d, then %d", first.Gen, again.Gen)
	}
	e.fs.Forget(first.Ino, first.Gen)
	e.put(t, "public/f", []byte("the second version, which is longer"))
	e.age(t)
	second := mustLookup(t, e, "public/f")
	if second.Gen == first.Gen {
		t.Errorf("generation %d has had %d bytes, and has %d", second.Gen, first.Size, second.Size)
	}
	ref := vfs.Ref{Path: "public/f", Ino: first.Ino, Gen: first.Gen}
	if a, err := e.fs.Stat(t.Context(), ref); err == nil && a.Gen == first.Gen {
		t.Errorf("the generation that the kernel knows is told to have %d bytes", a.Size)
	}
	h := open(t, e, "public/f", syscall.O_RDONLY)
	defer func() { must(t, h.Release(t.Context())) }()
	if h.Gen() == first.Gen {
		t.Error("the open of the second version is of the first one's generation")
	}
}
