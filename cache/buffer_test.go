package cache

import (
	"encoding/binary"
	"math/bits"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// count checks what the pool says of itself against its slabs.
func (p *bufferPool) count(t interface{ Errorf(string, ...any) }) {
	hot, free, slabs := 0, 0, 0
	for state, list := range p.lists {
		for i, s := range list {
			if s.is() != slabState(state) || s.state != slabState(state) || s.at != i || s.hot&s.cold != 0 {
				t.Errorf("a slab %04x %04x is %d in list %d at %d", s.hot, s.cold, s.state, state, i)
			}
			hot += bits.OnesCount16(uint16(s.hot))
			free += bits.OnesCount16(uint16(s.hot | s.cold))
			slabs++
		}
	}
	if hot != p.hot || slabs != len(p.slabs) || slabs*slabBlocks-free != p.used {
		t.Errorf("%d hot, said %d; %d of %d slabs; %d used, said %d", hot, p.hot, slabs, len(p.slabs), slabs*slabBlocks-free, p.used)
	}
}

// Buffers are used again, each by one user at a time, and all memory is given back at the end.
func TestBuffersAreUsedAgain(t *testing.T) {
	keep := hotBuffers(32 << 20)
	if keep != 64 || hotBuffers(4<<20) != 8 || hotBuffers(1<<30) != hotMost {
		t.Errorf("%d free buffers of 32 MiB keep their memory", keep)
	}
	p := bufferPool{keep: keep}
	var held [][]byte
	for i := range 3 * keep {
		b := p.get(blockSize)
		if binary.LittleEndian.Uint64(b) != 0 {
			t.Fatal("a buffer that is in use was given away")
		}
		binary.LittleEndian.PutUint64(b, uint64(i)+1)
		b[blockSize-1] = 7
		held = append(held, b)
	}
	slabs := len(p.slabs)
	for _, b := range held {
		clear(b[:8])
		p.put(b)
	}
	if p.hot != keep || p.used != 0 {
		t.Errorf("%d free buffers keep their memory, %d are used", p.hot, p.used)
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
	p.count(t)
	p.close()
	if p.slabs != nil || p.regions != nil || p.hot != 0 {
		t.Error("memory was kept")
	}
}

// Whatever is taken and given back in whatever order: nobody's bytes are another's, no more free buffers keep their memory than
// may, but for a slab's, and what is said to have none has none.
func TestBuffersModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := bufferPool{keep: rapid.IntRange(0, 40).Draw(t, "keep")}
		held := map[uint64][]byte{}
		var order []uint64
		next := uint64(1)
		give := func(i int) {
			n := order[i]
			if b := held[n]; binary.LittleEndian.Uint64(b) != n || binary.LittleEndian.Uint64(b[blockSize-8:]) != n {
				t.Fatalf("buffer %d has another's bytes", n)
			}
			p.put(held[n])
			delete(held, n)
			order = append(order[:i], order[i+1:]...)
		}
		for range rapid.IntRange(1, 12).Draw(t, "phases") {
			for range rapid.IntRange(0, 80).Draw(t, "take") {
				b := p.get(blockSize)
				binary.LittleEndian.PutUint64(b, next)
				binary.LittleEndian.PutUint64(b[blockSize-8:], next)
				held[next] = b
				order = append(order, next)
				next++
			}
			for range rapid.IntRange(0, len(order)).Draw(t, "give") {
				give(rapid.IntRange(0, len(order)-1).Draw(t, "which"))
			}
			p.count(t)
			if p.hot > p.keep+slabBlocks-1 || p.used != len(held) {
				t.Errorf("%d free ones have memory, %d may; %d are used, %d held", p.hot, p.keep, p.used, len(held))
			}
			for _, s := range p.slabs {
				for i := range slabBlocks {
					if s.cold&(1<<i) != 0 && resident(t, s.block(i)) {
						t.Fatal("a buffer that is said to have no memory has some")
					}
				}
			}
		}
		for len(order) > 0 {
			give(len(order) - 1)
		}
		p.close()
		if p.regions != nil {
			t.Error("memory was kept")
		}
	})
}

// resident: some of it is in memory.
func resident(t *rapid.T, b []byte) bool {
	pages := make([]byte, (len(b)+unix.Getpagesize()-1)/unix.Getpagesize())
	if err := mincore(b, pages); err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		if page&1 != 0 {
			return true
		}
	}
	return false
}

func mincore(b, pages []byte) error {
	_, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), uintptr(unsafe.Pointer(&pages[0])))
	if errno != 0 {
		return errno
	}
	return nil
}
