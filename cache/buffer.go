package cache

import "sync"

// bufferPool reuses the buffers of full blocks and pages. Shorter ones (the ends
// of files) are left to the garbage collector.
type bufferPool struct {
	blocks, pages sync.Pool
}

func (p *bufferPool) get(n int64) []byte {
	switch n {
	case blockSize:
		if b, ok := p.blocks.Get().(*[blockSize]byte); ok {
			return b[:]
		}
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
		p.blocks.Put((*[blockSize]byte)(b))
	case pageSize:
		p.pages.Put((*[pageSize]byte)(b))
	}
}
