package transfer

import (
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"sync"
	"syscall"

	"github.com/s3levelfs/s3levelfs/store"
)

// source is a file that is being sent. It notes why it could not be read: to who sends it that is one more failed request.
type source struct {
	name string
	file *os.File
	id   fileID

	mu  sync.Mutex
	err error
}

// fileID tells the versions of a file apart.
type fileID struct {
	Size   int64  `json:"size"` // bytes
	Mtime  int64  `json:"mtime_ns"`
	Inode  uint64 `json:"inode"`
	Device uint64 `json:"device"`
}

// openSource opens a regular file; of a named pipe it waits for no writer.
func openSource(name string) (*source, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	s := &source{name: name, file: f}
	if s.id, err = idOf(f); err != nil {
		_ = f.Close()
		return nil, err
	}
	return s, nil
}

func idOf(f *os.File) (fileID, error) {
	info, err := f.Stat()
	if err != nil {
		return fileID{}, err
	}
	if info.IsDir() {
		return fileID{}, fmt.Errorf("%s: is a directory: give -r to put all that is below it", f.Name())
	}
	if !info.Mode().IsRegular() {
		return fileID{}, fmt.Errorf("%s: is no regular file but %s: give it as standard input (-)", f.Name(), info.Mode().Type())
	}
	id := fileID{Size: info.Size(), Mtime: info.ModTime().UnixNano()}
	if at, ok := info.Sys().(*syscall.Stat_t); ok {
		id.Inode, id.Device = at.Ino, uint64(at.Dev) //nolint:unconvert // is an int32 on some systems
	}
	return id, nil
}

// ReadAt implements io.ReaderAt.
func (s *source) ReadAt(p []byte, off int64) (int, error) {
	n, err := s.file.ReadAt(p, off)
	if err != nil && err != io.EOF {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.err == nil {
			s.err = err
		}
	}
	return n, err
}

// part is one part's bytes, as a body.
func (s *source) part(r store.Range) *io.SectionReader {
	return io.NewSectionReader(s, r.Off, r.Len)
}

// sum is the CRC-32 of a part. A file that has become shorter has none.
func (s *source) sum(r store.Range) (uint32, error) {
	h := crc32.NewIEEE()
	n, err := io.Copy(h, s.part(r))
	if err == nil && n < r.Len {
		err = s.changed()
	}
	if err == nil && n < r.Len {
		err = fmt.Errorf("%s: %w: it ends too early", s.name, io.ErrUnexpectedEOF)
	}
	return h.Sum32(), err
}

// changed says that the file is not any more what it was when it was opened. What replaces it under its name is another file:
// the one that is open stays whole.
func (s *source) changed() error {
	now, err := idOf(s.file)
	if err != nil {
		return err
	}
	if now != s.id {
		return fmt.Errorf("%s: %w, while it was sent: nothing was stored, put it again when it is at rest", s.name, ErrChanged)
	}
	return nil
}

// blame gives the source's own failure in the place of that of the request which carried it.
func (s *source) blame(err error) error {
	if err == nil {
		return nil
	}
	s.mu.Lock()
	own := s.err
	s.mu.Unlock()
	if own != nil {
		return own
	}
	if changed := s.changed(); changed != nil {
		return changed
	}
	return err
}

func (s *source) close() { _ = s.file.Close() }
