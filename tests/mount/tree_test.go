package mount_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/tests/mount"
)

func TestRename(t *testing.T) {
	onMount(t, func(t *testing.T, _ *mount.Mount, dir string) {
		p := func(elem ...string) string { return filepath.Join(append([]string{dir}, elem...)...) }
		write(t, p("a"), []byte("a"))
		write(t, p("b"), []byte("b"))
		rename2 := func(from, to string, flags uint) error {
			return unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, flags)
		}
		wantErr(t, "noreplace", rename2(p("a"), p("b"), unix.RENAME_NOREPLACE), syscall.EEXIST)
		wantErr(t, "exchange", rename2(p("a"), p("b"), unix.RENAME_EXCHANGE), syscall.EINVAL)
		wantErr(t, "whiteout", rename2(p("a"), p("c"), unix.RENAME_WHITEOUT), syscall.EINVAL)
		must(t, rename2(p("a"), p("c"), unix.RENAME_NOREPLACE))
		wantContent(t, p("c"), []byte("a"))
		must(t, os.Rename(p("c"), p("b")))
		wantContent(t, p("b"), []byte("a"))
		must(t, os.Rename(p("b"), p("b"))) // onto itself: nothing
		wantContent(t, p("b"), []byte("a"))

		must(t, os.MkdirAll(p("d", "sub", "deep"), 0o755))
		write(t, p("d", "sub", "deep", "f"), []byte("deep"))
		write(t, p("d", "top"), []byte("top"))
		must(t, os.Mkdir(p("e"), 0o755))
		must(t, unix.Rename(p("d"), p("e"))) // over an empty directory; os.Rename refuses that itself
		wantContent(t, p("e", "sub", "deep", "f"), []byte("deep"))
		_, err := os.Stat(p("d"))
		wantErr(t, "old name", err, syscall.ENOENT)
		must(t, os.Mkdir(p("x"), 0o755))
		wantErr(t, "over a full directory", unix.Rename(p("x"), p("e")), syscall.ENOTEMPTY)
		wantErr(t, "file over directory", unix.Rename(p("b"), p("x")), syscall.EISDIR)
		wantErr(t, "directory over file", unix.Rename(p("x"), p("b")), syscall.ENOTDIR)
		wantErr(t, "into itself", unix.Rename(p("e"), p("e", "sub", "y")), syscall.EINVAL)
		wantErr(t, "absent", unix.Rename(p("no"), p("y")), syscall.ENOENT)
	})
}

// TestRenamedDirectoryInUse: descriptors and working directories below a
// renamed directory go on.
func TestRenamedDirectoryInUse(t *testing.T) {
	onMount(t, func(t *testing.T, _ *mount.Mount, dir string) {
		must(t, os.MkdirAll(filepath.Join(dir, "old", "sub"), 0o755))
		f, err := os.Create(filepath.Join(dir, "old", "sub", "f"))
		must(t, err)
		defer f.Close()
		_, err = f.WriteString("before ")
		must(t, err)
		fd, err := unix.Open(filepath.Join(dir, "old", "sub"), unix.O_DIRECTORY, 0)
		must(t, err)
		defer unix.Close(fd)
		must(t, os.Rename(filepath.Join(dir, "old"), filepath.Join(dir, "new")))
		_, err = f.WriteString("after")
		must(t, err)
		must(t, f.Close())
		wantContent(t, filepath.Join(dir, "new", "sub", "f"), []byte("before after"))
		at, err := unix.Openat(fd, "made", unix.O_CREAT|unix.O_WRONLY, 0o644)
		must(t, err)
		must(t, unix.Close(at))
		if diff := cmp.Diff([]string{"f", "made"}, names(t, filepath.Join(dir, "new", "sub"))); diff != "" {
			t.Errorf("entries (-want +got):\n%s", diff)
		}
	})
}

