package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/s3levelfs/s3levelfs/internal/frame"
)

// frameData is the type of the frames in a segment. Their payload is
//
//	len(gen) uvarint | gen | offset in the file uvarint | Seq of the last log record uvarint | data
//
// so that the bytes of an unsealed generation can be put together again.
const frameData = 1

func segmentFormat() frame.Format { return frame.Format{Magic: "s3lv-seg", Version: 1} }

// idleSize is the size, in bytes, from which a segment that nobody refers to is not filled further but removed.
const idleSize = 1 << 20

// segments appends to the active segment. A new start begins a new one: what is in the old ones is never touched.
type segments struct {
	mu     sync.Mutex
	active *storage // holds one reference
	size   int64    // of the active one's file, bytes
	buf    []byte
}

// append writes p as one frame with one write(2) and tells where the data is.
// The storage comes with a reference, the caller's. After an error nothing has changed.
func (g *segments) append(s *Spool, gen string, off int64, p []byte) (*storage, int64, error) {
	return g.appendFrame(s, gen, off, p, s.reserve)
}

func (g *segments) appendFrame(s *Spool, gen string, off int64, p []byte, reserve func(*storage, int64) error) (*storage, int64, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := frame.Begin(g.buf[:0])
	b = binary.AppendUvarint(b, uint64(len(gen)))
	b = append(b, gen...)
	b = binary.AppendUvarint(b, uint64(off))
	b = binary.AppendUvarint(b, s.log.lastSeq.Load())
	head := int64(len(b))
	b = frame.End(append(b, p...), 0, frameData)
	g.buf = b
	if err := g.room(s, int64(len(b))); err != nil {
		return nil, 0, err
	}
	st := g.active
	if err := reserve(st, int64(len(b))); err != nil {
		g.retireUnused(s, frame.FileHeaderSize)
		return nil, 0, err
	}
	if err := s.write(st, b, g.size); err != nil {
		s.giveBack(st, int64(len(b)))
		return nil, 0, errors.Join(err, s.resize(st, g.size))
	}
	pos := g.size + head
	g.size += int64(len(b))
	st.refs.Add(1)
	s.marked(st)
	return st, pos, nil
}

// room makes sure that there is an active segment that takes n more bytes.
func (g *segments) room(s *Spool, n int64) error {
	if g.active != nil && (g.size == frame.FileHeaderSize || g.size+n <= s.cfg.SegmentSize) {
		return nil
	}
	st, err := s.newStorage(KindSegment, "", false)
	if err != nil {
		return fmt.Errorf("new segment: %w", err)
	}
	s.files.release(st)
	if err := s.write(st, segmentFormat().Header(), 0); err != nil {
		s.unref(st)
		return fmt.Errorf("new segment: %w", err)
	}
	g.retire(s)
	g.active, g.size = st, frame.FileHeaderSize
	return nil
}

func (g *segments) retire(s *Spool) {
	if g.active == nil {
		return
	}
	old := g.active
	g.active, g.size = nil, 0
	s.unref(old)
}

// retireIdle lets go of an active segment longer than above bytes that nobody refers to, so that it can be removed.
func (g *segments) retireIdle(s *Spool, above int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.retireUnused(s, above)
}

func (g *segments) retireUnused(s *Spool, above int64) {
	if g.active != nil && g.size > above && g.active.refs.Load() == 1 {
		g.retire(s)
	}
}

// close ends the active segment.
func (g *segments) close(s *Spool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.retire(s)
}
