package cache

import (
	"math/bits"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// bufferPool has the buffers of blocks and pages. Those of full blocks are mapped memory outside of the collector's heap: a
// heap may grow by twice what lives in it before it is collected, which would be a multiple of the cache here. A
// buffer that was freed goes to who wants one next; of those that nobody wants the machine gets the
// memory back. Shorter ones (pages, the ends of files) are the collector's.
//
// Blocks are cut from slabs that the kernel may back by a single huge page each: what is copied into them and lent to
// the kernel out of them costs a fraction of the walks through page tables then.
type bufferPool struct {
	keep int // free buffers of blocks that keep their memory

	mu      sync.Mutex
	lists   [slabStates][]*slab
	slabs   map[uintptr]*slab // all that is mapped, by their address
	regions [][]byte          // what they were cut from
	hot     int               // free buffers that have memory
	used    int               // buffers that are not free

	pages sync.Pool
}

const (
	// hotShare is the part of the cache's memory that free buffers may keep, and hotMost their number (32 MiB): what a window swings by.
	// To give memory back and to have it again costs a tenth of the processor's time of a sequential read.
	hotShare = 4
	hotMost  = 256

	slabSize    = 2 << 20 // bytes, and what it is aligned to: a huge page of amd64, and of arm64 with pages of 4 KiB
	slabBlocks  = slabSize / int(blockSize)
	slabAll     = slabMask(1<<slabBlocks - 1)
	regionSlabs = 8
)

// slabMask is a set of a slab's blocks.
type slabMask uint16

// slab is the memory of some blocks.
type slab struct {
	mem       []byte
	hot, cold slabMask // free blocks with memory and without
	state     slabState
	at        int // its place in the list of its state
}

// slabState says what a slab is good for; the list of the first that has any gives the next block, so that the ones in use stay together and
// others become wholly free.
type slabState uint8

const (
	slabPartial slabState = iota // some blocks are in use, some are free and have memory
	slabFree                     // none is in use, some have memory
	slabCold                     // what is free has no memory
	slabFull                     // all are in use
	slabStates
)

func (s *slab) is() slabState {
	switch {
	case s.hot == 0 && s.cold == 0:
		return slabFull
	case s.hot == 0:
		return slabCold
	case s.hot|s.cold == slabAll:
		return slabFree
	}
	return slabPartial
}

// hotBuffers is how many free buffers a cache of so many bytes keeps.
func hotBuffers(memory int64) int { return int(min(memory/hotShare/blockSize, hotMost)) }

func (p *bufferPool) get(n int64) []byte {
	switch n {
	case blockSize:
		return p.block()
	case pageSize:
		if b, ok := p.pages.Get().(*[pageSize]byte); ok {
			return b[:]
		}
	}
	return make([]byte, n)
}

func (p *bufferPool) block() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.next()
	if s == nil {
		return make([]byte, blockSize, blockSize+1) // there is no more to be mapped; the capacity tells it from the others
	}
	from := &s.hot
	switch {
	case s.hot != 0:
		p.hot--
	case s.cold == slabAll: // the first byte that is touched brings memory for all
		s.hot, s.cold = slabAll, 0
		p.hot += slabBlocks - 1
	default:
		from = &s.cold
	}
	i := bits.TrailingZeros16(uint16(*from))
	*from &^= 1 << i
	p.used++
	p.moved(s)
	return s.block(i)
}

// next is a slab with a free block; nil = there is none to be had.
func (p *bufferPool) next() *slab {
	for range 2 {
		for _, list := range p.lists[:slabFull] {
			if len(list) > 0 {
				return list[len(list)-1]
			}
		}
		if !p.grow() {
			break
		}
	}
	return nil
}

func (s *slab) block(i int) []byte {
	from := i * int(blockSize)
	return s.mem[from : from+int(blockSize) : from+int(blockSize)]
}

// grow maps more slabs. No memory is behind them yet.
func (p *bufferPool) grow() bool {
	region, err := unix.Mmap(-1, 0, (regionSlabs+1)*slabSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_NORESERVE)
	if err != nil {
		return false
	}
	_ = unix.Madvise(region, unix.MADV_HUGEPAGE) // a kernel without huge pages does as well
	if p.slabs == nil {
		p.slabs = map[uintptr]*slab{}
	}
	p.regions = append(p.regions, region)
	from := int(-address(region) & (slabSize - 1))
	for range regionSlabs {
		s := &slab{mem: region[from : from+slabSize], cold: slabAll, state: slabCold, at: len(p.lists[slabCold])}
		p.lists[slabCold] = append(p.lists[slabCold], s)
		p.slabs[address(s.mem)] = s
		from += slabSize
	}
	return true
}

// address is that of mapped memory, which the collector does not move.
func address(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) } //nolint:gosec // only compared

// moved puts a slab whose blocks have changed into the list that it belongs to. Called with mu held.
func (p *bufferPool) moved(s *slab) {
	state := s.is()
	if state == s.state {
		return
	}
	from := p.lists[s.state]
	last := from[len(from)-1]
	from[s.at], last.at = last, s.at
	from[len(from)-1] = nil
	p.lists[s.state] = from[:len(from)-1]
	s.state, s.at = state, len(p.lists[state])
	p.lists[state] = append(p.lists[state], s)
}

func (p *bufferPool) put(b []byte) {
	switch int64(len(b)) {
	case blockSize:
		if int64(cap(b)) == blockSize {
			p.free(b)
		}
	case pageSize:
		p.pages.Put((*[pageSize]byte)(b))
	}
}

func (p *bufferPool) free(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used--
	at := address(b)
	s := p.slabs[at&^(slabSize-1)]
	i := int(at&(slabSize-1)) / int(blockSize)
	s.hot |= 1 << i
	p.hot++
	if p.hot > p.keep {
		p.cool(s, i)
	}
	p.moved(s)
}

// cool gives memory back: of the whole slab, if nobody uses any of it, else of a block, which costs the slab its huge page.
// What the kernel does not take stays as it is. Called with mu held.
func (p *bufferPool) cool(s *slab, i int) {
	mem, which := s.block(i), slabMask(1)<<i
	if s.is() == slabFree {
		mem, which = s.mem, s.hot
	}
	if unix.Madvise(mem, unix.MADV_DONTNEED) != nil {
		return
	}
	p.hot -= bits.OnesCount16(uint16(which))
	s.hot, s.cold = s.hot&^which, s.cold|which
}

// close unmaps everything. Buffers that are still read are left alone, and all others with them.
func (p *bufferPool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.used > 0 {
		return
	}
	for _, region := range p.regions {
		_ = unix.Munmap(region) // nothing to be done about it
	}
	p.regions, p.slabs, p.hot = nil, nil, 0
	clear(p.lists[:])
}
