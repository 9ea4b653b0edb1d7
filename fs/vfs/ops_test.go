package vfs_test

import (
	"bytes"
	"slices"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/s3levelfs/s3levelfs/fs/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// opCase is one case of the operation suite. dir is an empty directory of the mount; the
// case may leave behind in it what it wants.
type opCase struct {
	name string
	run  func(t *testing.T, e *env, dir string)
}

// TestOperations runs the suite in each level where everything is granted, with
// what it does pending, and with everything in the bucket between two steps.
func TestOperations(t *testing.T) {
	for _, level := range []string{"public", "private"} {
		for _, c := range slices.Concat(fileCases(), dirCases(), attrCases()) {
			t.Run(level+"/"+c.name, func(t *testing.T) {
				e := newEnv(t, envConfig{})
				defer e.close(t)
				dir := level + "/d"
				_, err := e.fs.Mkdir(t.Context(), dir, 0o755)
				must(t, err)
				c.run(t, e, dir)
			})
		}
	}
}

func fileCases() []opCase {
	return []opCase{
		{"create and read", func(t *testing.T, e *env, dir string) {
			writeFile(t, e.fs, dir+"/f", []byte("hello"))
			wantFile(t, e, dir+"/f", "hello")
			e.drain(t)
			wantFile(t, e, dir+"/f", "hello")
			a, err := e.fs.Lookup(t.Context(), dir+"/f")
			must(t, err)
			if a.Size != 5 || a.Mode != syscall.S_IFREG|0o644 || a.Nlink != 1 || a.Blocks != 1 {
				t.Errorf("attributes %+v", a)
			}
		}},
		{"create exclusive", func(t *testing.T, e *env, dir string) {
			writeFile(t, e.fs, dir+"/f", nil)
			_, _, err := e.fs.Create(t.Context(), dir+"/f", syscall.O_CREAT|syscall.O_EXCL|syscall.O_WRONLY, 0o644)
			wantErrno(t, err, syscall.EEXIST)
			e.drain(t)
			_, _, err = e.fs.Create(t.Context(), dir+"/f", syscall.O_CREAT|syscall.O_EXCL|syscall.O_WRONLY, 0o644)
			wantErrno(t, err, syscall.EEXIST)
		}},
		{"append", func(t *testing.T, e *env, dir string) {
			writeFile(t, e.fs, dir+"/f", []byte("one "))
			e.drain(t)
			h := open(t, e, dir+"/f", syscall.O_WRONLY|syscall.O_APPEND)
			write(t, h, "two", 0)
			closeHandle(t, h)
			e.drain(t)
			wantFile(t, e, dir+"/f", "one two")
		}},
		{"write inside and behind the end", func(t *testing.T, e *env, dir string) {
			writeFile(t, e.fs, dir+"/f", []byte("0123456789"))
			e.drain(t)
			h := open(t, e, dir+"/f", syscall.O_RDWR)
			write(t, h, "ab", 3)
			write(t, h, "z", 12)
			want := "012ab56789\x00\x00z"
			if got := string(readHandle(t, h)); got != want {
				t.Errorf("before close %q, want %q", got, want)
			}
			closeHandle(t, h)
			wantFile(t, e, dir+"/f", want)
			e.drain(t)
			wantFile(t, e, dir+"/f", want)
		}},
		{"truncate by path and handle", func(t *testing.T, e *env, dir string) {
			writeFile(t, e.fs, dir+"/f", []byte("0123456789"))
			e.drain(t)
			setSize(t, e, dir+"/f", 4)
			wantFile(t, e, dir+"/f", "0123")
			e.drain(t)
			h := open(t, e, dir+"/f", syscall.O_RDWR)
			size := int64(6)
			a, err := h.SetAttr(t.Context(), vfs.SetAttr{Size: &size})
			must(t, err)
			if a.Size != 6 {
				t.Errorf("size %d", a.Size)
			}
			closeHandle(t, h)
			wantFile(t, e, dir+"/f", "0123\x00\x00")
			setSize(t, e, dir+"/f", 0)
			e.drain(t)
			wantFile(t, e, dir+"/f", "")
		}},
		{"truncating open", func(t *testing.T, e *env, dir string) {
			writeFile(t, e.fs, dir+"/f", []byte("0123456789"))
			e.drain(t)
			closeHandle(t, open(t, e, dir+"/f", syscall.O_WRONLY|syscall.O_TRUNC))
			wantFile(t, e, dir+"/f", "")
			e.drain(t)
			wantFile(t, e, dir+"/f", "")
		}},
		{"fallocate", caseAllocate},
		{"seek data and hole", caseSeek},
		{"two handles see each other", caseTwoHandles},
		{"unlink while open, pending", func(t *testing.T, e *env, dir string) { caseUnlinkOpen(t, e, dir, false) }},
		{"unlink while open, stored", func(t *testing.T, e *env, dir string) { caseUnlinkOpen(t, e, dir, true) }},
		{"rename over an open file", caseRenameOverOpen},
		{"a name is free at once for a rename", func(t *testing.T, e *env, dir string) {
			writeFile(t, e.fs, dir+"/f", []byte("0123456789"))
			writeFile(t, e.fs, dir+"/g", []byte("other"))
			e.drain(t)
			h := open(t, e, dir+"/f", syscall.O_RDWR)
			write(t, h, "x", 0)
			must(t, e.fs.Unlink(t.Context(), dir+"/f"))
			must(t, e.fs.Rename(t.Context(), dir+"/g", dir+"/f", 0)) // not only after h's close
			write(t, h, "y", 11)
			wantRead(t, h, "x123456789\x00y")
			closeHandle(t, h)
			wantFile(t, e, dir+"/f", "other")
		}},
		{"handle errors", func(t *testing.T, e *env, dir string) {
			writeFile(t, e.fs, dir+"/f", []byte("x"))
			h := open(t, e, dir+"/f", syscall.O_RDONLY)
			_, err := h.WriteAt(t.Context(), []byte("y"), 0)
			wantErrno(t, err, syscall.EBADF)
			closeHandle(t, h)
			wantErrno(t, h.Release(t.Context()), syscall.EBADF)
			h = open(t, e, dir+"/f", syscall.O_WRONLY)
			_, err = h.ReadAt(t.Context(), make([]byte, 1), 0)
			wantErrno(t, err, syscall.EBADF)
			closeHandle(t, h)
			_, err = e.fs.Open(t.Context(), dir, syscall.O_RDONLY)
			wantErrno(t, err, syscall.EISDIR)
			_, err = e.fs.Open(t.Context(), dir+"/none", syscall.O_RDONLY)
			wantErrno(t, err, syscall.ENOENT)
		}},
		{"long names", func(t *testing.T, e *env, dir string) {
			writeFile(t, e.fs, dir+"/"+strings.Repeat("n", 255), []byte("x"))
			_, _, err := e.fs.Create(t.Context(), dir+"/"+strings.Repeat("n", 256), syscall.O_CREAT|syscall.O_WRONLY, 0o644)
			wantErrno(t, err, syscall.ENAMETOOLONG)
			deep := dir + strings.Repeat("/"+strings.Repeat("d", 254), 4)
			_, _, err = e.fs.Create(t.Context(), deep+"/f", syscall.O_CREAT|syscall.O_WRONLY, 0o644)
			wantErrno(t, err, syscall.ENAMETOOLONG)
		}},
		{"links and devices", func(t *testing.T, e *env, dir string) {
			writeFile(t, e.fs, dir+"/f", []byte("x"))
			wantErrno(t, e.fs.Link(t.Context(), dir+"/f", dir+"/g"), syscall.EPERM)
			_, err := e.fs.Mknod(t.Context(), dir+"/fifo", syscall.S_IFIFO|0o644)
			wantErrno(t, err, syscall.EPERM)
			_, err = e.fs.Mknod(t.Context(), dir+"/reg", syscall.S_IFREG|0o644)
			must(t, err)
			wantFile(t, e, dir+"/reg", "")
		}},
	}
}

func caseAllocate(t *testing.T, e *env, dir string) {
	writeFile(t, e.fs, dir+"/f", []byte("0123456789"))
	e.drain(t)
	h := open(t, e, dir+"/f", syscall.O_RDWR)
	defer closeHandle(t, h)
	must(t, h.Allocate(t.Context(), 0, 12, 0))
	must(t, h.Allocate(t.Context(), 0, 100, vfs.FallocKeepSize))
	must(t, h.Allocate(t.Context(), 2, 3, vfs.FallocPunchHole|vfs.FallocKeepSize))
	must(t, h.Allocate(t.Context(), 11, 3, vfs.FallocZeroRange))
	wantErrno(t, h.Allocate(t.Context(), 0, 1, vfs.FallocPunchHole), syscall.EOPNOTSUPP)
	wantErrno(t, h.Allocate(t.Context(), 0, 1, 0x20), syscall.EOPNOTSUPP)
	wantErrno(t, h.Allocate(t.Context(), 0, 0, 0), syscall.EINVAL)
	want := "01\x00\x00\x0056789\x00\x00\x00\x00"
	if got := string(readHandle(t, h)); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func caseSeek(t *testing.T, e *env, dir string) {
	h, _, err := e.fs.Create(t.Context(), dir+"/f", syscall.O_CREAT|syscall.O_RDWR, 0o644)
	must(t, err)
	defer closeHandle(t, h)
	write(t, h, strings.Repeat("x", 100_000), 1<<20)
	for _, c := range []struct {
		off    int64
		whence uint32
		want   int64
	}{
		{0, vfs.SeekData, 1 << 20},
		{0, vfs.SeekHole, 0},
		{1<<20 + 5, vfs.SeekData, 1<<20 + 5},
		{1<<20 + 5, vfs.SeekHole, 1<<20 + 100_000},
	} {
		got, err := h.Seek(t.Context(), c.off, c.whence)
		must(t, err)
		if got != c.want {
			t.Errorf("seek %d whence %d: %d, want %d", c.off, c.whence, got, c.want)
		}
	}
	_, err = h.Seek(t.Context(), 1<<20+100_000, vfs.SeekData)
	wantErrno(t, err, syscall.ENXIO)
}

func caseTwoHandles(t *testing.T, e *env, dir string) {
	writeFile(t, e.fs, dir+"/f", []byte("stored"))
	e.drain(t)
	reader := open(t, e, dir+"/f", syscall.O_RDONLY)
	defer closeHandle(t, reader)
	wantRead(t, reader, "stored")
	writer := open(t, e, dir+"/f", syscall.O_RDWR)
	write(t, writer, "S", 0)
	wantRead(t, reader, "Stored")
	closeHandle(t, writer)
	wantRead(t, reader, "Stored")
	e.drain(t)
	wantRead(t, reader, "Stored") // our own upload does not change the version
	if reader.Gen() != mustLookup(t, e, dir+"/f").Gen {
		t.Error("our own upload made a new generation")
	}
	writer = open(t, e, dir+"/f", syscall.O_WRONLY|syscall.O_TRUNC)
	write(t, writer, "new", 0)
	wantRead(t, reader, "new")
	closeHandle(t, writer)
	e.drain(t)
	wantRead(t, reader, "new")
}

func caseUnlinkOpen(t *testing.T, e *env, dir string, stored bool) {
	data := bytes.Repeat([]byte("some bytes "), 300_000)
	writeFile(t, e.fs, dir+"/f", data)
	if stored {
		e.drain(t)
	}
	reader, writer := open(t, e, dir+"/f", syscall.O_RDONLY), open(t, e, dir+"/f", syscall.O_RDWR)
	must(t, e.fs.Unlink(t.Context(), dir+"/f"))
	_, err := e.fs.Lookup(t.Context(), dir+"/f")
	wantErrno(t, err, syscall.ENOENT)
	if names := listNames(t, e, dir); len(names) > 0 {
		t.Errorf("still listed: %v", names)
	}
	write(t, writer, "SOME", 0)
	copy(data, "SOME")
	wantRead(t, reader, string(data))
	wantRead(t, writer, string(data))
	a, err := e.fs.Stat(t.Context(), vfs.Ref{Path: dir + "/f", Ino: reader.Ino()})
	must(t, err)
	if a.Nlink != 0 || a.Size != int64(len(data)) {
		t.Errorf("fstat of an unlinked file: %+v", a)
	}
	writeFile(t, e.fs, dir+"/f", []byte("another file"))
	wantRead(t, reader, string(data))
	if a := mustLookup(t, e, dir+"/f"); a.Ino == reader.Ino() {
		t.Error("the new file has the number of the one that is still open")
	}
	closeHandle(t, reader)
	closeHandle(t, writer)
	e.drain(t)
	wantFile(t, e, dir+"/f", "another file")
}

func caseRenameOverOpen(t *testing.T, e *env, dir string) {
	for _, stored := range []bool{true, false} {
		writeFile(t, e.fs, dir+"/old", []byte("old bytes"))
		if stored {
			e.drain(t)
		}
		h := open(t, e, dir+"/old", syscall.O_RDONLY)
		writeFile(t, e.fs, dir+"/new", []byte("new bytes"))
		ino := mustLookup(t, e, dir+"/new").Ino
		must(t, e.fs.Rename(t.Context(), dir+"/new", dir+"/old", 0))
		wantRead(t, h, "old bytes")
		wantFile(t, e, dir+"/old", "new bytes")
		if got := mustLookup(t, e, dir+"/old").Ino; got != ino {
			t.Errorf("a renamed file changed its number from %d to %d", ino, got)
		}
		e.drain(t)
		wantRead(t, h, "old bytes")
		wantFile(t, e, dir+"/old", "new bytes")
		closeHandle(t, h)
		_, err := e.fs.Lookup(t.Context(), dir+"/new")
		wantErrno(t, err, syscall.ENOENT)
	}
}

func open(t tb, e *env, path string, flags uint32) *vfs.Handle {
	t.Helper()
	h, err := e.fs.Open(bg(), path, flags)
	must(t, err)
	return h
}

func write(t tb, h *vfs.Handle, data string, off int64) {
	t.Helper()
	n, err := h.WriteAt(bg(), []byte(data), off)
	must(t, err)
	if n != len(data) {
		t.Fatalf("short write")
	}
}

func closeHandle(t tb, h *vfs.Handle) {
	t.Helper()
	must(t, h.Flush(bg()))
	must(t, h.Release(bg()))
}

func wantRead(t tb, h *vfs.Handle, want string) {
	t.Helper()
	if got := string(readHandle(t, h)); got != want {
		t.Fatalf("handle reads %s, want %s", short(got), short(want))
	}
}

func wantFile(t tb, e *env, path, want string) {
	t.Helper()
	if got := string(readFile(t, e.fs, path)); got != want {
		t.Fatalf("%q reads %q, want %q", path, short(got), short(want))
	}
}

func mustLookup(t tb, e *env, path string) vfs.Attr {
	t.Helper()
	a, err := e.fs.Lookup(bg(), path)
	must(t, err)
	return a
}

func setSize(t tb, e *env, path string, size int64) {
	t.Helper()
	a, err := e.fs.SetAttr(bg(), vfs.Ref{Path: path}, vfs.SetAttr{Size: &size})
	must(t, err)
	if a.Size != size {
		t.Fatalf("size %d, want %d", a.Size, size)
	}
}

func listNames(t tb, e *env, dir string) []string {
	t.Helper()
	entries, err := e.fs.ReadDir(bg(), dir)
	must(t, err)
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		names = append(names, entry.Name)
	}
	return names
}
