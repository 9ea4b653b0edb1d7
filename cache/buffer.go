package cache

import "sync"

// bufferPool reuses the buffers of full blocks, up to keptBuffers of them, and of pages. Shorter ones (the ends of
// files) are left to the garbage collector.
type bufferPool struct {
	mu     sync.Mutex
	blocks [][]byte
	pages  sync.Pool
}

// keptBuffers is how many free buffers of blocks are kept: 8 MiB. A pool that the collector empties would have them
// made and cleared anew all the time.
const keptBuffers = 64

func (p *bufferPool) get(n int64) []byte {
	switch n {
	case blockSize:
		p.mu.Lock()
		if last := len(p.blocks) - 1; last >= 0 {
			b := p.blocks[last]
			p.blocks[last], p.blocks = nil, p.blocks[:last]
			p.mu.Unlock()
			return b
		}
		p.mu.Unlock()
	case pageSize:
		if b, ok := p.pages.Get().(*[pageSize]byte); ok {
			return b[:]
		}
	}
	return make([]byte, n)
}

func (p *bufferPool) put(b []byte) {
	switch int64(len(b)) {
	case blockSize:
		p.mu.Lock()
		if len(p.blocks) < keptBuffers {
			p.blocks = append(p.blocks, b)
		}
		p.mu.Unlock()
	case pageSize:
		p.pages.Put((*[pageSize]byte)(b))
	}
}
