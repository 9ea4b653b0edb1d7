package cache

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Whatever is read: plans cover the read, stay inside of the object, and what is
// ahead is aligned, bounded by the limit and never planned twice in a run.
func TestWindowBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var (
			w     = window{near: rapid.Bool().Draw(t, "near")}
			size  = rapid.Int64Range(1, 200<<20).Draw(t, "size")
			limit = rapid.SampledFrom([]int64{0, 1, 100_000, firstRange, 8 << 20, 64 << 20}).Draw(t, "limit")
			off   int64
		)
		for range rapid.IntRange(1, 60).Draw(t, "reads") {
			n := rapid.Int64Range(1, 4<<20).Draw(t, "n")
			switch rapid.IntRange(0, 5).Draw(t, "move") {
			case 0:
				off = rapid.Int64Range(0, size-1).Draw(t, "off")
			case 1:
				off = 0
			case 2:
				off = max(off-n, 0)
			}
			if off >= size {
				off = 0
			}
			p := w.plan(off, n, size, limit)
			read := span{off, min(off+n, size)}
			switch {
			case p.read != read:
				t.Fatalf("read %v, want %v", p.read, read)
			case p.fetch.off > read.off, p.fetch.end < read.end, p.fetch.off%p.unit != 0:
				t.Fatalf("fetch %v for %v", p.fetch, read)
			case p.fetch.end != size && p.fetch.end%p.unit != 0, p.fetch.end > size:
				t.Fatalf("fetch %v of %d", p.fetch, size)
			case p.whole && (p.fetch != span{0, size} || size > wholeSize):
				t.Fatalf("whole: %v of %d", p.fetch, size)
			}
			var ahead int64
			for _, a := range p.ahead {
				ahead += a.len()
				switch {
				case a.len() <= 0, a.off < 0, a.end > size, a.off%p.unit != 0, a.end%p.unit != 0 && a.end != size:
					t.Fatalf("ahead %v of %d", a, size)
				case a.off < p.fetch.end && a.end > p.fetch.off && w.steps.same < strideAfter:
					t.Fatalf("ahead %v, fetch %v", a, p.fetch)
				}
			}
			if slack := blockSize + int64(len(p.ahead))*pageSize; ahead > limit+slack {
				t.Fatalf("%d bytes ahead, limit %d", ahead, limit)
			}
			off += n
		}
	})
}

// A sequential reader's plans, in any size of reads, swapped with a
// neighbour now and then as the kernel does, ask for each byte once.
func TestWindowSequential(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.Int64Range(wholeSize+1, 100<<20).Draw(t, "size")
		n := rapid.SampledFrom([]int64{4 << 10, 64 << 10, 128 << 10, 1 << 20}).Draw(t, "n")
		var offs []int64
		for off := int64(0); off < size; off += n {
			offs = append(offs, off)
		}
		for range rapid.IntRange(0, 20).Draw(t, "swaps") {
			i := rapid.IntRange(1, max(len(offs)-2, 1)).Draw(t, "swap")
			if i+1 < len(offs) && offs[i] == int64(i)*n && offs[i+1] == int64(i+1)*n {
				offs[i], offs[i+1] = offs[i+1], offs[i]
			}
		}
		var (
			w       = window{near: rapid.Bool().Draw(t, "near")}
			planned int64 // everything below was asked for
			got     int64 // and this was read
			parts   int
		)
		ask := func(s span) {
			if s.len() == 0 || s.end <= planned {
				return
			}
			if s.off > planned {
				t.Fatalf("%v leaves a hole behind %d", s, planned)
			}
			planned = s.end
			parts++
		}
		for _, off := range offs {
			p := w.plan(off, n, size, DefaultReadahead)
			ask(p.fetch)
			for _, a := range p.ahead {
				if a.off != planned {
					t.Fatalf("ahead %v, but %d was asked for", a, planned)
				}
				ask(a)
			}
			got = max(got, p.read.end)
			if ahead := planned - got; got <= firstRange/2 && ahead > firstRange || ahead > max(32*got, secondRange)+blockSize {
				t.Fatalf("%d bytes ahead after %d were read", ahead, got)
			}
		}
		if planned != size {
			t.Fatalf("asked for %d of %d", planned, size)
		}
		if most := 16 + size/(4<<20); int64(parts) > most {
			t.Fatalf("%d requests for %d bytes", parts, size)
		}
	})
}

// What is ahead of a reader that goes on, and by how many requests, depends on how near the store is.
func TestWindowOfANearStore(t *testing.T) {
	const size, n = 1 << 30, 1 << 20
	for near, want := range map[bool]struct{ ahead, step int64 }{false: {48 << 20, 4 << 20}, true: {32 << 20, 4 << 20}} {
		w := window{near: near}
		var front, ahead, step int64
		for off := int64(0); off < size/2; off += n {
			p := w.plan(off, n, size, DefaultReadahead)
			front = max(front, p.fetch.end, p.front)
			ahead, step = max(ahead, front-p.read.end), max(step, p.most)
		}
		if ahead != want.ahead || step != want.step {
			t.Errorf("near %v: %d bytes ahead by requests of %d, want %+v", near, ahead, step, want)
		}
	}
}

// A store is near as long as its quickest answers are, however long others wait for their turn; what it was once is forgotten.
func TestNearStore(t *testing.T) {
	var p pace
	if p.near() {
		t.Error("near before the first answer")
	}
	p.answered(20 * time.Millisecond)
	if p.near() {
		t.Error("near at 20 ms")
	}
	p.answered(time.Millisecond)
	for range paceTimes {
		p.answered(50 * time.Millisecond)
	}
	if !p.near() {
		t.Error("busy, not far")
	}
	for range 2 * paceTimes {
		p.answered(50 * time.Millisecond)
	}
	if p.near() {
		t.Error("near after 768 answers of 50 ms")
	}
}

// A run of reads after a seek becomes sequential again.
func TestWindowAfterSeek(t *testing.T) {
	var w window
	const size = 1 << 30
	w.plan(0, 4096, size, DefaultReadahead)
	off := int64(500 << 20)
	if p := w.plan(off, 4096, size, DefaultReadahead); p.unit != pageSize || p.fetch.len() != 4096 {
		t.Errorf("first read after a seek: %+v", p)
	}
	for i := range int64(3) {
		off += 4096
		p := w.plan(off, 4096, size, DefaultReadahead)
		if sequential := p.fetch.len() >= firstRange; sequential != (i == 1) {
			t.Errorf("read %d after it: %+v", i+1, p)
		}
	}
}
