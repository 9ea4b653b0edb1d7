package mount_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/tests/mount"
)

func TestAttributes(t *testing.T) {
	onMount(t, func(t *testing.T, _ *mount.Mount, dir string) {
		file, sub := filepath.Join(dir, "f"), filepath.Join(dir, "d")
		write(t, file, []byte("x"))
		must(t, os.Mkdir(sub, 0o711))
		must(t, os.Chmod(file, 0o751))
		must(t, os.Chown(file, 1234, 2345))
		when := time.Date(2001, 2, 3, 4, 5, 6, 789000000, time.UTC)
		must(t, os.Chtimes(file, when.Add(time.Hour), when))
		must(t, os.Chmod(sub, 0o700))
		must(t, os.Chtimes(sub, when, when))

		st, err := os.Stat(file)
		must(t, err)
		sys := st.Sys().(*syscall.Stat_t)
		if st.Mode() != 0o751 || sys.Uid != 1234 || sys.Gid != 2345 || !st.ModTime().Equal(when) || sys.Nlink != 1 {
			t.Errorf("file: mode %v owner %d:%d mtime %v nlink %d", st.Mode(), sys.Uid, sys.Gid, st.ModTime(), sys.Nlink)
		}
		if st, err = os.Stat(sub); err != nil || st.Mode() != os.ModeDir|0o700 || !st.ModTime().Equal(when) {
			t.Errorf("directory: %v mtime %v (%v)", st.Mode(), st.ModTime(), err)
		}
		before := time.Now().Add(-time.Minute)
		write(t, file, []byte("xy"))
		if st, err = os.Stat(file); err != nil || st.ModTime().Before(before) || st.Mode() != 0o751 {
			t.Errorf("after a write: mtime %v mode %v (%v)", st.ModTime(), st.Mode(), err)
		}
		must(t, unix.UtimesNanoAt(unix.AT_FDCWD, file, []unix.Timespec{
			{Nsec: unix.UTIME_OMIT}, unix.NsecToTimespec(when.UnixNano()),
		}, 0))
		if st, err = os.Stat(file); err != nil || !st.ModTime().Equal(when) {
			t.Errorf("UTIME_OMIT: mtime %v (%v)", st.ModTime(), err)
		}
	})
}

func TestSymlinks(t *testing.T) {
	onMount(t, func(t *testing.T, _ *mount.Mount, dir string) {
		for name, target := range map[string]string{
			"relative": "some/where", "absolute": "/etc/hostname", "dangling": "no such file", "unicode": "ü/日本",
			"long": strings.Repeat("x/", 500) + "end",
		} {
			path := filepath.Join(dir, name)
			must(t, os.Symlink(target, path))
			got, err := os.Readlink(path)
			must(t, err)
			if got != target {
				t.Errorf("%s: %q, want %q", name, got, target)
			}
			st, err := os.Lstat(path)
			must(t, err)
			if st.Mode().Type() != os.ModeSymlink || st.Size() != int64(len(target)) {
				t.Errorf("%s: lstat %v size %d", name, st.Mode(), st.Size())
			}
		}
		wantErr(t, "symlink over a name", os.Symlink("x", filepath.Join(dir, "relative")), syscall.EEXIST)
		_, err := os.Readlink(dir)
		wantErr(t, "readlink of a directory", err, syscall.EINVAL)

		write(t, filepath.Join(dir, "file"), []byte("through the link"))
		must(t, os.Symlink("file", filepath.Join(dir, "link")))
		wantContent(t, filepath.Join(dir, "link"), []byte("through the link"))
		must(t, os.Remove(filepath.Join(dir, "link")))
		wantContent(t, filepath.Join(dir, "file"), []byte("through the link"))
	})
}

