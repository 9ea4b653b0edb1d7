package disk

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// segment is one file of the log.
type segment struct {
	seq  uint32
	path string
	file *os.File
	fd   int
	raw  *os.File // the same, by O_DIRECT; nil = it is not written so

	size    int64 // where the next record goes; the writer's
	indexed bool  // it had an index when it was opened

	// Guarded by Store.mu. The writer alone adds to recs.
	recs    []rec
	readers int
	gone    bool // removed: the last reader closes it
}

// cost is what the segment takes of the disk once it is sealed.
func (s *segment) cost() int64 { return s.size + footerLen(len(s.recs)) }

const packExt = ".pack"

func packPath(dir string, seq uint32) string {
	return filepath.Join(dir, fmt.Sprintf("%08x%s", seq, packExt))
}

// newSegment makes an empty segment.
func newSegment(dir string, seq uint32) (*segment, error) {
	path := packPath(dir, seq)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	if _, err := f.Write(appendFileHeader(nil, seq)); err != nil {
		_ = f.Close()
		_ = os.Remove(path)
		return nil, err
	}
	return &segment{seq: seq, path: path, file: f, fd: int(f.Fd()), size: fileHeader}, nil
}

// openSegment reads what there is of a segment; an error means that nothing of it can be used.
func openSegment(path string, seq uint32) (_ *segment, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	head := make([]byte, fileHeader)
	if _, err := f.ReadAt(head, 0); err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || string(head) != string(appendFileHeader(nil, seq)) {
		return nil, fmt.Errorf("%s is not a segment %d of version %d", path, seq, formatVersion)
	}
	s := &segment{seq: seq, path: path, file: f, fd: int(f.Fd())}
	if !s.readFooter(info.Size()) {
		s.scan(info.Size())
	}
	return s, nil
}

// readFooter takes the segment's index; false when there is none that is right.
func (s *segment) readFooter(size int64) bool {
	tail := make([]byte, footerTail)
	if _, err := s.file.ReadAt(tail, size-footerTail); err != nil {
		return false
	}
	n, end, ok := parseTail(tail)
	if !ok || end < fileHeader || end+footerLen(n) != size {
		return false
	}
	footer := make([]byte, footerLen(n))
	if _, err := s.file.ReadAt(footer, end); err != nil {
		return false
	}
	if s.recs, ok = parseFooter(footer, s.seq); !ok {
		return false
	}
	s.size, s.indexed = end, true
	return true
}

// scan finds the records by their headers, up to the first that is none. What it finds need not be whole: that is
// seen when it is read.
func (s *segment) scan(size int64) {
	s.size, s.recs = fileHeader, nil
	buf := make([]byte, headLen(BlockSize))
	for {
		off := s.size
		h, ok := s.headAt(buf, off)
		if !ok {
			off = placeFor(s.size, BlockSize)
			h, ok = s.headAt(buf, off)
		}
		r := rec{id: unitID(h.version, h.index, h.page), off: uint32(off), length: uint32(h.length), used: s.seq}
		if !ok || r.end() > min(size, 2*maxSegment) {
			return
		}
		s.recs = append(s.recs, r)
		s.size = r.end()
	}
}

// headAt reads the header at off, if there is one.
func (s *segment) headAt(buf []byte, off int64) (head, bool) {
	n, err := s.file.ReadAt(buf, off)
	if err != nil && err != io.EOF {
		return head{}, false
	}
	return parseHead(buf[:n])
}

// close closes the segment's files.
func (s *segment) close() {
	_ = s.file.Close()
	s.endRaw()
}

// endRaw ends writing by O_DIRECT.
func (s *segment) endRaw() {
	if s.raw != nil {
		_ = s.raw.Close()
		s.raw = nil
	}
}

// unseal takes the index away again, and what else is behind the records.
func (s *segment) unseal() error { return s.file.Truncate(s.size) }

// write puts parts behind each other at off.
func (s *segment) write(parts [][]byte, off int64) error { return s.writeBy(s.fd, parts, off) }

func (s *segment) writeBy(fd int, parts [][]byte, off int64) error {
	for len(parts) > 0 {
		n, err := unix.Pwritev(fd, parts[:min(len(parts), maxVec)], off)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return &os.PathError{Op: "write", Path: s.path, Err: err}
		}
		off += int64(n)
		parts = skip(parts, n)
	}
	return nil
}

// read fills parts with what is at off, in this order; false when that fails or the file ends early.
func (s *segment) read(parts [][]byte, off int64) bool {
	for len(parts) > 0 {
		n, err := unix.Preadv(s.fd, parts[:min(len(parts), maxVec)], off)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return false
		}
		off += int64(n)
		parts = skip(parts, n)
	}
	return true
}

// maxVec is how many buffers one system call takes. Source: readv(2), IOV_MAX.
const maxVec = 1024

// skip leaves n bytes of parts out. It changes the slice that it is given.
func skip(parts [][]byte, n int) [][]byte {
	for len(parts) > 0 && n >= len(parts[0]) {
		n -= len(parts[0])
		parts = parts[1:]
	}
	if n > 0 {
		parts[0] = parts[0][n:]
	}
	return parts
}
