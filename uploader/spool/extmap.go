package spool

import (
	"iter"
	"slices"
	"sort"
)

// extent is an Extent in memory: st stands for the number.
type extent struct {
	off, len, pos int64
	st            *storage
	kind          Kind
}

func (x *extent) end() int64 { return x.off + x.len }

// joins reports whether y, which follows x, is its continuation.
func (x *extent) joins(y *extent) bool {
	return x.kind == y.kind && x.st == y.st && (x.st == nil || x.pos+x.len == y.pos)
}

// clip narrows x to [off, end), which it overlaps.
func (x extent) clip(off, end int64) extent {
	if d := off - x.off; d > 0 {
		x.off, x.len = off, x.len-d
		if x.st != nil {
			x.pos += d
		}
	}
	x.len = min(x.len, end-x.off)
	return x
}

// maxChunk bounds a chunk of the map: an insertion moves at most so many extents.
const maxChunk = 256

// extentMap is a total map from [0, size) to extents, kept in chunks of sorted
// slices: lookups are binary searches, sequential appends cost O(1), insertions anywhere move one chunk.
// It counts its extents by storage and holds one reference on each storage that it names.
type extentMap struct {
	chunks [][]extent // none is empty
	size   int64
	uses   map[*storage]int
	onFree func(*storage) // gives a reference back
}

func newExtentMap(onFree func(*storage)) extentMap {
	return extentMap{uses: map[*storage]int{}, onFree: onFree}
}

func (m *extentMap) count(x *extent, delta int) {
	if x.st == nil {
		return
	}
	n := m.uses[x.st] + delta
	switch n {
	case 0:
		delete(m.uses, x.st)
		m.onFree(x.st)
		return
	case delta:
		x.st.refs.Add(1)
	}
	m.uses[x.st] = n
}

// locate finds the extent that contains off; chunk == len(m.chunks) from size on.
func (m *extentMap) locate(off int64) (chunk, i int) {
	if off >= m.size {
		return len(m.chunks), 0
	}
	chunk = sort.Search(len(m.chunks), func(k int) bool { return m.chunks[k][0].off > off }) - 1
	c := m.chunks[chunk]
	return chunk, sort.Search(len(c), func(k int) bool { return c[k].off > off }) - 1
}

// within iterates over the extents of [off, end), clipped to it.
func (m *extentMap) within(off, end int64) iter.Seq[extent] {
	return func(yield func(extent) bool) {
		if off >= end {
			return
		}
		chunk, i := m.locate(off)
		for ; chunk < len(m.chunks); chunk, i = chunk+1, 0 {
			for _, x := range m.chunks[chunk][i:] {
				if x.off >= end || !yield(x.clip(off, end)) {
					return
				}
			}
		}
	}
}

// set makes x what is at its range. x.off is at most size.
func (m *extentMap) set(x extent) {
	if x.len <= 0 {
		return
	}
	if x.off == m.size {
		m.push(x)
		return
	}
	m.cut(x.off)
	if x.end() < m.size {
		m.cut(x.end())
	}
	m.count(&x, +1) // before the old ones go: they may be the last of the same storage
	chunk, i := m.locate(x.off)
	if first := m.chunks[chunk][i].end(); first < min(x.end(), m.size) {
		m.remove(first, min(x.end(), m.size))
	}
	slot := &m.chunks[chunk][i]
	m.count(slot, -1)
	*slot = x
	m.size = max(m.size, x.end())
	m.join(x.off)
	m.join(x.end())
}

// holds reports whether [off, end) is one extent in st at the same offsets: an in-place write changes nothing.
func (m *extentMap) holds(st *storage, off, end int64) bool {
	if end > m.size {
		return false
	}
	chunk, i := m.locate(off)
	x := &m.chunks[chunk][i]
	return x.st == st && x.end() >= end
}