func TestDirectories(t *testing.T) {
	onMount(t, func(t *testing.T, _ *mount.Mount, dir string) {
		sub := filepath.Join(dir, "d")
		must(t, os.Mkdir(sub, 0o755))
		wantErr(t, "mkdir twice", os.Mkdir(sub, 0o755), syscall.EEXIST)
		write(t, filepath.Join(sub, "f"), nil)
		wantErr(t, "rmdir of a full one", unix.Rmdir(sub), syscall.ENOTEMPTY)
		wantErr(t, "unlink of a directory", unix.Unlink(sub), syscall.EISDIR)
		wantErr(t, "rmdir of a file", unix.Rmdir(filepath.Join(sub, "f")), syscall.ENOTDIR)
		fd, err := unix.Open(sub, unix.O_DIRECTORY, 0)
		must(t, err)
		must(t, unix.Fsync(fd))
		must(t, unix.Close(fd))
		must(t, os.Remove(filepath.Join(sub, "f")))
		must(t, unix.Rmdir(sub))
		_, err = os.Stat(sub)
		wantErr(t, "after rmdir", err, syscall.ENOENT)

		const many = 600 // several pages of READDIRPLUS
		var want []string
		for i := range many {
			name := fmt.Sprintf("entry %04d with a longer name", i)
			write(t, filepath.Join(dir, name), []byte(name))
			want = append(want, name)
		}
		if diff := cmp.Diff(want, names(t, dir)); diff != "" {
			t.Errorf("entries (-want +got):\n%s", diff)
		}
		d, err := os.Open(dir)
		must(t, err)
		defer d.Close()
		for _, turn := range []string{"first", "after rewind"} {
			infos, err := d.Readdir(-1)
			must(t, err)
			for _, info := range infos {
				if info.Size() != int64(len(info.Name())) {
					t.Errorf("%s: size of %q is %d", turn, info.Name(), info.Size())
				}
			}
			if len(infos) != many {
				t.Errorf("%s: %d entries", turn, len(infos))
			}
			_, err = d.Seek(0, 0)
			must(t, err)
		}
		must(t, os.RemoveAll(dir))
	})
}

// TestNames: what is typed comes back, byte for byte.
func TestNames(t *testing.T) {
	list := []string{
		"with space", " leading", "trailing ", "new\nline", "tab\tbed", "-rf", "--", "%2F", "%20", "a+b", "a&b?c#d",
		"quote\"'`", "back\\slash", "*glob?", "~", "...", ".hidden", "caf\u00e9", "cafe\u0301", "日本語", "🙂",
		"\u201b\u201b", "\u201b\u201b2F", strings.Repeat("n", 255), strings.Repeat("ü", 127),
		"ctrl\x01\x02\x1f", "del\x7f", "invalid\xff\xfe utf8", "lone\x80",
	}
	onMount(t, func(t *testing.T, m *mount.Mount, dir string) {
		for i, name := range list {
			write(t, filepath.Join(dir, name), fmt.Append(nil, i))
		}
		got, want := names(t, dir), slices.Sorted(slices.Values(list))
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("entries (-want +got):\n%s", diff)
		}
		for i, name := range list {
			wantContent(t, filepath.Join(dir, name), fmt.Append(nil, i))
		}
		for _, name := range list {
			must(t, os.Rename(filepath.Join(dir, name), filepath.Join(dir, "moved")))
			must(t, os.Rename(filepath.Join(dir, "moved"), filepath.Join(dir, name)))
		}
		for _, name := range list {
			must(t, os.Remove(filepath.Join(dir, name)))
		}
		if left := names(t, dir); len(left) > 0 {
			t.Errorf("left over: %q", left)
		}
		// The introducer of escapes, alone: it stands for no key.
		err := os.WriteFile(filepath.Join(dir, "\u201b"), nil, 0o644)
		if !errors.Is(err, syscall.ENOENT) && !errors.Is(err, syscall.EINVAL) {
			t.Errorf("half an escape: %v", err)
		}
		long := filepath.Join(dir, strings.Repeat("n", 256))
		_, err = os.Stat(long)
		wantErr(t, "stat of 256 bytes", err, syscall.ENAMETOOLONG)
		wantErr(t, "create of 256 bytes", os.WriteFile(long, nil, 0o644), syscall.ENAMETOOLONG)
		wantErr(t, "mkdir of 256 bytes", os.Mkdir(long, 0o755), syscall.ENAMETOOLONG)
		must(t, os.WriteFile(filepath.Join(dir, "f"), nil, 0o644))
		wantErr(t, "rename to 256 bytes", os.Rename(filepath.Join(dir, "f"), long), syscall.ENAMETOOLONG)
	})
}
