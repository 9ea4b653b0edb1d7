package spool

import (
	"errors"
	"fmt"
	"math"
	"syscall"
)

// change runs do with exclusive access to bytes and map of an unsealed generation.
func (c *Content) change(op string, do func() error) error {
	c.io.Lock()
	defer c.io.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.usable()
	if err == nil {
		err = do()
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", op, c.gen, err)
	}
	return nil
}

// Truncate sets the size; what is added is zeros.
func (c *Content) Truncate(size int64) error {
	return c.change("truncate", func() error {
		if size < 0 {
			return syscall.EINVAL
		}
		return c.resize(size)
	})
}

// Allocate makes the content at least off+n bytes long; what is added is zeros. No room on the disk is
// reserved.
func (c *Content) Allocate(off, n int64) error {
	return c.change("allocate", func() error {
		if off < 0 || n <= 0 || off > math.MaxInt64-n {
			return syscall.EINVAL
		}
		if off+n <= c.m.size {
			return nil
		}
		return c.resize(off + n)
	})
}

func (c *Content) resize(size int64) error {
	if c.own != nil {
		if err := c.s.resize(c.own, size); err != nil {
			return err
		}
		c.s.giveBack(c.own, c.ownBytes(size, c.m.size))
		c.s.marked(c.own)
	}
	c.m.resize(size)
	return nil
}

// ownBytes counts what the own data file holds of [off, end).
func (c *Content) ownBytes(off, end int64) int64 {
	return total(c.ranges(off, end, func(x *extent) bool { return x.st == c.own }))
}

// PunchHole makes [off, off+n) zeros, as far as it is inside of the content.
func (c *Content) PunchHole(off, n int64) error {
	return c.change("punch", func() error {
		if off < 0 || n <= 0 || off > math.MaxInt64-n {
			return syscall.EINVAL
		}
		n = min(n, c.m.size-off)
		if n <= 0 {
			return nil
		}
		if c.own != nil {
			if err := c.s.punch(c.own, off, n); err != nil {
				return err
			}
			c.s.giveBack(c.own, c.ownBytes(off, off+n))
			c.s.marked(c.own)
		}
		c.m.set(extent{off: off, len: n, kind: KindZero})
		return nil
	})
}

// FillBase takes p as bytes of the base at off: what is ours stays. It is allowed on a sealed generation,
// whose bytes it does not change; log a Pin with Extents() afterwards. After an error nothing has changed.
func (c *Content) FillBase(off int64, p []byte) error {
	if off < 0 || off > math.MaxInt64-int64(len(p)) {
		return fmt.Errorf("fill %s: offset %d: %w", c.gen, off, syscall.EINVAL)
	}
	// Exclusive: a write beside us could put newer bytes where we put the base's.
	c.io.Lock()
	defer c.io.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.fill(off, p)
	if err != nil {
		c.makeRoom(err)
		return fmt.Errorf("fill %s at %d: %w", c.gen, off, err)
	}
	return nil
}

func (c *Content) fill(off int64, p []byte) error {
	if c.released {
		return ErrGone
	}
	list := c.ranges(off, off+int64(len(p)), func(x *extent) bool { return x.kind == KindBase })
	n := total(list)
	if n == 0 {
		return nil
	}
	if c.own == nil && c.inline(n, len(list)) {
		return c.fillSegment(off, p, list)
	}
	if err := c.needOwn(); err != nil {
		return err
	}
	if err := c.s.reserve(c.own, n); err != nil {
		return err
	}
	err := c.writeParts(c.own, p, off, list)
	c.s.marked(c.own)
	if err != nil {
		c.s.giveBack(c.own, n)
		for _, r := range list {
			err = errors.Join(err, c.s.punch(c.own, r.Off, r.Len))
		}
		return err
	}
	for _, r := range list {
		c.put(extent{off: r.Off, len: r.Len, kind: KindFile, st: c.own, pos: r.Off})
	}
	return nil
}

// fillSegment appends the parts of p that list names; the map changes when all are there.
func (c *Content) fillSegment(off int64, p []byte, list []Range) error {
	var got []extent
	defer func() {
		for _, x := range got {
			c.s.unref(x.st)
		}
	}()
	for _, r := range list {
		st, pos, err := c.s.segments.append(c.s, c.gen, r.Off, p[r.Off-off:r.Off-off+r.Len])
		if err != nil {
			return err
		}
		got = append(got, extent{off: r.Off, len: r.Len, kind: KindSegment, st: st, pos: pos})
	}
	for _, x := range got {
		c.put(x)
		c.frames++
	}
	return nil
}