// push appends x at the end.
func (m *extentMap) push(x extent) {
	m.size = x.end()
	if n := len(m.chunks); n > 0 {
		c := m.chunks[n-1]
		if last := &c[len(c)-1]; last.joins(&x) {
			last.len += x.len
			return
		}
		if len(c) < maxChunk {
			m.count(&x, +1)
			m.chunks[n-1] = append(c, x)
			return
		}
	}
	m.count(&x, +1)
	m.chunks = append(m.chunks, []extent{x})
}

// cut makes off a boundary between two extents.
func (m *extentMap) cut(off int64) {
	if off <= 0 || off >= m.size {
		return
	}
	chunk, i := m.locate(off)
	x := m.chunks[chunk][i]
	if x.off == off {
		return
	}
	right := x.clip(off, x.end())
	m.chunks[chunk][i].len = off - x.off
	m.count(&right, +1)
	m.insert(chunk, i+1, right)
}

func (m *extentMap) insert(chunk, i int, x extent) {
	c := m.chunks[chunk]
	if len(c) < maxChunk {
		m.chunks[chunk] = slices.Insert(c, i, x)
		return
	}
	half := len(c) / 2
	upper := slices.Clone(c[half:])
	clear(c[half:])
	m.chunks = slices.Insert(m.chunks, chunk+1, upper)
	m.chunks[chunk] = c[:half]
	if i > half {
		m.insert(chunk+1, i-half, x)
		return
	}
	m.insert(chunk, i, x)
}

// remove takes out the extents of [off, end), both boundaries; off > 0. The caller closes the gap.
func (m *extentMap) remove(off, end int64) {
	for x := range m.within(off, end) {
		m.count(&x, -1)
	}
	c1, i1 := m.locate(off)
	c2, i2 := m.locate(end)
	if c1 == c2 {
		m.chunks[c1] = slices.Delete(m.chunks[c1], i1, i2)
		return
	}
	first := c1
	if i1 > 0 {
		clear(m.chunks[c1][i1:])
		m.chunks[c1] = m.chunks[c1][:i1]
		first++
	}
	if c2 < len(m.chunks) {
		m.chunks[c2] = slices.Delete(m.chunks[c2], 0, i2)
	}
	m.chunks = slices.Delete(m.chunks, first, c2)
}

// join makes one extent of the two that meet at off, if they can be one.
func (m *extentMap) join(off int64) {
	if off <= 0 || off >= m.size {
		return
	}
	chunk, i := m.locate(off)
	prevChunk, prev := chunk, i-1
	if i == 0 {
		prevChunk, prev = chunk-1, len(m.chunks[chunk-1])-1
	}
	left, right := &m.chunks[prevChunk][prev], m.chunks[chunk][i]
	if right.off != off || !left.joins(&right) {
		return
	}
	left.len += right.len
	m.count(&right, -1)
	if len(m.chunks[chunk]) == 1 {
		m.chunks = slices.Delete(m.chunks, chunk, chunk+1)
		return
	}
	m.chunks[chunk] = slices.Delete(m.chunks[chunk], i, i+1)
}

// resize cuts what is behind size, or adds zeros up to it.
func (m *extentMap) resize(size int64) {
	switch {
	case size > m.size:
		m.set(extent{off: m.size, len: size - m.size, kind: KindZero})
	case size == 0:
		m.clear()
	case size < m.size:
		m.cut(size)
		m.remove(size, m.size)
		m.size = size
	}
}

// clear empties the map and gives all references back.
func (m *extentMap) clear() {
	for st := range m.uses {
		m.onFree(st)
	}
	clear(m.uses)
	m.chunks, m.size = nil, 0
}

// clone copies the map; the copy has references of its own.
func (m *extentMap) clone() extentMap {
	c := newExtentMap(m.onFree)
	c.size = m.size
	c.chunks = make([][]extent, len(m.chunks))
	for i, chunk := range m.chunks {
		c.chunks[i] = slices.Clone(chunk)
	}
	for st, n := range m.uses {
		st.refs.Add(1)
		c.uses[st] = n
	}
	return c
}
