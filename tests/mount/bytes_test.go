package mount_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/tests/mount"
)

func TestSharedMap(t *testing.T) {
	onMount(t, func(t *testing.T, _ *mount.Mount, dir string) {
		const size = 3<<12 + 100
		path := filepath.Join(dir, "f")
		want := pattern(size, 3)
		write(t, path, want)
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		must(t, err)
		defer f.Close()
		mem, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		must(t, err)
		if !bytes.Equal(mem, want) {
			t.Error("the map differs from the file")
		}
		copy(mem[4090:], "across a page")
		copy(want[4090:], "across a page")
		got := make([]byte, 13)
		if _, err := f.ReadAt(got, 4090); err != nil || string(got) != "across a page" {
			t.Errorf("read(2) does not see the map: %q, %v", got, err)
		}
		must(t, unix.Msync(mem, unix.MS_SYNC))
		wantContent(t, path, want)

		_, err = f.WriteAt([]byte("by write"), 8000)
		must(t, err)
		copy(want[8000:], "by write")
		if !bytes.Equal(mem, want) {
			t.Error("the map does not see a write(2)")
		}
		copy(mem[12000:], "late") // no msync: the last munmap and close bring it home
		copy(want[12000:], "late")
		must(t, unix.Munmap(mem))
		must(t, f.Close())
		wantContent(t, path, want)
	})
}

