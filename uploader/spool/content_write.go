package spool

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"syscall"

	"github.com/s3levelfs/s3levelfs/internal/frame"
)

// WriteAt writes p at off; bytes between the old end and off become zeros. All or nothing: after an error the content
// is as before (but a disk that fails in the middle of a rewrite in place). Errors: ErrFull, ErrSealed, ErrGone, what
// wraps syscall.ENOSPC.
func (c *Content) WriteAt(p []byte, off int64) (int, error) {
	if off < 0 || off > math.MaxInt64-int64(len(p)) {
		return 0, fmt.Errorf("write %s: offset %d: %w", c.gen, off, syscall.EINVAL)
	}
	if len(p) == 0 {
		return 0, nil
	}
	undo, err := c.write(p, off)
	if undo != nil {
		err = errors.Join(err, c.undo(undo))
	}
	if err != nil {
		c.makeRoom(err)
		return 0, fmt.Errorf("write %s at %d: %w", c.gen, off, err)
	}
	return len(p), nil
}

// makeRoom lets an idle segment go when the spool is full.
func (c *Content) makeRoom(cause error) {
	if errors.Is(cause, ErrFull) {
		c.s.segments.retireIdle(c.s, frame.FileHeaderSize)
	}
}

// write tells, when it fails, the ranges of the own data file that it may have filled.
func (c *Content) write(p []byte, off int64) (undo []Range, err error) {
	c.io.RLock()
	defer c.io.RUnlock()
	c.mu.Lock()
	if err := c.usable(); err != nil {
		c.mu.Unlock()
		return nil, err
	}
	if c.own == nil && c.inline(int64(len(p)), 1) {
		defer c.mu.Unlock()
		return nil, c.writeSegment(p, off)
	}
	if err := c.needOwn(); err != nil {
		c.mu.Unlock()
		return nil, err
	}
	return c.writeOwn(p, off)
}

// inline reports whether n more bytes in so many frames may go into segments.
func (c *Content) inline(n int64, frames int) bool {
	return c.written+n <= c.s.cfg.InlineMax && c.frames+frames <= maxFrames
}

// writeSegment appends p to the active segment. The caller holds mu: so the frames are in the order of the map.
func (c *Content) writeSegment(p []byte, off int64) error {
	st, pos, err := c.s.segments.append(c.s, c.gen, off, p)
	if err != nil {
		return err
	}
	c.put(extent{off: off, len: int64(len(p)), kind: KindSegment, st: st, pos: pos})
	c.s.unref(st) // the map has its own
	c.frames++
	return nil
}

// put makes x part of the map, with zeros in front of it where the content ends before.
func (c *Content) put(x extent) {
	if x.off > c.m.size {
		c.m.resize(x.off)
	}
	c.m.set(x)
	c.written += x.len
}

