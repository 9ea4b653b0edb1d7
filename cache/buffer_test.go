package cache

import "testing"

// Buffers are used again, each by one user at a time, and all memory is given back at the end.
func TestBuffersAreUsedAgain(t *testing.T) {
	keep := hotBuffers(32 << 20)
	if keep != 64 || hotBuffers(4<<20) != 8 || hotBuffers(1<<30) != hotMost {
		t.Errorf("%d free buffers of 32 MiB keep their memory", keep)
	}
	p := bufferPool{keep: keep}
	var held [][]byte
	for range 3 * keep {
		b := p.get(blockSize)
		for _, c := range b[:8] {
			if c == 7 {
				t.Fatal("a buffer that is in use was given away")
			}
		}
		b[0], b[blockSize-1] = 7, 7
		held = append(held, b)
	}
	slabs := len(p.slabs)
	for _, b := range held {
		b[0] = 0
		p.put(b)
	}
	if len(p.hot) != keep || p.used != 0 {
		t.Errorf("%d free buffers keep their memory, %d are used", len(p.hot), p.used)
	}
	held = held[:0]
	for range 3 * keep {
		held = append(held, p.get(blockSize))
	}
	if len(p.slabs) != slabs {
		t.Errorf("%d slabs, %d did before", len(p.slabs), slabs)
	}
	p.close() // they are in use: nothing may happen to them
	for _, b := range held {
		b[0] = 1
		p.put(b)
	}
	for _, n := range []int64{pageSize, 1, 1000, blockSize - 1} {
		b := p.get(n)
		if int64(len(b)) != n {
			t.Errorf("%d bytes, want %d", len(b), n)
		}
		p.put(b)
	}
	p.put(make([]byte, blockSize, blockSize+1)) // not one of ours
	if p.used != 0 {
		t.Errorf("%d are used", p.used)
	}
	p.close()
	if p.slabs != nil || p.hot != nil {
		t.Error("memory was kept")
	}
}
