package mount_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/tests/mount"
)

func TestOpenFlags(t *testing.T) {
	onMount(t, func(t *testing.T, _ *mount.Mount, dir string) {
		file, link, sub := filepath.Join(dir, "f"), filepath.Join(dir, "l"), filepath.Join(dir, "d")
		write(t, file, []byte("content"))
		must(t, os.Symlink("f", link))
		must(t, os.Mkdir(sub, 0o755))
		for _, tc := range []struct {
			name  string
			path  string
			flags int
			want  error
		}{
			{"exclusive on existing", file, unix.O_CREAT | unix.O_EXCL | unix.O_WRONLY, syscall.EEXIST},
			{"exclusive on symlink", link, unix.O_CREAT | unix.O_EXCL | unix.O_WRONLY, syscall.EEXIST},
			{"absent", file + "x", unix.O_RDONLY, syscall.ENOENT},
			{"absent directory", filepath.Join(dir, "no", "f"), unix.O_CREAT | unix.O_WRONLY, syscall.ENOENT},
			{"file as directory", filepath.Join(file, "x"), unix.O_RDONLY, syscall.ENOTDIR},
			{"O_DIRECTORY on a file", file, unix.O_DIRECTORY, syscall.ENOTDIR},
			{"O_NOFOLLOW on a symlink", link, unix.O_NOFOLLOW, syscall.ELOOP},
			{"write a directory", sub, unix.O_WRONLY, syscall.EISDIR},
			{"O_TMPFILE", dir, unix.O_TMPFILE | unix.O_RDWR, syscall.EOPNOTSUPP},
		} {
			fd, err := unix.Open(tc.path, tc.flags, 0o644)
			wantErr(t, tc.name, err, tc.want)
			if err == nil {
				must(t, unix.Close(fd))
			}
		}
		wantContent(t, link, []byte("content")) // nothing of the above changed it

		for name, flags := range map[string]int{"excl": unix.O_EXCL, "trunc": unix.O_TRUNC, "append": unix.O_APPEND, "sync": unix.O_SYNC} {
			path := filepath.Join(dir, name)
			fd, err := unix.Open(path, unix.O_CREAT|unix.O_RDWR|flags, 0o640)
			must(t, err)
			_, err = unix.Write(fd, []byte(name))
			must(t, err)
			must(t, unix.Close(fd))
			wantContent(t, path, []byte(name))
			st, err := os.Stat(path)
			must(t, err)
			if st.Mode() != 0o640 {
				t.Errorf("%s: mode %v", name, st.Mode())
			}
		}
	})
}

func TestAccessModeOfDescriptor(t *testing.T) {
	onMount(t, func(t *testing.T, _ *mount.Mount, dir string) {
		path := filepath.Join(dir, "f")
		write(t, path, []byte("abc"))
		r, err := os.OpenFile(path, os.O_RDONLY, 0)
		must(t, err)
		defer r.Close()
		_, err = r.Write([]byte("x"))
		wantErr(t, "write to a read-only descriptor", err, syscall.EBADF)
		w, err := os.OpenFile(path, os.O_WRONLY, 0)
		must(t, err)
		defer w.Close()
		_, err = w.Read(make([]byte, 1))
		wantErr(t, "read from a write-only descriptor", err, syscall.EBADF)
		wantErr(t, "truncate a read-only descriptor", unix.Ftruncate(int(r.Fd()), 0), syscall.EINVAL)
	})
}

func TestTruncateAtOpen(t *testing.T) {
	onMount(t, func(t *testing.T, _ *mount.Mount, dir string) {
		path := filepath.Join(dir, "f")
		write(t, path, pattern(300<<10, 1))
		write(t, path, []byte("short")) // O_TRUNC
		wantContent(t, path, []byte("short"))
		f, err := os.OpenFile(path, os.O_RDWR|os.O_TRUNC, 0)
		must(t, err)
		st, err := f.Stat()
		must(t, err)
		if st.Size() != 0 {
			t.Errorf("size %d after O_TRUNC", st.Size())
		}
		must(t, f.Close())
		wantContent(t, path, nil)
	})
}