func TestXattrs(t *testing.T) {
	onMount(t, func(t *testing.T, _ *mount.Mount, dir string) {
		path := filepath.Join(dir, "f")
		write(t, path, []byte("x"))
		must(t, unix.Setxattr(path, "user.a", []byte("value"), 0))
		must(t, unix.Setxattr(path, "user.binary", []byte{0, 1, 2, 0xff}, unix.XATTR_CREATE))
		must(t, unix.Setxattr(path, "user.empty", nil, 0))

		size, err := unix.Getxattr(path, "user.a", nil)
		if err != nil || size != 5 {
			t.Errorf("size question: %d, %v", size, err)
		}
		_, err = unix.Getxattr(path, "user.a", make([]byte, 4))
		wantErr(t, "too small a buffer", err, syscall.ERANGE)
		buf := make([]byte, 5)
		if n, err := unix.Getxattr(path, "user.a", buf); err != nil || string(buf[:n]) != "value" {
			t.Errorf("exact buffer: %q, %v", buf[:n], err)
		}
		buf = make([]byte, 100)
		if n, err := unix.Getxattr(path, "user.binary", buf); err != nil || !bytes.Equal(buf[:n], []byte{0, 1, 2, 0xff}) {
			t.Errorf("binary: %x, %v", buf[:n], err)
		}
		wantErr(t, "create an existing one", unix.Setxattr(path, "user.a", []byte("v"), unix.XATTR_CREATE), syscall.EEXIST)
		wantErr(t, "replace an absent one", unix.Setxattr(path, "user.no", []byte("v"), unix.XATTR_REPLACE), syscall.ENODATA)
		_, err = unix.Getxattr(path, "user.no", buf)
		wantErr(t, "absent", err, syscall.ENODATA)
		wantErr(t, "remove an absent one", unix.Removexattr(path, "user.no"), syscall.ENODATA)

		if diff := cmp.Diff([]string{"user.a", "user.binary", "user.empty"}, userXattrs(t, path)); diff != "" {
			t.Errorf("list (-want +got):\n%s", diff)
		}
		_, err = unix.Listxattr(path, make([]byte, 3))
		wantErr(t, "too small a list buffer", err, syscall.ERANGE)
		must(t, unix.Removexattr(path, "user.a"))
		if diff := cmp.Diff([]string{"user.binary", "user.empty"}, userXattrs(t, path)); diff != "" {
			t.Errorf("list after remove (-want +got):\n%s", diff)
		}
	})
}

// userXattrs lists the user.* attributes but those that the file system shows
// about itself.
func userXattrs(t *testing.T, path string) []string {
	t.Helper()
	buf := make([]byte, 4096)
	n, err := unix.Listxattr(path, buf)
	must(t, err)
	var list []string
	for name := range strings.SplitSeq(strings.TrimSuffix(string(buf[:n]), "\x00"), "\x00") {
		if strings.HasPrefix(name, "user.") && !strings.HasPrefix(name, "user.s3") {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

func TestRefusals(t *testing.T) {
	onMount(t, func(t *testing.T, _ *mount.Mount, dir string) {
		file := filepath.Join(dir, "f")
		write(t, file, []byte("x"))
		wantErr(t, "link", os.Link(file, file+"2"), syscall.EPERM)
		wantErr(t, "fifo", unix.Mkfifo(filepath.Join(dir, "p"), 0o644), syscall.EPERM)
		wantErr(t, "device", unix.Mknod(filepath.Join(dir, "n"), unix.S_IFCHR|0o644, int(unix.Mkdev(1, 3))), syscall.EPERM)
		must(t, unix.Mknod(filepath.Join(dir, "regular"), unix.S_IFREG|0o600, 0))
		wantContent(t, filepath.Join(dir, "regular"), nil)
		if diff := cmp.Diff([]string{"f", "regular"}, names(t, dir)); diff != "" {
			t.Errorf("entries (-want +got):\n%s", diff)
		}
		var st unix.Statfs_t
		must(t, unix.Statfs(dir, &st))
		if st.Blocks == 0 || st.Bavail == 0 || st.Namelen != 255 {
			t.Errorf("statfs: %+v", st)
		}
	})
}