// TestMapAfterClose: pages dirtied after the last close(2) still arrive.
func TestMapAfterClose(t *testing.T) {
	onMount(t, func(t *testing.T, _ *mount.Mount, dir string) {
		path := filepath.Join(dir, "f")
		write(t, path, bytes.Repeat([]byte("."), 8192))
		fd, err := unix.Open(path, unix.O_RDWR, 0)
		must(t, err)
		mem, err := unix.Mmap(fd, 0, 8192, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		must(t, err)
		must(t, unix.Close(fd))
		copy(mem, "mapped")
		must(t, unix.Munmap(mem))
		want := append([]byte("mapped"), bytes.Repeat([]byte("."), 8192-6)...)
		wantContent(t, path, want)
	})
}

func TestDirectIO(t *testing.T) {
	onMount(t, func(t *testing.T, _ *mount.Mount, dir string) {
		path := filepath.Join(dir, "f")
		want := pattern(64<<10, 5)
		fd, err := unix.Open(path, unix.O_CREAT|unix.O_RDWR|unix.O_DIRECT, 0o644)
		must(t, err)
		buf := aligned(64 << 10)
		copy(buf, want)
		n, err := unix.Pwrite(fd, buf, 0)
		must(t, err)
		if n != len(buf) {
			t.Fatalf("short direct write: %d", n)
		}
		clear(buf)
		n, err = unix.Pread(fd, buf, 0)
		must(t, err)
		if n != len(want) || !bytes.Equal(buf, want) {
			t.Errorf("direct read of %d bytes differs", n)
		}
		wantContent(t, path, want) // buffered reads see it
		_, err = unix.Pwrite(fd, bytes.Repeat([]byte{'d'}, 4096), 4096)
		must(t, err)
		copy(want[4096:], bytes.Repeat([]byte{'d'}, 4096))
		wantContent(t, path, want) // and a second time, after pages were cached
		must(t, unix.Close(fd))
	})
}

// aligned is a buffer on a page boundary.
func aligned(n int) []byte {
	buf := make([]byte, n+4096)
	skip := 4096 - int(uintptr(unsafe.Pointer(&buf[0]))&4095)
	return buf[skip:][:n]
}

func TestHoles(t *testing.T) {
	onMount(t, func(t *testing.T, _ *mount.Mount, dir string) {
		path := filepath.Join(dir, "f")
		f, err := os.Create(path)
		must(t, err)
		defer f.Close()
		data := pattern(4096, 7)
		_, err = f.WriteAt(data, 1<<20)
		must(t, err)
		must(t, f.Truncate(2<<20))
		want := make([]byte, 2<<20)
		copy(want[1<<20:], data)
		wantContent(t, path, want)

		// Holes may be told or not, but never in the place of data.
		off, err := unix.Seek(int(f.Fd()), 0, unix.SEEK_DATA)
		must(t, err)
		if off > 1<<20 {
			t.Errorf("SEEK_DATA skips data: %d", off)
		}
		off, err = unix.Seek(int(f.Fd()), 1<<20, unix.SEEK_HOLE)
		must(t, err)
		if off < 1<<20+4096 || off > 2<<20 {
			t.Errorf("SEEK_HOLE: %d", off)
		}
		_, err = unix.Seek(int(f.Fd()), 2<<20, unix.SEEK_DATA)
		wantErr(t, "SEEK_DATA at the end", err, syscall.ENXIO)
		must(t, f.Close())
		wantContent(t, path, want)
	})
}

func TestTruncate(t *testing.T) {
	onMount(t, func(t *testing.T, _ *mount.Mount, dir string) {
		path := filepath.Join(dir, "f")
		want := pattern(200<<10, 2)
		write(t, path, want)
		for _, size := range []int{150 << 10, 4097, 4096, 10, 0, 5, 100 << 10} {
			must(t, os.Truncate(path, int64(size)))
			if size <= len(want) {
				want = want[:size]
			} else {
				want = append(slices.Clip(want), make([]byte, size-len(want))...)
			}
			st, err := os.Stat(path)
			must(t, err)
			if st.Size() != int64(size) {
				t.Errorf("size %d after truncate to %d", st.Size(), size)
			}
			wantContent(t, path, want)
		}
		wantErr(t, "truncate below zero", unix.Truncate(path, -1), syscall.EINVAL)
		wantErr(t, "truncate a directory", os.Truncate(dir, 0), syscall.EISDIR)
	})
}

func TestFallocate(t *testing.T) {
	onMount(t, func(t *testing.T, _ *mount.Mount, dir string) {
		path := filepath.Join(dir, "f")
		want := pattern(20000, 9)
		write(t, path, want)
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		must(t, err)
		defer f.Close()
		fd := int(f.Fd())
		must(t, unix.Fallocate(fd, 0, 0, 30000))
		want = append(want, make([]byte, 10000)...)
		wantContent(t, path, want)
		must(t, unix.Fallocate(fd, unix.FALLOC_FL_KEEP_SIZE, 0, 60000))
		wantContent(t, path, want)
		must(t, unix.Fallocate(fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 5000, 6000))
		clear(want[5000:11000])
		wantContent(t, path, want)
		must(t, unix.Fallocate(fd, unix.FALLOC_FL_ZERO_RANGE, 29000, 3000))
		clear(want[29000:])
		want = append(want, make([]byte, 2000)...)
		wantContent(t, path, want)
		wantErr(t, "collapse", unix.Fallocate(fd, unix.FALLOC_FL_COLLAPSE_RANGE, 0, 4096), syscall.EOPNOTSUPP)
	})
}

// TestInTheMiddle: a write inside a stored file of some size changes nothing else.
func TestInTheMiddle(t *testing.T) {
	onMount(t, func(t *testing.T, m *mount.Mount, dir string) {
		path := filepath.Join(dir, "f")
		want := pattern(5<<20+321, 4)
		write(t, path, want)
		copy(want[3<<20:], "in the middle")
		cmd := m.Command(t.Context(), "private/suite", "sh", "-c",
			`printf 'in the middle' | dd of=f bs=1 seek=3145728 conv=notrunc status=none`)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		wantContent(t, path, want)
	})
}

// TestSparseCopy: cp of a sparse file, with and without --sparse, and by
// copy_file_range(2).
func TestSparseCopy(t *testing.T) {
	onMount(t, func(t *testing.T, m *mount.Mount, dir string) {
		want := make([]byte, 3<<20)
		copy(want[1<<20:], pattern(70000, 8))
		write(t, filepath.Join(dir, "src"), want)
		for _, mode := range []string{"auto", "always", "never"} {
			if out, err := m.Command(t.Context(), "private/suite", "cp", "--sparse="+mode, "src", mode).CombinedOutput(); err != nil {
				t.Fatalf("cp --sparse=%s: %v: %s", mode, err, out)
			}
			wantContent(t, filepath.Join(dir, mode), want)
		}
		in, err := os.Open(filepath.Join(dir, "src"))
		must(t, err)
		defer in.Close()
		out, err := os.Create(filepath.Join(dir, "range"))
		must(t, err)
		defer out.Close()
		for copied := 0; copied < len(want); {
			n, err := unix.CopyFileRange(int(in.Fd()), nil, int(out.Fd()), nil, len(want)-copied, 0)
			must(t, err)
			if n == 0 {
				t.Fatalf("copy_file_range ended at %d", copied)
			}
			copied += n
		}
		must(t, out.Close())
		wantContent(t, filepath.Join(dir, "range"), want)
	})
}

// TestMapBesideDirectIO: a shared map, O_DIRECT and ordinary descriptors of one file show each other's writes.
func TestMapBesideDirectIO(t *testing.T) {
	onMount(t, func(t *testing.T, _ *mount.Mount, dir string) {
		const size = 64 << 10
		path := filepath.Join(dir, "f")
		want := pattern(size, 9)
		write(t, path, want)
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		must(t, err)
		defer f.Close()
		mem, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		must(t, err)
		direct, err := unix.Open(path, unix.O_RDWR|unix.O_DIRECT, 0)
		must(t, err)
		buf := aligned(4096)
		for round := range 8 {
			at := round * 8192
			copy(mem[at:], "by the map") // dirty pages are written before a direct read of them
			copy(want[at:], "by the map")
			_, err = unix.Pread(direct, buf, int64(at))
			must(t, err)
			if !bytes.Equal(buf, want[at:at+4096]) {
				t.Errorf("round %d: the direct read gives %q", round, buf[:12])
			}
			copy(buf, "by direct I/O")
			copy(want[at:], buf)
			_, err = unix.Pwrite(direct, buf, int64(at)) // and pages of the map are dropped by a direct write
			must(t, err)
			if !bytes.Equal(mem[at:at+4096], want[at:at+4096]) {
				t.Errorf("round %d: the map shows %q", round, mem[at:at+14])
			}
			plain := make([]byte, 4096)
			_, err = f.ReadAt(plain, int64(at))
			must(t, err)
			if !bytes.Equal(plain, want[at:at+4096]) {
				t.Errorf("round %d: the ordinary read gives %q", round, plain[:14])
			}
			copy(mem[at+100:], "again") // the page is there anew, and may be written
			copy(want[at+100:], "again")
		}
		must(t, unix.Msync(mem, unix.MS_SYNC))
		must(t, unix.Munmap(mem))
		must(t, unix.Close(direct))
		must(t, f.Close())
		wantContent(t, path, want)
	})
}
