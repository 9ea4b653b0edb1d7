package uploader

import (
	"sort"

	"github.com/s3levelfs/s3levelfs/store"
)

// layout says where the parts of an upload begin: step parts of the first size, as many of twice that, and so on up to
// max. So the first parts can be sent while nobody knows how long the file will get, and none is larger than a few
// hundredths of what precedes it. step 0: all of one size.
type layout struct {
	first, max int64 // bytes
	step       int
}

// at is where part number i+1 begins and how long it is.
func (l layout) at(i int) (off, n int64) {
	n = l.first
	if l.step == 0 {
		return int64(i) * n, n
	}
	for i >= l.step && n < l.max {
		off += int64(l.step) * n
		i -= l.step
		n = min(2*n, l.max)
	}
	return off + int64(i)*n, n
}

// index is the part, counted from 0, that has the byte at off.
func (l layout) index(off int64) int {
	n, i := l.first, 0
	for l.step > 0 && n < l.max && off >= int64(l.step)*n {
		off -= int64(l.step) * n
		i += l.step
		n = min(2*n, l.max)
	}
	return i + int(off/n)
}

// count is how many parts a file of size bytes has.
func (l layout) count(size int64) int {
	if size <= 0 {
		return 0
	}
	return l.index(size-1) + 1
}

// within is part i of a file of size bytes.
func (l layout) within(i int, size int64) store.Range {
	off, n := l.at(i)
	return store.Range{Off: off, Len: min(n, size-off)}
}

// reach is what so many parts hold.
func (l layout) reach(parts int) int64 {
	off, _ := l.at(parts)
	return off
}

// growing is the layout of files whose size is not known: parts stay small as long as the store's largest object can
// be reached. Where the store wants equal parts, or they suffice, they are all of the size that is wished.
func growing(l store.Limits, wished int64) layout {
	g := layout{first: min(max(wished, l.MinPart), l.MaxPart), max: l.MaxPart}
	if l.EqualParts || g.reach(l.MaxParts) >= l.MaxObject {
		return g
	}
	tooMany := sort.Search(l.MaxParts, func(step int) bool {
		return layout{first: g.first, max: g.max, step: step + 1}.reach(l.MaxParts) < l.MaxObject
	})
	g.step = max(tooMany, 1)
	return g
}

// equal is the layout of files whose size is known and that the growing one does not reach.
func equal(l store.Limits, wished, size int64) layout {
	const grain = 1 << 20
	need := (size + int64(l.MaxParts) - 1) / int64(l.MaxParts)
	if need > wished {
		need = (need + grain - 1) / grain * grain
	}
	return layout{first: min(max(need, wished, l.MinPart), l.MaxPart), max: l.MaxPart}
}

// layoutOn is how a generation is cut that changes a stored version: the size of a large one is known, and parts of one size are as small as
// they can be, wherever the change is. Some room is left for what is appended. Others grow.
func (u *Uploader) layoutOn(src source) layout {
	const room = 16 // parts of the size
	if src.size <= max(u.cfg.PinBase, u.limits.MinPart) {
		return u.layout
	}
	return equal(u.limits, u.cfg.PartSize, min(src.size+src.size/room, largest(u.limits)))
}

// layoutOf is how a sealed generation of size bytes is cut. Called with mu held.
func (u *Uploader) layoutOf(g *generation, size int64) layout {
	l := u.layoutOn(g.src)
	if g.track != nil {
		l = g.track.layout
	}
	if l.reach(u.limits.MaxParts) >= size {
		return l
	}
	return equal(u.limits, u.cfg.PartSize, size)
}

// largest is how long a file may get, in bytes.
func largest(l store.Limits) int64 {
	if !l.Multipart() {
		return min(l.MaxObject, l.MaxPut)
	}
	return min(l.MaxObject, l.MaxPart*int64(l.MaxParts))
}
