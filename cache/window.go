package cache

// span is a range of bytes [off, end).
type span struct{ off, end int64 }

func (s span) len() int64 { return s.end - s.off }

// plan is what a read needs and what is worth fetching with it.
type plan struct {
	read  span  // what the reader waits for
	fetch span  // contains read; what of it is missing is fetched now
	unit  int64 // blockSize or pageSize: in what units fetch is aligned and cached
	whole bool  // fetch is the whole object: worth checking
	ahead span  // behind fetch: fetched for later reads; empty = nothing
	once  bool  // what is fetched is not kept
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
// the pieces of its own readahead in any order.
//
// A sequential window begins with firstRange and doubles each time the
// reader enters the range that was asked for last, so that what is fetched ahead is
// never more than about three times what has been read.
type window struct {
	started bool
	next    int64 // end of the furthest read of the run
	streak  int   // reads in a row near next
	size    int64 // bytes to have ahead; 0 = not sequential
	front   int64 // end of what was asked for
	mark    int64 // where the range that was asked for last begins: reading it doubles size
}

const (
	nearMin = 128 << 10
	nearMax = 4 << 20
	// sequentialAfter reads in a row near each other readahead begins.
	sequentialAfter = 2
	// bigRead is the length from which on a random read is fetched in blocks: the
	// rounding adds at most a quarter.
	bigRead = 1 << 20
)

// plan takes in a read of n > 0 bytes at off < size, and says what to fetch.
// limit bounds in bytes what may be ahead of the reader; with 0 each read
// stands for itself.
func (w *window) plan(off, n, size, limit int64) plan {
	read := span{off, min(off+n, size)}
	w.observe(read)
	p := plan{read: read, fetch: read, unit: pageSize}
	switch {
	case size <= firstRange, off == 0 && w.front == 0 && size <= min(wholeSize, limit):
		p.fetch, p.unit, p.whole = span{0, size}, blockSize, true
		w.front, w.mark = size, size
		return p
	case limit > 0 && w.size > 0:
		p.unit = blockSize
	case read.len() >= bigRead || w.streak > 0:
		p.unit = blockSize
	}
	p.fetch = align(read, p.unit, size)
	if limit > 0 && w.size > 0 {
		w.extend(&p, size, limit)
	}
	return p
}

// observe classifies the read and moves the run on.
func (w *window) observe(read span) {
	near := min(max(4*read.len(), nearMin), nearMax)
	if w.started && read.off >= w.next-near && read.off <= w.next+near {
		if read.end > w.next {
			w.streak++
			w.next = read.end
		}
		if w.size == 0 && w.streak >= sequentialAfter {
			w.size = firstRange
		}
		return
	}
	*w = window{started: true, next: read.end}
	if read.off == 0 {
		w.size = firstRange
	}
}

// extend moves the frontier of a sequential window: at first by one range that
// begins with the read, later by what makes at least half of the window.
func (w *window) extend(p *plan, size, limit int64) {
	if w.front == 0 {
		if limit >= firstRange {
			p.fetch.end = max(p.fetch.end, align(span{p.read.off, p.read.off + firstRange}, blockSize, size).end)
		}
		w.front, w.mark = p.fetch.end, p.fetch.end
		return
	}
	// A read that overtook its neighbours does not leave a hole: they come at once.
	p.fetch.off = min(p.fetch.off, max(w.front, p.fetch.off-nearMax))
	w.front = max(w.front, p.fetch.end)
	if p.read.end > w.mark && w.size < limit {
		w.size *= 2
		w.mark = size // once for each range
	}
	ahead := min(w.size, limit)
	target := align(span{p.read.off, p.read.end + ahead}, blockSize, size).end
	if target > w.front && (target == size || target-w.front >= ahead/2) {
		p.ahead = span{w.front, target}
		w.mark, w.front = w.front, target
	}
}

// align widens s to multiples of unit, but not behind size.
func align(s span, unit, size int64) span {
	return span{s.off / unit * unit, min((s.end+unit-1)/unit*unit, size)}
}