// writeOwn writes p into the own data file. It is called with mu held and unlocks it: the I/O runs without. What is
// new comes before what is rewritten in place, since only the new can lack room.
func (c *Content) writeOwn(p []byte, off int64) (undo []Range, err error) {
	end, st := off+int64(len(p)), c.own
	if c.m.size > off && c.m.holds(st, off, end) {
		c.mu.Unlock()
		err = c.s.write(st, p, off)
		c.s.marked(st)
		return nil, err
	}
	fresh := c.fresh(off, end)
	reserved := total(fresh)
	if err = c.s.reserve(st, reserved); err != nil {
		c.mu.Unlock()
		return nil, err
	}
	rewritten := c.ranges(off, end, func(x *extent) bool { return x.st == st })
	c.mu.Unlock()

	if len(rewritten) == 0 {
		err = c.s.write(st, p, off)
	} else {
		err = c.writeParts(st, p, off, append(fresh, rewritten...))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.s.marked(st)
	if err != nil {
		c.s.giveBack(st, reserved)
		return fresh, err
	}
	// A write beside us may have filled a part of the range and counted it.
	c.s.giveBack(st, reserved-total(c.fresh(off, end)))
	c.put(extent{off: off, len: int64(len(p)), kind: KindFile, st: st, pos: off})
	return nil, nil
}

func (c *Content) writeParts(st *storage, p []byte, off int64, parts []Range) error {
	for _, r := range parts {
		if err := c.s.write(st, p[r.Off-off:r.Off-off+r.Len], r.Off); err != nil {
			return err
		}
	}
	return nil
}

// fresh lists the parts of [off, end) that the own data file does not hold. The caller holds mu.
func (c *Content) fresh(off, end int64) []Range {
	list := c.ranges(off, end, func(x *extent) bool { return x.st != c.own })
	if from := max(off, c.m.size); from < end {
		list = append(list, Range{Off: from, Len: end - from})
	}
	return list
}

func total(list []Range) (n int64) {
	for _, r := range list {
		n += r.Len
	}
	return n
}

// needOwn gives the generation its data file and moves what is in segments there; a sealed one, whose record names
// the segments, keeps them. After an error the content is as before. The caller holds mu.
func (c *Content) needOwn() error {
	if c.own != nil {
		return nil
	}
	hidden := c.m.size > 0
	st, err := c.s.newStorage(KindFile, c.gen, hidden)
	if err != nil {
		return err
	}
	defer c.s.files.release(st)
	if hidden {
		err = c.fillOwn(st)
	}
	if err != nil {
		c.s.unref(st)
		return err
	}
	c.own = st
	return nil
}

// fillOwn makes st as long as the content and copies what is in segments, and the small pieces of older data files where
// there are many. A recovery takes a data file for what the generation last was: so st gets its name when it has everything.
func (c *Content) fillOwn(st *storage) error {
	moved, n := c.movable()
	if err := c.s.reserve(st, n); err != nil {
		return err
	}
	err := c.s.resize(st, c.m.size)
	if err == nil {
		err = c.copySegments(st, moved)
	}
	if err == nil {
		err = c.s.show(st)
	}
	if err != nil {
		c.s.giveBack(st, n)
		return errors.Join(err, removeHidden(st))
	}
	for _, x := range moved {
		c.m.set(extent{off: x.off, len: x.len, kind: KindFile, st: st, pos: x.off})
	}
	c.frames = 0
	c.s.marked(st)
	return nil
}

// A content that is written to at random between seals, for days, is left in pieces all over the data files of the
// generations before. Each record lists them. When there are more than maxPieces, those up to
// pieceSize bytes are put together.
const (
	maxPieces = 1024
	pieceSize = 64 << 10
)

// movable lists what moves into the own data file, of n bytes in all. Nothing of a sealed content does: its record names
// the place. The caller holds mu.
func (c *Content) movable() (moved []extent, n int64) {
	if c.sealed {
		return nil, 0
	}
	pieces := 0
	for _, chunk := range c.m.chunks {
		pieces += len(chunk)
	}
	tidy := pieces > maxPieces
	for x := range c.m.within(0, c.m.size) {
		if x.kind == KindSegment || tidy && x.kind == KindFile && x.len <= pieceSize {
			moved = append(moved, x)
			n += x.len
		}
	}
	return moved, n
}

func removeHidden(st *storage) error {
	if err := os.Remove(hiddenPath(st)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func (c *Content) copySegments(to *storage, list []extent) error {
	var buf []byte
	for _, x := range list {
		buf = slices.Grow(buf[:0], int(x.len))[:x.len]
		if err := c.s.read(x.st, buf, x.pos); err != nil {
			return err
		}
		if err := c.s.write(to, buf, x.off); err != nil {
			return err
		}
	}
	return nil
}

// undo takes what a failed write may have left in the own data file out of it again.
func (c *Content) undo(list []Range) error {
	c.io.Lock()
	defer c.io.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.own == nil { // released or cloned meanwhile: no map names these ranges
		return nil
	}
	var errs []error
	for _, r := range list {
		for _, left := range c.fresh(r.Off, r.Off+r.Len) {
			errs = append(errs, c.s.punch(c.own, left.Off, left.Len))
		}
	}
	return errors.Join(append(errs, c.s.resize(c.own, c.m.size))...)
}
