package uploader

import (
	"math"
	"sync"
)

// tracker knows what has happened to the parts of an open generation. Its mutex is a leaf.
//
// A part of a file that is being written is read while others may write to it. So each write is noted before its first
// byte and after its last one: what was uploaded stands only if no write has begun since the part was looked at, and none was
// under way then.
type tracker struct {
	layout layout

	mu    sync.Mutex
	parts []tracked // by number-1; those behind the end were never written
	last  int       // the part with the byte that was written last
	cut   int64     // the lowest byte that was cut, or filled with zeros; toEnd = none was
	ready []int     // parts that the writer has left complete, to be sent; each is in it once in the life of an upload
}

// tracked is one part.
type tracked struct {
	writes uint64 // begun
	low    int64  // the first byte of the file that one of them was for
	under  int    // of them not ended yet
	sent   uint64 // writes+1 when it was read that was uploaded; 0 = not uploaded
	filled int64  // bytes written, those written twice counted twice
	queued bool   // is or was in ready

	sum    uint32 // CRC-32 of the first summed bytes, as they were written; see sums.go
	summed int64
	mixed  bool // several writes were under way at the same time
}

// span is what an operation changes of a file: [off, end).
type span struct {
	off, end int64
	data     []byte // what it is filled with; nil = it is cut, or filled with zeros
	size     int64  // that the file has then at least
}

// touch is a change under way: its span and the parts of it, [first, behind).
type touch struct {
	span
	first, behind int
}

// toEnd is the end of a span that has none.
const toEnd = math.MaxInt64

func newTracker(l layout) *tracker { return &tracker{layout: l, cut: toEnd} }

// touched gives the first part of a span, and the one behind its last. Called with mu held.
func (t *tracker) touched(s span) (first, end int) {
	if s.end <= s.off {
		return 0, 0
	}
	first = t.layout.index(s.off)
	if end = t.layout.index(s.end-1) + 1; s.data == nil {
		return first, max(first, min(end, len(t.parts)))
	}
	for len(t.parts) < end {
		t.parts = append(t.parts, tracked{})
	}
	return first, end
}

// begin notes that the bytes of a span are about to change.
func (t *tracker) begin(s span) touch {
	t.mu.Lock()
	defer t.mu.Unlock()
	first, end := t.touched(s)
	if s.data == nil && s.end > s.off {
		t.cut = min(t.cut, s.off)
	}
	for i := first; i < end; i++ {
		p := &t.parts[i]
		if p.writes++; p.writes == 1 || s.off < p.low {
			p.low = s.off
		}
		p.mixed = p.mixed || p.under > 0
		p.under++
	}
	return touch{span: s, first: first, behind: end}
}

// end notes that they have changed, or that this has failed. It reports whether the writer has left a part complete.
func (t *tracker) end(s touch, ok bool) (passed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	first, end := s.first, s.behind
	for i := first; i < end; i++ {
		p := &t.parts[i]
		p.under--
		switch off, n := t.layout.at(i); {
		case !ok:
			p.summed = 0
		case s.data != nil:
			from, to := max(s.off, off), min(s.end, off+n)
			p.filled += to - from
			p.add(s.data[from-s.off:to-s.off], from-off, !p.mixed)
		default:
			p.filled, p.summed = 0, 0
		}
		p.mixed = p.mixed && p.under > 0
	}
	t.late(s)
	if !ok || s.data == nil || first == end {
		return false
	}
	before := t.last
	t.last = end - 1
	passed = t.leave(before)
	for i := first; i < end-1; i++ {
		passed = t.leave(i) || passed
	}
	return passed
}

// late: a cut also changes the parts that others have begun to write since it began. Called with mu held.
func (t *tracker) late(s touch) {
	if s.data != nil {
		return
	}
	first, end := t.touched(s.span)
	for i := max(first, s.behind); i < end; i++ {
		p := &t.parts[i]
		p.writes++
		p.low = 0
		p.filled, p.summed, p.mixed = 0, 0, p.under > 0
	}
}

// leave: the writer is elsewhere now. Called with mu held.
func (t *tracker) leave(i int) bool {
	if i == t.last || i >= len(t.parts) {
		return false
	}
	p := &t.parts[i]
	if _, n := t.layout.at(i); p.queued || p.filled < n {
		return false
	}
	p.queued = true
	t.ready = append(t.ready, i)
	return true
}

// next takes the next part to be sent, and what look says of it.
func (t *tracker) next() (i int, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.ready) == 0 {
		return 0, false
	}
	i = t.ready[0]
	t.ready = t.ready[1:]
	return i, true
}

// look is asked before a part is read; ok is false while it is written to.
func (t *tracker) look(i int) (seen uint64, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.parts) <= i { // one that is never written to can be copied
		t.parts = append(t.parts, tracked{})
	}
	if t.parts[i].under > 0 {
		return 0, false
	}
	return t.parts[i].writes + 1, true
}

// forget lets a part that was not complete when its turn came be left again.
func (t *tracker) forget(i int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i < len(t.parts) {
		t.parts[i].queued, t.parts[i].filled = false, 0
	}
}

// same: nobody has written to the part since look.
func (t *tracker) same(i int, seen uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return i < len(t.parts) && t.parts[i].writes+1 == seen
}

// uploaded notes that what look has seen is in the store, if it is still what the part has.
func (t *tracker) uploaded(i int, seen uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i >= len(t.parts) || t.parts[i].writes+1 != seen {
		return false
	}
	t.parts[i].sent = seen
	return true
}

// dirty: what was uploaded of the part is not what it has.
func (t *tracker) dirty(i int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return i < len(t.parts) && t.parts[i].sent != t.parts[i].writes+1
}

// anew: the upload has gone; what was sent is to be sent again.
func (t *tracker) anew() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.parts {
		if p := &t.parts[i]; p.sent > 0 {
			p.sent, p.queued = 0, false
			t.leave(i)
		}
	}
}

// waiting: there is something to be sent.
func (t *tracker) waiting() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.ready) > 0
}
