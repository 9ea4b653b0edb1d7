package cache

// steps recognises reads that go backward, each ending where the one before began, and reads of one length at a constant
// distance. It is a part of window, and as pure.
type steps struct {
	last   span
	back   int   // reads in a row that went backward
	low    int64 // backward: where what was asked for begins; 0 = nothing yet
	size   int64 // backward: bytes to have ahead
	stride int64 // from the read before to the last
	same   int   // so many times in a row it was the same, with reads of the same length
	sent   int   // strides that were asked for in front of the last read
}

const (
	backAfter   = 2       // reads in a row
	strideAfter = 2       // repetitions of a distance: the fourth read
	strideMost  = 32      // reads ahead of a strided reader: each is a request
	backRange   = 1 << 20 // bytes of one request: its last block is wanted first
	backFirst   = 2 << 20 // bytes ahead of a backward reader at first
	backMost    = 8 << 20 // and at most: such runs are short
)

// backward tells whether the last reads went backward.
func (s *steps) backward() bool { return s.back >= backAfter }

// observe takes a read in.
func (s *steps) observe(read span) {
	distance := read.off - s.last.off
	switch {
	case s.last == span{}:
	case read.off < s.last.off && read.end >= s.last.off && read.end <= s.last.end:
		s.back++
	default:
		s.back, s.low, s.size = 0, 0, 0
	}
	if distance == s.stride && distance != 0 && read.len() == s.last.len() {
		s.same++
		s.sent = max(s.sent-1, 0)
	} else {
		s.stride, s.same, s.sent = distance, 0, 0
	}
	s.last = read
}

// extend adds to p what is likely to be read next.
func (s *steps) extend(p *plan, size, limit int64) {
	switch {
	case s.backward():
		s.extendBackward(p, size, limit)
	case s.same >= strideAfter:
		s.extendStride(p, size, limit)
	}
}

// extendBackward has a window below the read that doubles each time the reader enters what was asked for last.
func (s *steps) extendBackward(p *plan, size, limit int64) {
	if s.low == 0 || s.low > p.fetch.off {
		s.low = p.fetch.off
	}
	if s.size == 0 {
		s.size = backFirst
	}
	ahead := min(s.size, limit) / blockSize * blockSize
	target := max(p.fetch.off-ahead, 0)
	if s.low-target < max(ahead/2, blockSize) && target > 0 || s.low == target {
		return
	}
	p.most = backRange
	for end := s.low; end > target; {
		off := max(end-backRange, target)
		p.ahead = append(p.ahead, span{off, end})
		end = off
	}
	s.low = target
	s.size = min(2*s.size, backMost)
}

// extendStride asks for twice as many of the next reads each time, up to strideMost.
func (s *steps) extendStride(p *plan, size, limit int64) {
	n := s.last.len()
	many := int(min(int64(2)<<min(s.same-strideAfter, 8), strideMost, limit/n))
	if many-s.sent < (many+1)/2 {
		return
	}
	for i := s.sent + 1; i <= many; i++ {
		off := s.last.off + int64(i)*s.stride
		if off < 0 || off >= size {
			break
		}
		p.ahead = append(p.ahead, align(span{off, min(off+n, size)}, p.unit, size))
		s.sent = i
	}
}
