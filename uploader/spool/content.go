package spool

import (
	"fmt"
	"sync"
)

// maxFrames bounds the segment frames that a chain of generations consists of;
// the next write moves them into a data file, so that maps and records stay short.
const maxFrames = 128

// Content is the bytes of one generation. Its methods are safe for concurrent use.
//
// Written bytes go into segments until they pass Config.InlineMax or maxFrames, then into the generation's own
// data file, at the same offsets, and those in segments are copied there: from then on the data file has all that is
// ours, is as long as the content, and rewrites happen in place.
type Content struct {
	s   *Spool
	gen string

	// io is shared by reads and writes of local bytes and exclusive for what must not overlap with them.
	io sync.RWMutex

	// guarded by mu
	mu       sync.RWMutex
	m        extentMap
	own      *storage // data file to write to, with one reference; nobody else refers to the bytes of it that m names
	written  int64    // bytes written by this generation
	frames   int      // segment frames since the last move into a data file, those of older generations included
	sealed   bool
	released bool
}

// NewContent makes an empty generation on top of baseSize bytes of its base (0 = whole).
func (s *Spool) NewContent(gen string, baseSize int64) *Content {
	c := &Content{s: s, gen: gen, m: newExtentMap(s.unref)}
	c.m.set(extent{len: baseSize, kind: KindBase})
	return c
}

// Adopt makes a sealed generation from what a record listed. It fails with
// ErrDamaged when storage is missing.
func (s *Spool) Adopt(gen string, size int64, extents []Extent) (*Content, error) {
	c := &Content{s: s, gen: gen, m: newExtentMap(s.unref), sealed: true}
	s.mu.Lock() // no storage dies between its look-up and its reference
	err := s.fillMap(&c.m, size, extents)
	s.mu.Unlock()
	if err != nil {
		c.Release()
		return nil, fmt.Errorf("adopt %s: %w", gen, err)
	}
	return c, nil
}

// fillMap puts extents into the empty map m. The caller holds s.mu.
func (s *Spool) fillMap(m *extentMap, size int64, extents []Extent) error {
	for _, x := range extents {
		if x.Off != m.size || x.Len <= 0 || x.Off+x.Len > size || x.Kind > KindFile {
			return fmt.Errorf("%w: extent at %d", ErrDamaged, x.Off)
		}
		e := extent{off: x.Off, len: x.Len, kind: x.Kind}
		if x.Kind.stored() {
			if e.st = s.storages[x.Storage]; e.st == nil || e.st.kind != x.Kind {
				return fmt.Errorf("%w: %v %016x is missing", ErrDamaged, x.Kind, x.Storage)
			}
			e.pos = x.Pos
		}
		m.push(e)
	}
	if m.size != size {
		return fmt.Errorf("%w: extents end at %d of %d", ErrDamaged, m.size, size)
	}
	return nil
}

// Gen is the generation's id.
func (c *Content) Gen() string { return c.gen }

// Size is the length in bytes.
func (c *Content) Size() int64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.m.size
}

// Sealed reports whether the generation is immutable.
func (c *Content) Sealed() bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.sealed
}

// Whole reports whether all bytes are ours.
func (c *Content) Whole() bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for x := range c.m.within(0, c.m.size) {
		if x.kind == KindBase {
			return false
		}
	}
	return true
}

// Stored reports whether all of [off, off+n) is in files of the spool: neither holes nor the base's.
func (c *Content) Stored(off, n int64) bool { return c.all(off, n, Kind.stored) }

// OfBase reports whether all of [off, off+n) is the base's.
func (c *Content) OfBase(off, n int64) bool {
	return c.all(off, n, func(k Kind) bool { return k == KindBase })
}

func (c *Content) all(off, n int64, want func(Kind) bool) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if off+n > c.m.size {
		return false
	}
	for x := range c.m.within(off, off+n) {
		if !want(x.kind) {
			return false
		}
	}
	return true
}

// Missing lists the ranges that only the base has.
func (c *Content) Missing() []Range {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.ranges(0, c.m.size, func(x *extent) bool { return x.kind == KindBase })
}

// ranges lists the parts of [off, end) for whose extents want holds, adjacent ones joined. What is behind the
// end of the content is nobody's. The caller holds mu.
func (c *Content) ranges(off, end int64, want func(x *extent) bool) []Range {
	var list []Range
	for x := range c.m.within(off, end) {
		if !want(&x) {
			continue
		}
		if n := len(list); n > 0 && list[n-1].Off+list[n-1].Len == x.off {
			list[n-1].Len += x.len
			continue
		}
		list = append(list, Range{Off: x.off, Len: x.len})
	}
	return list
}

// Extents lists where the bytes are, now.
func (c *Content) Extents() []Extent {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.extents()
}

func (c *Content) extents() []Extent {
	var list []Extent
	for x := range c.m.within(0, c.m.size) {
		e := Extent{Off: x.off, Len: x.len, Kind: x.kind}
		if x.st != nil {
			e.Storage, e.Pos = x.st.id, x.pos
		}
		list = append(list, e)
	}
	return list
}

// Seal makes the generation immutable and lists its extents for the record.
func (c *Content) Seal() []Extent {
	c.io.Lock()
	defer c.io.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sealed = true
	return c.extents()
}

// Clone makes the next generation on top of this one. It shares storage, not bytes to write to: what is
// written here afterwards, if this one is not sealed, goes elsewhere.
func (c *Content) Clone(gen string) *Content {
	c.io.Lock()
	defer c.io.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.sealed && c.own != nil {
		c.s.unref(c.own) // the map keeps what it uses
		c.own = nil
	}
	return &Content{s: c.s, gen: gen, m: c.m.clone(), frames: c.frames}
}

// Release gives up the generation's hold on storage. Files that neither
// another content nor the log refers to go after the next group sync.
func (c *Content) Release() {
	c.io.Lock()
	defer c.io.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.released = true
	c.m.clear()
	if c.own != nil {
		c.s.unref(c.own)
		c.own = nil
	}
}

// usable tells why the content can not be written, or nil. The caller holds mu.
func (c *Content) usable() error {
	switch {
	case c.released:
		return ErrGone
	case c.sealed:
		return ErrSealed
	}
	return nil
}
