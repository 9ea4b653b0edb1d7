package cache

import (
	"sync"
	"syscall"
)

// bufferPool has the buffers of blocks and pages. Those of full blocks are mapped memory outside of the collector's heap: a
// heap may grow by twice what lives in it before it is collected, which would be a multiple of the cache here. A
// buffer that was freed goes to who wants one next; of those that nobody wants the machine gets the
// memory back. Shorter ones (pages, the ends of files) are the collector's.
type bufferPool struct {
	keep int // free buffers of blocks that keep their memory

	mu    sync.Mutex
	hot   [][]byte // free
	cold  [][]byte // free, without memory behind them
	slabs [][]byte // all that is mapped
	used  int      // buffers that are not free

	pages sync.Pool
}

const (
	// hotShare is the part of the cache's memory that free buffers may keep, and hotMost their number (32 MiB): what a window swings by.
	// To give memory back and to have it again costs a tenth of the processor's time of a sequential read.
	hotShare   = 4
	hotMost    = 256
	slabBlocks = 8
)

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
	from := &p.hot
	if len(p.hot) == 0 {
		from = &p.cold
	}
	if len(*from) == 0 && !p.grow() {
		return make([]byte, blockSize, blockSize+1) // there is no more to be mapped; the capacity tells it from the others
	}
	last := len(*from) - 1
	b := (*from)[last]
	(*from)[last], *from = nil, (*from)[:last]
	p.used++
	return b
}

// grow maps another slab.
func (p *bufferPool) grow() bool {
	slab, err := syscall.Mmap(-1, 0, slabBlocks*int(blockSize), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return false
	}
	p.slabs = append(p.slabs, slab)
	for i := range slabBlocks {
		at := i * int(blockSize)
		p.cold = append(p.cold, slab[at:at+int(blockSize):at+int(blockSize)])
	}
	return true
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
	if len(p.hot) < p.keep {
		p.hot = append(p.hot, b)
		return
	}
	if err := syscall.Madvise(b, syscall.MADV_DONTNEED); err != nil {
		p.hot = append(p.hot, b) // it keeps its memory then
		return
	}
	p.cold = append(p.cold, b)
}

// close unmaps everything. Buffers that are still read are left alone, and all others with them.
func (p *bufferPool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.used > 0 {
		return
	}
	for _, slab := range p.slabs {
		_ = syscall.Munmap(slab) // nothing to be done about it
	}
	p.slabs, p.hot, p.cold = nil, nil, nil
}