// TestAppend: lines appended through several descriptors, and by several
// processes, are all there and whole.
func TestAppend(t *testing.T) {
	onMount(t, func(t *testing.T, m *mount.Mount, dir string) {
		path := filepath.Join(dir, "log")
		const writers, lines = 4, 50
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
				if err != nil {
					t.Error(err)
					return
				}
				defer f.Close()
				for i := range lines {
					if _, err := fmt.Fprintf(f, "thread %d line %d\n", w, i); err != nil {
						t.Error(err)
					}
				}
			})
			wg.Go(func() {
				script := fmt.Sprintf(`i=0; while [ $i -lt %d ]; do echo "shell %d line $i" >> log; i=$((i+1)); done`, lines, w)
				if out, err := m.Command(t.Context(), "private/suite", "sh", "-c", script).CombinedOutput(); err != nil {
					t.Errorf("%v: %s", err, out)
				}
			})
		}
		wg.Wait()
		got, err := os.ReadFile(path)
		must(t, err)
		seen := map[string]int{}
		for line := range strings.Lines(string(got)) {
			seen[line]++
		}
		for w := range writers {
			for i := range lines {
				for _, who := range []string{"thread", "shell"} {
					line := fmt.Sprintf("%s %d line %d\n", who, w, i)
					if seen[line] != 1 {
						t.Errorf("%q is there %d times", line, seen[line])
					}
				}
			}
		}
		if len(seen) != 2*writers*lines {
			t.Errorf("%d different lines, want %d", len(seen), 2*writers*lines)
		}
	})
}

func TestUnlinkWhileOpen(t *testing.T) {
	onMount(t, func(t *testing.T, _ *mount.Mount, dir string) {
		path := filepath.Join(dir, "f")
		write(t, path, []byte("old content"))
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		must(t, err)
		defer f.Close()
		must(t, os.Remove(path))
		_, err = os.Stat(path)
		wantErr(t, "stat after unlink", err, syscall.ENOENT)

		wantAt(t, f, 0, []byte("old content"))
		_, err = f.WriteAt([]byte("new"), 4)
		must(t, err)
		wantAt(t, f, 0, []byte("old newtent"))
		must(t, f.Truncate(7))
		must(t, f.Chmod(0o600))
		st, err := f.Stat()
		must(t, err)
		if sys := st.Sys().(*syscall.Stat_t); st.Size() != 7 || st.Mode() != 0o600 || sys.Nlink != 0 {
			t.Errorf("fstat: size %d mode %v nlink %d", st.Size(), st.Mode(), sys.Nlink)
		}
		must(t, f.Sync())

		write(t, path, []byte("another")) // the name is free again
		wantAt(t, f, 0, []byte("old new"))
		wantContent(t, path, []byte("another"))
		must(t, f.Close())
		wantContent(t, path, []byte("another"))
	})
}

func TestRenameOverOpen(t *testing.T) {
	onMount(t, func(t *testing.T, _ *mount.Mount, dir string) {
		target, source := filepath.Join(dir, "target"), filepath.Join(dir, "source")
		write(t, target, []byte("the target"))
		write(t, source, []byte("the source"))
		old, err := os.OpenFile(target, os.O_RDWR, 0)
		must(t, err)
		defer old.Close()
		mover, err := os.OpenFile(source, os.O_RDWR, 0)
		must(t, err)
		defer mover.Close()
		must(t, os.Rename(source, target))

		wantAt(t, old, 0, []byte("the target"))
		wantContent(t, target, []byte("the source"))
		_, err = mover.WriteAt([]byte("TheSource"), 0) // follows the rename
		must(t, err)
		_, err = old.WriteAt([]byte("X"), 0) // nowhere
		must(t, err)
		must(t, old.Close())
		must(t, mover.Close())
		wantContent(t, target, []byte("TheSourcee"))
		_, err = os.Stat(source)
		wantErr(t, "source", err, syscall.ENOENT)
	})
}

