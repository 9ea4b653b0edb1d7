package frame

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Scanner iterates over the frames of a file.
//
//	for sc.Next() { use(sc.Type(), sc.Payload()) }
//	if err := sc.Err(); err != nil { … }
//	cut := sc.End()
type Scanner struct {
	r       *bufio.Reader
	next    int64 // where the reader stands
	to      int64
	pos     int64 // begin of the current frame
	end     int64 // end of the last good frame
	typ     uint8
	buf     []byte
	err     error
	stopped bool
	skip    bool // the frame that stopped the scan has been read whole
}

// NewScanner scans r from the offset from up to the offset to.
func NewScanner(r io.ReaderAt, from, to int64) *Scanner {
	return &Scanner{
		r:    bufio.NewReaderSize(io.NewSectionReader(r, from, to-from), 256<<10),
		next: from, to: to, pos: from, end: from,
	}
}

// Next steps to the next frame. It gives false at the end, at the first frame
// that is torn or damaged, and after an error.
func (s *Scanner) Next() bool {
	if s.stopped {
		return false
	}
	var header [HeaderSize]byte
	if s.to-s.next < HeaderSize {
		return s.stop(nil)
	}
	if _, err := io.ReadFull(s.r, header[:]); err != nil {
		return s.stop(err)
	}
	size := int64(binary.LittleEndian.Uint32(header[:4]))
	if size > MaxPayload || size > s.to-s.next-HeaderSize {
		return s.stop(nil)
	}
	if int64(cap(s.buf)) < size {
		s.buf = make([]byte, size)
	}
	s.buf = s.buf[:size]
	if _, err := io.ReadFull(s.r, s.buf); err != nil {
		return s.stop(err)
	}
	s.pos = s.next
	s.next += HeaderSize + size
	if binary.LittleEndian.Uint32(header[4:8]) != checksum(header[:], s.buf) {
		s.skip = true
		return s.stop(nil)
	}
	s.end, s.typ = s.next, header[8]
	return true
}

func (s *Scanner) stop(err error) bool {
	s.stopped = true
	// A file that has become shorter since its size was taken is a torn one.
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		s.err = fmt.Errorf("scan frames at %d: %w", s.next, err)
	}
	return false
}

// Skip steps over the frame at which Next stopped, if its length is possible:
// then Next may be called again, and finds out whether a frame follows. It is for files whose
// frames do not depend on each other.
func (s *Scanner) Skip() bool {
	if !s.skip || s.err != nil {
		return false
	}
	s.stopped, s.skip = false, false
	return true
}

// Pos is the offset of the current frame.
func (s *Scanner) Pos() int64 { return s.pos }

// Type is the current frame's type.
func (s *Scanner) Type() uint8 { return s.typ }

// Payload is the current frame's payload, valid until the next call of Next.
func (s *Scanner) Payload() []byte { return s.buf }

// End is the offset behind the last good frame.
func (s *Scanner) End() int64 { return s.end }

// Err is the read error that ended the scan; damaged frames are none.
func (s *Scanner) Err() error { return s.err }
