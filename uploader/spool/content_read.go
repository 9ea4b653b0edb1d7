package spool

import (
	"fmt"
	"io"
	"syscall"
)

// BaseFunc reads len(p) bytes of the base at off, all or an error.
type BaseFunc func(p []byte, off int64) error

// ReadAt reads like io.ReaderAt; base gives the bytes that are not ours, and is
// called without a lock. Errors: io.EOF at the end, ErrNoBase, ErrDamaged, base's own.
func (c *Content) ReadAt(p []byte, off int64, base BaseFunc) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("read %s: offset %d: %w", c.gen, off, syscall.EINVAL)
	}
	n, missing, err := c.readLocal(p, off)
	if err != nil {
		return 0, fmt.Errorf("read %s at %d: %w", c.gen, off, err)
	}
	for _, r := range missing {
		if base == nil {
			return 0, fmt.Errorf("read %s at %d: %w", c.gen, r.Off, ErrNoBase)
		}
		if err := base(p[r.Off-off:r.Off-off+r.Len], r.Off); err != nil {
			return 0, fmt.Errorf("read base of %s at %d: %w", c.gen, r.Off, err)
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// readLocal fills p with what is here and tells what is missing.
func (c *Content) readLocal(p []byte, off int64) (n int, missing []Range, err error) {
	c.io.RLock()
	defer c.io.RUnlock()
	var few [8]extent
	c.mu.RLock()
	if c.released {
		c.mu.RUnlock()
		return 0, nil, ErrGone
	}
	end := min(off+int64(len(p)), c.m.size)
	list := few[:0]
	for x := range c.m.within(off, end) {
		if x.st != nil {
			x.st.refs.Add(1) // a write beside us may drop it from the map
		}
		list = append(list, x)
	}
	c.mu.RUnlock()

	for i := range list {
		x := &list[i]
		part := p[x.off-off : x.off-off+x.len]
		switch {
		case x.kind == KindBase:
			missing = append(missing, Range{Off: x.off, Len: x.len})
		case x.st == nil:
			clear(part)
		default:
			if err == nil {
				err = c.s.read(x.st, part, x.pos)
			}
			c.s.unref(x.st)
		}
	}
	return int(max(end-off, 0)), missing, err
}

// Section is a reader of the whole content, as long as it is now.
func (c *Content) Section(base BaseFunc) *io.SectionReader {
	return io.NewSectionReader(section{c: c, base: base}, 0, c.Size())
}

type section struct {
	c    *Content
	base BaseFunc
}

// ReadAt is io.ReaderAt.
func (s section) ReadAt(p []byte, off int64) (int, error) { return s.c.ReadAt(p, off, s.base) }
