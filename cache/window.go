package cache

// span is a range of bytes [off, end).
type span struct{ off, end int64 }

func (s span) len() int64 { return s.end - s.off }

// plan is what a read needs and what is worth fetching with it.
type plan struct {
	read   span   // what the reader waits for
	fetch  span   // contains read; what of it is missing is fetched now
	unit   int64  // blockSize or pageSize: in what units fetch and ahead are aligned and cached
	whole  bool   // fetch is the whole object: worth checking
	ahead  []span // fetched for later reads, the first of them first
	most   int64  // bytes of one request of ahead; 0 = Config.MaxRange
	front  int64  // everything from fetch to here was asked for; 0 = nothing
	spend  bool   // what was read is not expected to be read again
	verify bool   // a run from the object's beginning, which goes on
	once   bool   // what is fetched is not kept
	parts  bool   // it goes on, or covers all: worth fetching by whole parts
}

// window decides what to fetch for the reads of one handle. It is a pure state
// machine:
//
//	        a read at 0               a read near next
//	start ──────────────▶ sequential ◀─────┐
//	  │                     │    ▲  └──────┘ the frontier moves ahead
//	  │ a read elsewhere    │    │
//	  ▼                     │    │ the 2nd read in a row near next, or a read at 0
//	random ◀────────────────┘────┘
//	         a read elsewhere
//
// "Near" is within 4 times the read's length (128 KiB to 4 MiB): the kernel sends
// the pieces of its own readahead in any order. Beside that it is told from
// the reads whether they go backward, or by a constant stride (see steps).
//
// A sequential window begins with firstRange. When the reader has got half of that the next 8 MiB
// are fetched; then it grows four times each
// time the reader enters what was asked for last, up to maxWindow: what is ahead is at most 32
// times what has been read. It is fetched by windowRanges requests, each of which is followed by the
// next one when so much has been read. To a store that is near, nearWindow and nearRanges bring as much, in less memory.
type window struct {
	near    bool // the store answers at once (see pace.near)
	started bool
	from0   bool  // the run began at the object's beginning
	next    int64 // end of the furthest read of the run
	streak  int   // reads in a row near next
	size    int64 // bytes to have ahead; 0 = not sequential
	front   int64 // end of what was asked for
	mark    int64 // reading behind it makes the window grow

	steps steps
}

const (
	nearMin = 128 << 10
	nearMax = 4 << 20
	// sequentialAfter reads in a row near each other readahead begins.
	sequentialAfter = 2
	// bigRead is the length from which on a random read is fetched in blocks: the
	// rounding adds at most a quarter.
	bigRead = 1 << 20

	secondRange = 8 << 20 // bytes ahead once a reader has shown that it goes on
	growth      = 4
	maxWindow   = 48 << 20 // bytes ahead of one reader: more makes nothing faster
	// windowRanges is how many requests bring what a window has ahead, where they are neither smaller than minRange nor
	// larger than stepAhead.
	windowRanges = 12
	nearWindow   = 32 << 20
	nearRanges   = 8
	minRange     = 1 << 20
	stepAhead    = 8 << 20
)

// plan takes in a read of n > 0 bytes at off < size, and says what to fetch.
// limit bounds in bytes what may be ahead of the reader; with 0 each read
// stands for itself.
func (w *window) plan(off, n, size, limit int64) plan {
	limit = min(limit, w.most())
	read := span{off, min(off+n, size)}
	w.observe(read)
	p := plan{read: read, fetch: read, unit: pageSize}
	switch {
	case size <= firstRange, off == 0 && w.front == 0 && size <= wholeSize && limit > 0:
		p.fetch, p.unit, p.whole, p.parts = span{0, size}, blockSize, true, true
		w.front, w.mark = size, size
		return p
	case limit > 0 && (w.size > 0 || w.steps.backward()):
		p.unit = blockSize
	case read.len() >= bigRead || w.streak > 0:
		p.unit = blockSize
	}
	p.fetch = align(read, p.unit, size)
	if p.unit == blockSize && p.fetch == (span{0, size}) && size <= wholeSize {
		p.whole, p.parts = true, true
	}
	switch {
	case limit == 0:
	case w.size > 0:
		w.extend(&p, size, limit)
		p.spend, p.front = size > wholeSize, w.front
		p.verify = w.from0 && w.next > firstRange/2
		p.parts = w.from0 || w.size > firstRange
	default:
		w.steps.extend(&p, size, limit)
	}
	return p
}

// observe classifies the read and moves the run on.
func (w *window) observe(read span) {
	w.steps.observe(read)
	near := min(max(4*read.len(), nearMin), nearMax)
	if w.started && read.off >= w.next-near && read.off <= w.next+near && !(w.size == 0 && w.steps.backward()) {
		if read.end > w.next {
			w.streak++
			w.next = read.end
		}
		w.from0 = w.from0 || read.off == 0 // the kernel's reads overtake each other
		if w.size == 0 && (w.streak >= sequentialAfter || read.off == 0 && !w.steps.backward()) {
			w.size = firstRange
		}
		return
	}
	*w = window{near: w.near, started: true, next: read.end, steps: w.steps}
	if read.off == 0 && !w.steps.backward() {
		w.size, w.from0 = firstRange, true
	}
}

// extend moves the frontier of a sequential window: at first by one range that
// begins with the read, later by full requests, and by
// all that a step of growth brings.
func (w *window) extend(p *plan, size, limit int64) {
	if w.front == 0 {
		if limit >= firstRange {
			p.fetch.end = max(p.fetch.end, align(span{p.read.off, p.read.off + firstRange}, blockSize, size).end)
		}
		w.front, w.mark = p.fetch.end, p.read.off+firstRange/2
		return
	}
	// A read that overtook its neighbours does not leave a hole: they come at once.
	p.fetch.off = min(p.fetch.off, max(w.front, p.fetch.off-nearMax))
	w.front = max(w.front, p.fetch.end)
	if p.read.end > w.mark && w.size < limit {
		w.size = min(max(w.size*growth, secondRange), limit)
		w.mark = w.front
	}
	if w.size == firstRange && w.size < limit {
		return // a first range says nothing of a second one
	}
	ahead := min(w.size, limit)
	target := min(p.read.end+ahead, size)
	step := min(max(ahead/w.ranges()/blockSize*blockSize, minRange), stepAhead) // bytes of one request
	if w.size < limit {
		step = max(step, ahead/2) // all that a step of growth brings is asked for at once
	}
	switch {
	case target < size && target-w.front < step, target <= w.front:
		return
	case target < size: // full pieces
		target = w.front + (target-w.front)/step*step
	}
	target = align(span{0, target}, blockSize, size).end
	p.most = min(max(align(span{0, ahead / w.ranges()}, blockSize, size).end, minRange), stepAhead)
	p.ahead = []span{{w.front, target}}
	w.front = target
}

// most is how much is worth having ahead, in bytes.
func (w *window) most() int64 {
	if w.near {
		return nearWindow
	}
	return maxWindow
}

// ranges is how many requests bring it.
func (w *window) ranges() int64 {
	if w.near {
		return nearRanges
	}
	return windowRanges
}

// align widens s to multiples of unit, but not behind size.
func align(s span, unit, size int64) span {
	return span{s.off / unit * unit, min((s.end+unit-1)/unit*unit, size)}
}
