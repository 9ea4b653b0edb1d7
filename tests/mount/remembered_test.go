package mount_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/tests/mount"
)

// TestKernelRemembersABound: of more files than the mount may have the kernel remember it drops the oldest, never one that is open; names
// that are only listed are not remembered at all once there are many. Each is still found.
func TestKernelRemembersABound(t *testing.T) {
	const files, most = 4000, 1000
	o := mount.Options{Daemon: daemonName, Args: mount.StackOptions{MetadataTTL: time.Hour, Remembered: most}}
	mount.Run(t, o, func(t *testing.T, m *mount.Mount) {
		name := func(i int) string { return fmt.Sprintf("file-%04d", i) }
		for i := range files {
			m.Call(t, "Put", mount.Object{Key: "public/d/" + name(i), Data: []byte(name(i))}, &struct{}{})
		}
		remembered := func() (n int) {
			m.Call(t, "Remembered", struct{}{}, &n)
			return n
		}
		dir := m.Path("public", "d")
		names := func() {
			entries, err := os.ReadDir(dir)
			must(t, err)
			if len(entries) != files {
				t.Errorf("%d names", len(entries))
			}
		}
		names()
		if n := remembered(); n > most {
			t.Errorf("%d files are remembered after a listing of names", n)
		}
		held, err := os.Open(m.Path("public", "d", name(0)))
		must(t, err)
		defer func() { _ = held.Close() }()
		for i := range files {
			if info, err := os.Lstat(m.Path("public", "d", name(i))); err != nil || info.Size() != 9 {
				t.Fatalf("%s: %v", name(i), err)
			}
		}
		eventually(t, "no more files are remembered than may be", func() bool { return remembered() <= most })
		if link, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", held.Fd())); err != nil || link != m.Path("public", "d", name(0)) {
			t.Errorf("the open file is called %q, %v", link, err)
		}
		for _, i := range []int{0, 1, files / 2, files - 1} {
			wantContent(t, m.Path("public", "d", name(i)), []byte(name(i)))
		}
		names()
	})
}
