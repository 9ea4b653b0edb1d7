package script

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// writeMuch writes n MiB into a new file and tells the first error.
func writeMuch(name string, n int) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	for range n {
		if _, err = f.Write(make([]byte, 1<<20)); err != nil {
			break
		}
	}
	return errors.Join(err, f.Close())
}

// TestSpoolSize: in a spool of 8 MiB 40 MiB find room one after the other while uploads go on; without them writers get
// ENOSPC, and what was closed before is as it was.
func TestSpoolSize(t *testing.T) {
	b := newBucketMount(t, "--spool-size", "8MiB", "--max-attempts", "1")
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		if err := writeMuch(b.private(name), 5); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	b.ok(t, "sync", b.Dir)
	b.proxy.SetDown(true)
	kept := bytes.Repeat([]byte("kept"), 1000)
	if err := os.WriteFile(b.private("kept"), kept, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writeMuch(b.private("huge"), 16); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("more than the spool's size: %v, want ENOSPC", err)
	}
	if out := b.ok(t, "status", b.Dir); !strings.Contains(out, "it has reached its size (--spool-size 8.0 MiB)") {
		t.Errorf("status does not tell:\n%s", out)
	}
	if got, err := os.ReadFile(b.private("kept")); err != nil || !bytes.Equal(got, kept) {
		t.Errorf("the file closed before: %d bytes, %v", len(got), err)
	}
	b.proxy.SetDown(false)
	if err := os.Remove(b.private("huge")); err != nil {
		t.Fatal(err)
	}
	b.ok(t, "spool", "retry")
	until(t, "all is uploaded", func() bool { _, _, code := b.Run(t, "sync", b.Dir); return code == 0 })
	b.Unmount(t)
}

// TestSpoolKeepFree: what others are left on the disk is never written to.
func TestSpoolKeepFree(t *testing.T) {
	const keep = 10 << 20
	top := t.TempDir()
	state := filepath.Join(top, "state")
	if err := errors.Join(os.Mkdir(state, 0o700), unix.Mount("small", state, "tmpfs", 0, "size=32m")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(state, unix.MNT_DETACH) })
	b := newBucketMountIn(t, top, "--spool-keep-free", "10MiB", "--max-attempts", "1")
	if err := writeMuch(b.private("first"), 1); err != nil {
		t.Fatal(err)
	}
	b.ok(t, "sync", b.Dir)
	b.proxy.SetDown(true)
	if err := writeMuch(b.private("huge"), 40); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("more than the disk may take: %v, want ENOSPC", err)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(state, &st); err != nil {
		t.Fatal(err)
	}
	const logs = 1 << 20 // the log of changes and mount.log go on
	if free := int64(st.Bavail) * st.Bsize; free < keep-logs || free > keep+4<<20 {
		t.Errorf("%d bytes are free, want %d", free, keep)
	}
	if out := b.ok(t, "status", b.Dir); !strings.Contains(out, "disk is full") {
		t.Errorf("status does not tell:\n%s", out)
	}
	b.proxy.SetDown(false)
	b.ok(t, "spool", "retry")
	until(t, "all is uploaded", func() bool { _, _, code := b.Run(t, "sync", b.Dir); return code == 0 })
	until(t, "room again", func() bool { return writeMuch(b.private("second"), 10) == nil })
	b.Unmount(t)
}
