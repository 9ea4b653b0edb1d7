package disk

import (
	"slices"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"go.uber.org/zap"
)

// Store is a set of blocks on a disk. Its methods are safe for concurrent use.
type Store struct {
	cfg  Config
	log  *zap.Logger
	lock *flock.Flock

	limit int64 // that bytes may reach before a segment goes; above it is room to carry all of it

	mu     sync.Mutex
	index  map[uint64]place
	segs   map[uint32]*segment
	order  []uint32 // of segs, the oldest first
	active *segment // that is being written; nil = none. The writer's
	bytes  int64    // of all segments
	queue  queue
	stats  Stats
	closed bool

	// The writer's own.
	newest     uint32    // the last sequence number given
	allowance  int64     // bytes that may be carried: as many as were put, so that each is written twice at most
	pausedTill time.Time // nothing is written before
	complained map[string]bool
	direct     bool // O_DIRECT has not been refused yet

	writer sync.WaitGroup
	heads  sync.Pool // of headers of whole blocks
}

// place is where a record is: the n-th of a segment.
type place struct{ seq, n uint32 }

// find gives the record of a unit of length bytes. Store.mu is held.
func (d *Store) find(v Version, index int64, page bool, length int) (*segment, *rec) {
	p, ok := d.index[unitID(v, index, page)]
	if !ok {
		return nil, nil
	}
	s := d.segs[p.seq]
	if r := &s.recs[p.n]; int(r.length) == length {
		return s, r
	}
	return nil, nil
}

// Has tells whether a unit of length bytes seems to be there, alone or, a page, in its block; size is the object's.
func (d *Store) Has(v Version, index int64, page bool, length int, size int64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return false
	}
	if s, _ := d.find(v, index, page, length); s != nil {
		return true
	}
	if !page {
		return false
	}
	block, blockLen, _ := blockOf(index, size)
	s, _ := d.find(v, block, false, blockLen)
	return s != nil
}

// blockOf gives the block that a page lies in, the block's length, and the page's place in it.
func blockOf(page, size int64) (block int64, length, at int) {
	block = page / (BlockSize / PageSize)
	return block, int(min(BlockSize, size-block*BlockSize)), int(page % (BlockSize / PageSize))
}

// maxRun bounds the units that are read by one call.
const maxRun = 64

// Load fills bufs with the units first, first+1, … of a version of size bytes, as many of them as are there and right, in
// this order, and returns how many. A buffer is as long as its unit. What follows is not there, or has turned out to be bad and
// has been forgotten.
func (d *Store) Load(v Version, first int64, page bool, bufs [][]byte, size int64) (n int) {
	for n < len(bufs) {
		got := d.loadRun(v, first+int64(n), page, bufs[n:])
		if got == 0 && page {
			got = d.loadPages(v, first+int64(n), bufs[n:], size)
		}
		if got == 0 {
			break
		}
		n += got
	}
	return n
}

// run is adjacent records of one segment, which is marked as being read.
type run struct {
	seg   *segment
	off   int64
	ids   []uint64
	heads []byte // room for the headers
}

// adjacent finds the records of the units from first on that lie behind each other.
func (d *Store) adjacent(v Version, first int64, page bool, bufs [][]byte) (r run) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return r
	}
	heads, end := 0, int64(0)
	for i, b := range bufs[:min(len(bufs), maxRun)] {
		s, found := d.find(v, first+int64(i), page, len(b))
		if s == nil || r.seg != nil && (s != r.seg || int64(found.off) != end) {
			break
		}
		if r.seg == nil {
			r.seg, r.off = s, int64(found.off)
		}
		found.used = d.order[len(d.order)-1]
		end = found.end()
		heads += headLen(len(b))
		r.ids = append(r.ids, found.id)
	}
	if r.seg != nil {
		r.seg.readers++
		r.heads = make([]byte, heads)
	}
	return r
}

// loadRun reads what [Store.adjacent] finds.
func (d *Store) loadRun(v Version, first int64, page bool, bufs [][]byte) int {
	r := d.adjacent(v, first, page, bufs)
	if r.seg == nil {
		return 0
	}
	bufs = bufs[:len(r.ids)]
	parts := make([][]byte, 0, 3*len(bufs))
	var pad []byte // is read into again and again
	heads := make([][]byte, len(bufs))
	rest := r.heads
	for i, b := range bufs {
		n := headLen(len(b))
		heads[i], rest = rest[:n], rest[n:]
		parts = append(parts, heads[i])
		if n := padding(len(b)); n > 0 {
			if pad == nil {
				pad = make([]byte, n)
			}
			parts = append(parts, pad)
		}
		parts = append(parts, b)
	}
	read := r.seg.read(parts, r.off)
	good, bytes := 0, 0
	for i, b := range bufs {
		if !read || !isUnit(heads[i], v, first+int64(i), page, len(b)) || !dataIsGood(heads[i], b, 0) {
			d.forget(r.ids[i], r.seg)
			break
		}
		good++
		bytes += len(b)
	}
	d.endRead(r.seg, good, bytes)
	return good
}

// loadPages reads pages from the block that they lie in: its header, for the checksums, and of the data what is asked for.
func (d *Store) loadPages(v Version, first int64, bufs [][]byte, size int64) int {
	block, length, at := blockOf(first, size)
	bufs = bufs[:min(len(bufs), pages(length)-at)]
	d.mu.Lock()
	s, found := d.find(v, block, false, length)
	if d.closed || s == nil {
		d.mu.Unlock()
		return 0
	}
	s.readers++
	found.used = d.order[len(d.order)-1]
	id, off := found.id, int64(found.off)
	d.mu.Unlock()
	header := make([]byte, headLen(length))
	good, bytes := 0, 0
	if s.read([][]byte{header}, off) && isUnit(header, v, block, false, length) &&
		s.read(slices.Clone(bufs), off+int64(len(header)+padding(length)+at*PageSize)) {
		for i, b := range bufs {
			if !dataIsGood(header, b, at+i) {
				break
			}
			good++
			bytes += len(b)
		}
	}
	if good < len(bufs) {
		d.forget(id, s)
	}
	d.endRead(s, good, bytes)
	return good
}

// isUnit tells whether a header is that of the unit.
func isUnit(header []byte, v Version, index int64, page bool, length int) bool {
	h, ok := parseHead(header)
	return ok && h == head{version: v, index: index, page: page, length: length}
}

// forget takes a record that was found bad out of the index. Its segment is being read.
func (d *Store) forget(id uint64, s *segment) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stats.Bad++
	if d.index[id].seq == s.seq {
		delete(d.index, id)
	}
}

// endRead counts what was read of a segment.
func (d *Store) endRead(s *segment, good, bytes int) {
	d.mu.Lock()
	s.readers--
	last := s.gone && s.readers == 0
	d.stats.Hits += int64(good)
	d.stats.Read += int64(bytes)
	d.mu.Unlock()
	if last {
		s.close()
	}
}

// Stats returns the counters.
func (d *Store) Stats() Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.stats
	s.Dir, s.Size, s.Bytes, s.Blocks, s.Queued = d.cfg.Dir, d.cfg.Size, d.bytes, len(d.index), d.queue.bytes
	return s
}