func TestTwoDescriptors(t *testing.T) {
	onMount(t, func(t *testing.T, _ *mount.Mount, dir string) {
		path := filepath.Join(dir, "f")
		a, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
		must(t, err)
		defer a.Close()
		b, err := os.OpenFile(path, os.O_RDWR, 0o644)
		must(t, err)
		defer b.Close()
		_, err = a.WriteAt([]byte("aaaa"), 0)
		must(t, err)
		wantAt(t, b, 0, []byte("aaaa"))
		_, err = b.WriteAt([]byte("bb"), 2)
		must(t, err)
		wantAt(t, a, 0, []byte("aabb"))
		must(t, a.Close())
		_, err = b.WriteAt([]byte("c"), 4)
		must(t, err)
		wantContent(t, path, []byte("aabbc"))
		must(t, b.Close())
		wantContent(t, path, []byte("aabbc"))
	})
}

// TestDupAndFork: one open file description lives until its last descriptor is
// closed, in whichever process.
func TestDupAndFork(t *testing.T) {
	onMount(t, func(t *testing.T, m *mount.Mount, dir string) {
		path := filepath.Join(dir, "f")
		f, err := os.Create(path)
		must(t, err)
		dup, err := unix.Dup(int(f.Fd()))
		must(t, err)
		_, err = f.WriteString("first ")
		must(t, err)
		must(t, f.Close()) // a flush, not a release
		_, err = unix.Write(dup, []byte("second "))
		must(t, err)
		must(t, unix.Close(dup))
		wantContent(t, path, []byte("first second "))

		// The shell's child goes on writing after the shell has ended.
		cmd := m.Command(t.Context(), "private/suite", "sh", "-c",
			`exec 3>g 4<&0; echo parent >&3; (read x <&4; echo child >&3) & exit 0`)
		in, err := cmd.StdinPipe()
		must(t, err)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		must(t, cmd.Start())
		_, err = cmd.Process.Wait()
		must(t, err)
		wantContent(t, filepath.Join(dir, "g"), []byte("parent\n"))
		_, err = in.Write([]byte("go\n"))
		must(t, err)
		want := []byte("parent\nchild\n")
		eventually(t, "the child's line", func() bool {
			got, err := os.ReadFile(filepath.Join(dir, "g"))
			return err == nil && bytes.Equal(got, want)
		})
	})
}

// wantAt asserts what a descriptor reads.
func wantAt(t *testing.T, f *os.File, off int64, want []byte) {
	t.Helper()
	got := make([]byte, len(want)+10)
	n, err := f.ReadAt(got, off)
	if n != len(want) || !bytes.Equal(got[:n], want) {
		t.Errorf("read at %d: %q (%v), want %q", off, got[:n], err, want)
	}
}

// TestAtomicReplace: while a file is replaced by rename, again and again, every
// reader gets one whole version, and no open fails.
func TestAtomicReplace(t *testing.T) {
	onMount(t, func(t *testing.T, _ *mount.Mount, dir string) {
		path := filepath.Join(dir, "f")
		version := func(i int) []byte { return bytes.Repeat([]byte{byte('a' + i%26)}, 5000+i*37%20000) }
		write(t, path, version(0))
		var wg sync.WaitGroup
		stop := make(chan struct{})
		for range 3 {
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					got, err := os.ReadFile(path)
					if err != nil {
						t.Error(err)
						return
					}
					whole := len(got) >= 5000 && len(bytes.Trim(got, string(got[:1]))) == 0
					if !whole {
						t.Errorf("%d bytes of no one version: %q…%q", len(got), got[:min(3, len(got))], got[max(0, len(got)-3):])
						return
					}
				}
			})
		}
		for i := range 400 {
			tmp := fmt.Sprintf("%s.tmp%d", path, i%3)
			write(t, tmp, version(i))
			must(t, os.Rename(tmp, path))
			wantContent(t, path, version(i))
		}
		close(stop)
		wg.Wait()
	})
}
