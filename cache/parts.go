package cache

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/s3levelfs/s3levelfs/store"
)

// An object that was uploaded in parts may have a checksum of each part and none of the whole ("composite"): what most
// browsers' uploads leave. Who reads such an object in sequence gets it by GETs of its parts, each of which is held back until it is
// found right. The parts must be of one size but the last, of whole blocks, and at most wholeSize; others are as
// good as the connection.

// partShare is the part of the memory that one part may have; with less memory nothing is read by parts.
const partShare = 4

// relaidMost bounds how often one read begins anew because parts lie elsewhere than was thought.
const relaidMost = 8

// errLayout ends a fetch that was begun by a wrong idea of the object's parts: who waits for it asks again, by what is known now.
var errLayout = errors.New("the parts of the object lie elsewhere")

// layout is what is known of a version's parts. All but ready and count is guarded by Cache.mu.
type layout struct {
	ready chan struct{} // closed when the store has been asked
	count int64         // parts

	told   *store.Object // what the store said of the whole's checksum, few headers with it; nil = nothing
	failed bool          // it did not answer: asked again by who begins to read
	size   int64         // bytes of each part but the last; 0 = the object is not to be read by parts
	wrong  bool          // a part did not match its checksum: no byte is read but by parts
	sure   bool          // size is what an answer has shown, not a guess
}

// partCount is how many parts an ETag tells of: S3 and its likes add "-" and their number. 0 = it does not.
func partCount(etag string) int64 {
	_, tail, _ := strings.Cut(etag, "-")
	n, err := strconv.ParseInt(tail, 10, 32)
	if err != nil || n < 1 {
		return 0
	}
	return n
}

// fits tells whether an object of size bytes can have so many parts of a length.
func fits(part, size, count int64) bool {
	return part > 0 && part <= wholeSize && (part%blockSize == 0 || count == 1) && (size+part-1)/part == count
}

// guessPart guesses of what size the parts are. The first answer proves it, or tells the right one.
func guessPart(size, count int64) int64 {
	for _, part := range []int64{5 << 20, 8 << 20} { // JavaScript's; the AWS CLI's and ours
		if fits(part, size, count) {
			return part
		}
	}
	for _, unit := range []int64{1 << 20, blockSize} {
		if part := ((size+count-1)/count + unit - 1) / unit * unit; fits(part, size, count) {
			return part
		}
	}
	return 0
}

// place is where a part lies.
func (l *layout) place(number, size int64) span {
	return span{(number - 1) * l.size, min(number*l.size, size)}
}

// partSize tells of what size the parts are by which a read is to be fetched; 0 = it is not. Who begins to read a large object in
// parts waits for what the store has to say of its checksums, once.
func (c *Cache) partSize(ctx context.Context, v version, p plan) (int64, error) {
	count := partCount(v.etag)
	if count > 0 && c.wrongPart(v) {
		return c.partsKnown(v), nil
	}
	if !p.parts || p.once || v.private != 0 || count == 0 || v.size/count > wholeSize {
		return 0, nil
	}
	l := c.layout(v, count, p.read.off == 0, p.whole)
	if l == nil {
		return 0, nil
	}
	if err := awaitClosed(ctx, l.ready); err != nil {
		return 0, err
	}
	return c.partsKnown(v), nil
}

// layout finds what is known of a version's parts, or has the store asked; begins = by who begins to read; whole = the answer to
// the GET of the whole is going to tell it, nobody need ask.
func (c *Cache) layout(v version, count int64, begins, whole bool) *layout {
	c.mu.Lock()
	defer c.mu.Unlock()
	l, known := c.layouts.Get(v.versionKey)
	if known && (!l.failed || !begins) {
		return l
	}
	if whole || c.closed {
		return nil
	}
	l = &layout{ready: make(chan struct{}), count: count}
	c.layouts.Add(v.versionKey, l)
	c.fetches.Go(func() { c.askLayout(v, l) })
	return l
}

