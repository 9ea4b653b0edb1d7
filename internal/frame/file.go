package frame

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// FileHeaderSize is the number of bytes in front of the first frame of a file.
const FileHeaderSize = 16

// ErrHeader tells that a file does not begin with the expected magic and version.
var ErrHeader = errors.New("file has an unknown header")

// Format identifies a kind of file and the version of its contents.
type Format struct {
	Magic   string // at most 8 bytes
	Version uint32
}

// Header is what a file of this format begins with.
func (f Format) Header() []byte {
	b := make([]byte, 8, FileHeaderSize)
	copy(b, f.Magic)
	b = binary.LittleEndian.AppendUint32(b, f.Version)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli()))
}

// File is an append-only file of frames. It is not safe for concurrent use: its owner locks.
type File struct {
	f    *os.File
	size int64 // bytes of whole frames and header
	err  error // a failure after which the file's end is not known

	reserved int64 // end of the room that Reserve got
}

// Create makes the file at path with the frames already encoded in frames, mode 0600, replacing one that is
// there, atomically: after a crash there is the old one or the whole new one.
func Create(path string, format Format, frames []byte) (*File, error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", path, err)
	}
	err = fill(f, append(format.Header(), frames...))
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err == nil {
		err = SyncDir(dir)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("create %s: %w", path, err), f.Close(), removeIfThere(f.Name()))
	}
	return &File{f: f, size: int64(FileHeaderSize + len(frames))}, nil
}

// Rewrite makes the file at path as Create does, with the first size bytes of r, a file of the same format, after it has
// checked each frame of them: for a disk that did not take what is still in memory.
func Rewrite(path string, format Format, r io.ReaderAt, size int64) (*File, error) {
	b := make([]byte, size)
	if _, err := r.ReadAt(b, 0); err != nil {
		return nil, err
	}
	header := format.Header()
	if !bytes.HasPrefix(b, header) {
		return nil, ErrHeader
	}
	for rest := b[len(header):]; len(rest) > 0; {
		_, _, n, err := Parse(rest)
		if err != nil {
			return nil, fmt.Errorf("at %d: %w", len(b)-len(rest), err)
		}
		rest = rest[n:]
	}
	return Create(path, format, b[len(header):])
}

func fill(f *os.File, b []byte) error {
	if _, err := f.WriteAt(b, 0); err != nil {
		return err
	}
	return f.Sync()
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// SyncDir puts the names in a directory on stable storage.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Open opens the file at path. The caller scans it and cuts the tail that it does not trust, before it appends.
// Errors: ErrHeader when the file is of another format or version, os.ErrNotExist.
func Open(path string, format Format) (*File, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	size, err := check(f, format)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), f.Close())
	}
	return &File{f: f, size: size}, nil
}

// View opens the file at path for scanning alone. Errors: those of Open.
func View(path string, format Format) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	size, err := check(f, format)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), f.Close())
	}
	return &File{f: f, size: size}, nil
}

func check(f *os.File, format Format) (size int64, err error) {
	got := make([]byte, FileHeaderSize)
	if _, err := f.ReadAt(got, 0); err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	if string(got) != string(format.Header()) {
		return 0, ErrHeader
	}
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

// Scan iterates over all frames.
func (f *File) Scan() *Scanner { return NewScanner(f.f, FileHeaderSize, f.size) }

// Size is the file's length in bytes, header included.
func (f *File) Size() int64 { return f.size }

// Append writes whole frames with one write(2). After an error the file is as
// before; if that can not be had, every later Append fails too.
func (f *File) Append(frames []byte) error {
	if f.err != nil {
		return f.err
	}
	n, err := f.f.WriteAt(frames, f.size)
	if err == nil {
		f.size += int64(n)
		return nil
	}
	if terr := f.f.Truncate(f.size); terr != nil {
		f.err = fmt.Errorf("undo a short write: %w", terr)
	}
	return err
}

// Cut shortens the file to its first size bytes.
func (f *File) Cut(size int64) error {
	if err := f.f.Truncate(size); err != nil {
		return err
	}
	f.size = size
	return nil
}

// Sync puts the file on stable storage. It may run beside Append.
func (f *File) Sync() error {
	for {
		if err := unix.Fdatasync(int(f.f.Fd())); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// Reserve asks the file system for n bytes of room behind the end, as far as it can, so that short appends go on
// when the disk is full.
func (f *File) Reserve(n int64) {
	if f.size+n/2 <= f.reserved {
		return
	}
	// Nothing depends on it: where it fails, Append tells.
	if unix.Fallocate(int(f.f.Fd()), unix.FALLOC_FL_KEEP_SIZE, f.size, n) == nil {
		f.reserved = f.size + n
	}
}

// ReadAt reads bytes of the file.
func (f *File) ReadAt(p []byte, off int64) (int, error) { return f.f.ReadAt(p, off) }

// Close closes the file, without syncing it.
func (f *File) Close() error { return f.f.Close() }
