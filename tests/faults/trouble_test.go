package faults

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/tests/rig"
)

// smallDisk mounts a file system of so many bytes on a directory of its own. The test's mount
// namespace is private; it is taken away again at the end.
func smallDisk(t *testing.T, dir, size string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("small", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
}

// fill writes a file until the disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 1<<20))
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("filling %s: %v", path, err)
	}
	_ = f.Close() // full already
}

// TestFullDiskOfTheSpool: a write that finds no room is ENOSPC, what was closed before stays, status
// tells, and when uploads or somebody else have made room writing goes on.
func TestFullDiskOfTheSpool(t *testing.T) {
	top := t.TempDir()
	smallDisk(t, filepath.Join(top, "state"), "24m")
	ballast := filepath.Join(top, "state", "ballast")
	if err := os.WriteFile(ballast, make([]byte, 4<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	w := &world{rig.NewBucket(t, top)}
	w.World.Remount(t)
	write(t, w.path("private", "first"), "proves the level")
	if _, stderr, code := w.Run(t, "sync", w.Dir); code != 0 {
		t.Fatal(stderr)
	}
	w.Proxy.SetDown(true)
	kept := strings.Repeat("kept ", 100_000)
	write(t, w.path("private", "kept"), kept)

	big, err := os.Create(w.path("private", "big"))
	if err != nil {
		t.Fatal(err)
	}
	for wrote := 0; err == nil && wrote < 64; wrote++ {
		_, err = big.Write(make([]byte, 1<<20))
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Errorf("writing more than there is room for: %v, want ENOSPC", err)
	}
	_ = big.Close() // whatever it says: the write has told already
	if got := read(t, w.path("private", "kept")); got != kept {
		t.Errorf("the file closed before has %d bytes, want %d", len(got), len(kept))
	}
	if free := w.status(t).SpoolFree; free > 2<<20 {
		t.Errorf("status tells of %d bytes free on a full disk", free)
	}
	if out, _, _ := w.Run(t, "status", w.Dir); !strings.Contains(out, "disk is full") {
		t.Errorf("status does not say that the disk is full:\n%s", out)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	write(t, w.path("private", "after"), kept)
	w.Proxy.SetDown(false)
	within(t, 60*time.Second, "all uploaded", func() bool { _, _, code := w.Run(t, "sync", w.Dir); return code == 0 })
	for _, name := range []string{"kept", "after"} {
		if got, _ := w.stored(t, "private/"+rig.Identity+"/"+name); got != kept {
			t.Errorf("%s has %d bytes in the bucket, want %d", name, len(got), len(kept))
		}
	}
	for i := range 4 { // 40 MiB by way of 24: uploads make room
		name := w.path("private", "more"+string(rune('0'+i)))
		within(t, 60*time.Second, "room after uploads", func() bool {
			return os.WriteFile(name, make([]byte, 10<<20), 0o644) == nil
		})
		if _, stderr, code := w.Run(t, "sync", w.Dir); code != 0 {
			t.Fatalf("sync: exit %d: %s", code, stderr)
		}
	}
	w.Unmount(t)
}

// TestFullDiskOfTheCache: what can not be kept is asked for again; nothing fails.
func TestFullDiskOfTheCache(t *testing.T) {
	top := t.TempDir()
	cache := filepath.Join(top, "cache")
	smallDisk(t, cache, "1m")
	w := &world{rig.NewBucket(t, top)}
	w.World.Remount(t)
	for _, name := range []string{"a", "b", "c"} {
		write(t, w.path("private", name), name)
		if err := os.Chmod(w.path("private", name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.Unmount(t)
	fill(t, filepath.Join(cache, "fill"))
	w.Mount = rig.MountAt(t, w.Top, w.Server.Env, w.Options...)
	out, err := shell(t, 30*time.Second, "ls -l "+w.path("private")+" && cat "+w.path("private", "a")+" "+w.path("private", "b"))
	if err != nil || !strings.Contains(out, "-rw-------") || !strings.HasSuffix(out, "ab") {
		t.Errorf("%v: %s", err, out)
	}
	write(t, w.path("private", "d"), "d")
	w.Unmount(t)
}

// daemonLog is what the daemon has written beside its spool.
func (w *world) daemonLog(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(w.Top, "mount.log"))
	if err != nil || len(files) != 1 {
		t.Fatalf("logs: %q, %v", files, err)
	}
	return read(t, files[0])
}

// TestArchivedObject: an object in an archive class is EIO at once, asked for once, and the log names
// file and cause.
func TestArchivedObject(t *testing.T) {
	w := newWorld(t, "--metadata-ttl", "1h")
	write(t, w.path("public", "cold"), "cold")
	w.remount(t)
	if _, err := os.Stat(w.path("public", "cold")); err != nil {
		t.Fatal(err)
	}
	w.Proxy.SetCode("InvalidObjectState")
	w.Proxy.SetJudge(refuse(http.MethodGet, false, http.StatusForbidden))
	w.Proxy.Take()
	if _, err := os.ReadFile(w.path("public", "cold")); !errors.Is(err, unix.EIO) {
		t.Errorf("read: %v, want EIO", err)
	}
	gets := 0
	for _, r := range w.Proxy.Take() {
		if r.Method == http.MethodGet && strings.HasSuffix(r.Path, "/cold") {
			gets++
		}
	}
	if gets != 1 {
		t.Errorf("%d GETs, want 1", gets)
	}
	log := w.daemonLog(t)
	if n := strings.Count(log, "object is archived: restore it before it can be read"); n != 1 {
		t.Errorf("the log names the cause %d times, want once:\n%s", n, log)
	}
	if e := w.status(t).Requests.LastError; !strings.Contains(e, "cold") || !strings.Contains(e, "InvalidObjectState") {
		t.Errorf("status names %q", e)
	}
	w.Unmount(t)
}

// TestClockSkew: a server whose clock differs by more than it allows. Its own Date corrects the
// signatures at the second attempt.
func TestClockSkew(t *testing.T) {
	w := newWorld(t)
	w.Proxy.SetSkew(10 * time.Minute)
	write(t, w.path("public", "x"), "in time")
	if _, stderr, code := w.Run(t, "sync", w.Dir); code != 0 {
		t.Fatalf("sync: exit %d: %s", code, stderr)
	}
	if got, _ := w.stored(t, "public/x"); got != "in time" {
		t.Errorf("stored %q", got)
	}
	refused := 0
	for _, r := range w.Proxy.Take() {
		if r.Status == http.StatusForbidden {
			refused++
		}
	}
	if refused == 0 || refused > 3 { // those under way together
		t.Errorf("%d requests were refused for their date", refused)
	}
	w.Unmount(t)
}

// TestClockSkewThatStays is named in one line at mount, and by status when it comes later.
func TestClockSkewThatStays(t *testing.T) {
	w := newWorld(t)
	write(t, w.path("public", "first"), "first")
	if _, stderr, code := w.Run(t, "sync", w.Dir); code != 0 {
		t.Fatal(stderr)
	}
	w.Proxy.SetCode("RequestTimeTooSkewed")
	w.Proxy.SetJudge(func(*http.Request) int { return http.StatusForbidden })
	other := filepath.Join(w.Top, "other")
	if err := os.Mkdir(other, 0o700); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"mount", "--state-dir", filepath.Join(w.Top, "state2"), "--cache-dir", filepath.Join(w.Top, "cache2")}, w.Options...)
	_, stderr, code := w.Run(t, append(args, other)...)
	if code != 77 || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "this machine's clock is wrong") {
		t.Errorf("mount: exit %d: %s", code, stderr)
	}
	write(t, w.path("public", "later"), "later")
	within(t, 30*time.Second, "status tells", func() bool {
		out, _, _ := w.Run(t, "status", w.Dir)
		return strings.Contains(out, "RequestTimeTooSkewed")
	})
	w.Proxy.SetJudge(nil)
	within(t, 60*time.Second, "uploaded at last", func() bool { got, _ := w.stored(t, "public/later"); return got == "later" })
	w.Unmount(t)
}