// askLayout asks what checksums a version has: a HEAD tells it, the answer to a range does not.
func (c *Cache) askLayout(v version, l *layout) {
	defer close(l.ready)
	ctx, cancel := context.WithTimeout(c.ctx, headPatience)
	defer cancel()
	got, err := c.store.Head(ctx, v.key, store.Cond{IfMatch: v.cond.IfMatch})
	if err == nil {
		err = v.verify(got)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		l.failed = true
		return
	}
	if h := got.Headers; h != nil { // many are remembered
		got.Headers = &store.Headers{SSE: h.SSE, SSEKMSKeyID: h.SSEKMSKeyID}
	}
	l.told = &got
	if got.Composite {
		l.size = guessPart(v.size, l.count)
	}
}

// partsKnown is the size of a version's parts, as far as it is known and there is memory for them; 0 = there are none.
func (c *Cache) partsKnown(v version) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	l, known := c.layouts.Get(v.versionKey)
	if !known || l.size == 0 || c.cost(l.place(1, v.size), blockSize) > c.cfg.Memory/partShare {
		return 0
	}
	return l.size
}

// wrongPart tells whether a part of a version did not match its checksum.
func (c *Cache) wrongPart(v version) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	l, known := c.layouts.Peek(v.versionKey)
	return known && l.wrong
}

// noteWrongPart: programs and the kernel ask again for what they did not get, in pieces and out of order, and must not get by a range
// what was refused as a part.
func (c *Cache) noteWrongPart(v version) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l, known := c.layouts.Get(v.versionKey); known {
		l.wrong = true
	}
}

// isComposite notes that a version has checksums of its parts alone, as the answer to a GET of the whole says, and reports whether
// it is to be read by them.
func (c *Cache) isComposite(v version) bool {
	count := partCount(v.etag)
	if count == 0 {
		return false
	}
	c.mu.Lock()
	l, known := c.layouts.Get(v.versionKey)
	if !known || l.failed {
		l = &layout{ready: make(chan struct{}), count: count, size: guessPart(v.size, count)}
		close(l.ready)
		c.layouts.Add(v.versionKey, l)
	}
	c.mu.Unlock()
	return c.partsKnown(v) > 0
}

// confirm compares where an answer says that a part lies with where it was expected. What differs is learnt.
func (c *Cache) confirm(v version, at store.Range, expected span) bool {
	got := span{at.Off, at.Off + at.Len}
	if got == expected {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	l, known := c.layouts.Get(v.versionKey)
	if !known || l.size > 0 && l.place(int64(at.Part), v.size) == got {
		return false // somebody else has learnt it before
	}
	part := at.Len
	if at.Part > 1 {
		part = at.Off / int64(at.Part-1)
	}
	learnt := layout{size: part}
	if l.sure || !fits(part, v.size, l.count) || learnt.place(int64(at.Part), v.size) != got {
		part = 0 // not of one size, or not of whole blocks
	}
	l.size, l.sure = part, true
	return false
}

// noParts notes that the store refuses to give parts of a version.
func (c *Cache) noParts(v version) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l, known := c.layouts.Get(v.versionKey); known {
		l.size, l.sure = 0, true
	}
}

// vouched looks at the answer to a GET of a unit from its beginning, and finds what the unit can be checked by.
func (c *Cache) vouched(f *fetch, got store.Object) (*checker, error) {
	switch {
	case f.part > 0 && !c.confirm(f.v, got.Part, span{f.pieces[0].off, f.pieces[len(f.pieces)-1].end}):
		return nil, errLayout
	case f.part > 0:
		return newChecker(store.Object{Checksum: got.Checksum}), nil
	case got.Composite && c.isComposite(f.v):
		return nil, errLayout
	}
	return newChecker(got), nil
}

// byParts makes a plan one of whole blocks.
func (p plan) byParts(size int64) plan {
	p.whole = false
	if p.unit == pageSize {
		p.unit, p.fetch, p.ahead, p.front = blockSize, align(p.read, blockSize, size), nil, 0
	}
	return p
}

// partOf is the part, with its number, that holds the byte at pos.
func (r *request) partOf(pos int64) (span, int32) {
	i := pos / r.parts
	return span{i * r.parts, min((i+1)*r.parts, r.v.size)}, int32(i + 1)
}

// relay has a read go on by what is known of the parts now.
func (c *Cache) relay(r *request) bool {
	r.relaid++
	r.parts = c.partsKnown(r.v)
	r.whole = r.whole && r.parts == 0
	return r.relaid <= relaidMost
}
