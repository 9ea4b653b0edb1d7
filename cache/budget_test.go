package cache_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/cache"
)

// TestMemoryIsACeiling: whatever is read by how many, what the cache holds stays within its memory, and all get their bytes.
func TestMemoryIsACeiling(t *testing.T) {
	for _, memory := range []int64{4 * mib, 16 * mib} {
		synctest.Test(t, func(t *testing.T) {
			const readers, size = 1000, 12*mib + 333
			s := newFake()
			lat.set(s)
			data, obj := s.put("k", size)
			small, smallObj := s.put("small", 3*mib)
			c := newCache(t, s, cache.Config{Memory: memory})
			var most atomic.Int64
			check := func() {
				held := c.Stats().Held
				for was := most.Load(); held > was && !most.CompareAndSwap(was, held); was = most.Load() {
				}
			}
			var all sync.WaitGroup
			for i := range readers {
				all.Go(func() {
					var stream cache.Stream
					rng := rand.New(rand.NewPCG(1, uint64(i)))
					buf := make([]byte, 1+rng.IntN(512<<10))
					data, obj := data, obj
					if i%5 == 0 {
						data, obj = small, smallObj
					}
					off := int64(0)
					if i%2 == 0 {
						off = rng.Int64N(obj.Size - 4*int64(len(buf)))
					}
					for range 4 {
						n, err := c.ReadAt(t.Context(), obj, &stream, buf, off)
						if err != nil || n != len(buf) || !bytes.Equal(buf, data[off:][:n]) {
							t.Errorf("read of %d at %d: %d, %v", len(buf), off, n, err)
							return
						}
						off += int64(n)
						check()
					}
				})
			}
			all.Wait()
			time.Sleep(time.Minute)
			synctest.Wait()
			st := c.Stats()
			t.Logf("%d readers within %d MiB: held at most %.2f MiB, %d had to wait, %d readaheads dropped, %d GETs",
				readers, memory/mib, float64(most.Load())/mib, st.Waited, st.Dropped, st.Gets)
			if most.Load() > memory || st.Waited == 0 {
				t.Errorf("held %d of %d, %d waited", most.Load(), memory, st.Waited)
			}
			if st.Held != st.Bytes || st.InFlight != 0 {
				t.Errorf("at rest: %+v", st)
			}
		})
	}
}

// TestReadaheadMakesRoom: all memory is held by readahead whose readers have gone and whose bodies stall. Who needs a block gets it,
// at once.
func TestReadaheadMakesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const memory = 4 * mib
		s := newFake()
		c := newCache(t, s, cache.Config{Memory: memory})
		var stalls atomic.Bool
		s.body = func(ctx context.Context, _ int, r io.Reader) io.Reader {
			if stalls.Load() {
				return stalled{ctx}
			}
			return r
		}
		_, left := s.put("left", 40*mib)
		var stream cache.Stream
		for off := int64(0); off < mib; off += 256 << 10 {
			stalls.Store(off == 512<<10)
			if _, err := c.ReadAt(t.Context(), left, &stream, make([]byte, 256<<10), off); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if st := c.Stats(); st.InFlight == 0 || st.Held-st.Bytes < memory/4 {
			t.Fatalf("nothing to be dropped: %+v", st)
		}
		stalls.Store(false)
		data, obj := s.put("wanted", 100*mib)
		began := time.Now()
		for off := range int64(30) {
			buf := make([]byte, 3*mib)
			if _, err := c.ReadAt(t.Context(), obj, nil, buf, off*3*mib); err != nil || !bytes.Equal(buf, data[off*3*mib:][:3*mib]) {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("waited %v for readahead that nobody reads", took)
		}
		if st := c.Stats(); st.Dropped == 0 || st.Held > memory {
			t.Errorf("%+v", st)
		}
	})
}

// TestWaitingForMemoryEnds: with the reader's patience, and with the cache; who waits behind goes on.
func TestWaitingForMemoryEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake()
		_, obj := s.put("k", 100*mib)
		open := make(chan struct{})
		s.body = func(ctx context.Context, _ int, r io.Reader) io.Reader { return gate{ctx, open, r} }
		c := newCache(t, s, cache.Config{Memory: 4 * mib})
		read := func(ctx context.Context, i int64) error {
			_, err := c.ReadAt(ctx, obj, nil, make([]byte, mib), i*2*mib)
			return err
		}
		done := make(chan error, 20)
		for i := range int64(10) {
			go func() { done <- read(t.Context(), i) }()
			synctest.Wait()
		}
		if st := c.Stats(); st.Waited == 0 || st.InFlight > 3 {
			t.Fatalf("%+v", st)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := read(ctx, 11); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		close(open)
		for range 10 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		open = make(chan struct{})
		for i := range int64(10) {
			go func() { done <- read(t.Context(), 20+i) }()
		}
		synctest.Wait()
		c.Close()
		for range 10 {
			if err := <-done; err == nil {
				t.Error("read after Close")
			}
		}
	})
}

// TestScanLeavesWhatIsRead: one pass over a file that is larger than the cache does not push out what else is read.
func TestScanLeavesWhatIsRead(t *testing.T) {
	s := newFake()
	data, obj := s.put("hot", 6*mib)
	_, large := s.put("large", 100*mib)
	c := newCache(t, s, cache.Config{Memory: 32 * mib})
	readAll(t, c, obj, mib)
	readAll(t, c, large, mib)
	before := len(s.requests())
	if got := readAll(t, c, obj, mib); !bytes.Equal(got, data) {
		t.Error("bytes differ")
	}
	if n := len(s.requests()) - before; n != 0 {
		t.Errorf("%d requests for what was cached before the scan", n)
	}
}

// TestReadLargerThanTheMemory: it comes in pieces.
func TestReadLargerThanTheMemory(t *testing.T) {
	s := newFake()
	data, obj := s.put("k", 30*mib)
	c := newCache(t, s, cache.Config{Memory: 4 * mib})
	buf := make([]byte, 20*mib)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := c.ReadAt(ctx, obj, nil, buf, 5*mib+7); err != nil || !bytes.Equal(buf, data[5*mib+7:][:len(buf)]) {
		t.Error(err)
	}
}
