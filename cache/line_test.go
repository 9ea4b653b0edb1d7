package cache_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/cache"
	"github.com/s3levelfs/s3levelfs/store"
)

// line is a connection to a store: each answer comes after latency, its body at perSecond bytes.
type line struct {
	latency   time.Duration
	perSecond int64
}

// lat is the line of the harness' profile of that name.
var lat = line{20 * time.Millisecond, 80_000_000}

// set makes s answer as over the line.
func (l line) set(s *fakeStore) {
	s.fail = func(ctx context.Context, _ int) error {
		select {
		case <-time.After(l.latency):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.body = func(ctx context.Context, _ int, r io.Reader) io.Reader { return &lineBody{l, ctx, r, time.Now(), 0} }
}

type lineBody struct {
	line
	ctx   context.Context
	r     io.Reader
	began time.Time
	sent  int64
}

func (b *lineBody) Read(p []byte) (int, error) {
	n, err := b.r.Read(p[:min(len(p), 64<<10)])
	b.sent += int64(n)
	at := b.began.Add(time.Duration(b.sent * int64(time.Second) / b.perSecond))
	select {
	case <-time.After(time.Until(at)):
		return n, err
	case <-b.ctx.Done():
		return 0, b.ctx.Err()
	}
}

// raw is what a client without a file system takes for an object: eight ranges of 8 MiB at a time.
func raw(t *testing.T, s *fakeStore, obj cache.Object) time.Duration {
	t.Helper()
	began := time.Now()
	var (
		mu   sync.Mutex
		next int64
		all  sync.WaitGroup
	)
	for range 8 {
		all.Go(func() {
			for {
				mu.Lock()
				off := next
				next += 8 * mib
				mu.Unlock()
				if off >= obj.Size {
					return
				}
				body, _, err := s.Get(context.Background(), obj.Key, store.Range{Off: off, Len: 8 * mib}, store.Cond{IfMatch: obj.ETag})
				if err == nil {
					_, err = io.Copy(io.Discard, body)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	return time.Since(began)
}

// TestSequentialIsAsFastAsParallelGets: one reader at 20 ms a request and 80 MB/s a connection, in virtual time. The kernel
// reads as it does: pieces of 128 KiB or 1 MiB, one ahead.
func TestSequentialIsAsFastAsParallelGets(t *testing.T) {
	for _, tt := range []struct {
		size  int
		piece int
		ahead int // reads in flight
		most  float64
	}{
		{256 * mib, mib, 1, 1.11},
		{256 * mib, mib, 2, 1.11},
		{256 * mib, 128 << 10, 1, 1.11},
		{64 * mib, mib, 2, 1.5}, // two rounds of 8 ranges: the ramp shows
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newFake()
			data, obj := s.put("k", tt.size)
			lat.set(s)
			limit := raw(t, s, obj)
			rawGets := len(s.requests())
			c := newCache(t, s, cache.Config{})
			began := time.Now()
			var (
				stream cache.Stream
				all    sync.WaitGroup
				first  time.Duration
				peak   int64
			)
			turn := make(chan struct{}, tt.ahead)
			for off := 0; off < tt.size; off += tt.piece {
				turn <- struct{}{}
				all.Go(func() {
					buf := make([]byte, tt.piece)
					if _, err := c.ReadAt(t.Context(), obj, &stream, buf, int64(off)); err != nil || !bytes.Equal(buf, data[off:][:tt.piece]) {
						t.Errorf("at %d: %v", off, err)
					}
					if off == 0 {
						first = time.Since(began)
					}
					<-turn
				})
				peak = max(peak, c.Stats().Held)
			}
			all.Wait()
			took := time.Since(began)
			ratio := float64(took) / float64(limit)
			gets := len(s.requests()) - rawGets
			t.Logf("%d MiB in reads of %d KiB, %d at a time: %v, raw %v: %.3f; first read %v, %d GETs (raw %d), held at most %.1f MiB",
				tt.size/mib, tt.piece>>10, tt.ahead, took, limit, ratio, first, gets, rawGets, float64(peak)/mib)
			if ratio > tt.most {
				t.Errorf("ratio %.3f, want <= %.2f", ratio, tt.most)
			}
			if most := tt.size/(4*mib) + 16; gets > most {
				t.Errorf("%d GETs, want at most %d", gets, most)
			}
			if most := int64(80 * mib); peak > most {
				t.Errorf("held %d bytes, want at most %d", peak, most)
			}
		})
	}
}

// TestPatternsAreRecognised: backward and strided readers wait for few of their reads, and fetch little besides what they read.
func TestPatternsAreRecognised(t *testing.T) {
	const size = 64 * mib
	for _, tt := range []struct {
		name  string
		n     int
		first int64
		step  int64
		reads int
		most  time.Duration // of all: each read alone would take 20 ms and its transfer
		waste float64
	}{
		{"backward, 128 KiB", 128 << 10, size - 128<<10, -128 << 10, 256, 800 * time.Millisecond, 1.4},
		{"backward, 4 KiB", 4 << 10, size - 4<<10, -4 << 10, 4096, 500 * time.Millisecond, 1.6},
		{"each second MiB, 64 KiB", 64 << 10, 0, 2 * mib, 31, 250 * time.Millisecond, 1.6},
		{"from the end, 4 KiB of each 300 KiB", 4 << 10, size - 300<<10, -300 << 10, 200, time.Second, 1.25},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFake()
				data, obj := s.put("k", size)
				lat.set(s)
				c := newCache(t, s, cache.Config{})
				var stream cache.Stream
				buf := make([]byte, tt.n)
				began := time.Now()
				off := tt.first
				for range tt.reads {
					if _, err := c.ReadAt(t.Context(), obj, &stream, buf, off); err != nil || !bytes.Equal(buf, data[off:][:tt.n]) {
						t.Fatalf("at %d: %v", off, err)
					}
					off += tt.step
				}
				took := time.Since(began)
				time.Sleep(time.Minute) // readahead ends
				s.mu.Lock()
				ratio := float64(s.bytes) / float64(tt.reads*tt.n)
				s.mu.Unlock()
				t.Logf("%d reads in %v, fetched / asked = %.2f", tt.reads, took, ratio)
				if took > tt.most || ratio > tt.waste {
					t.Errorf("want <= %v and <= %.2f", tt.most, tt.waste)
				}
			})
		})
	}
}

// TestHandlesShareTheLine: of many readers none is far behind the others.
func TestHandlesShareTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const readers, size = 8, 32 * mib
		s := newFake()
		lat.set(s)
		c := newCache(t, s, cache.Config{})
		began := time.Now()
		took := make([]time.Duration, readers)
		var all sync.WaitGroup
		for i := range readers {
			_, obj := s.put(string(rune('a'+i)), size)
			all.Go(func() {
				var stream cache.Stream
				buf := make([]byte, mib)
				for off := int64(0); ; off += mib {
					if _, err := c.ReadAt(t.Context(), obj, &stream, buf, off); errors.Is(err, io.EOF) {
						break
					} else if err != nil {
						t.Error(err)
						return
					}
				}
				took[i] = time.Since(began)
			})
		}
		all.Wait()
		least, most := took[0], took[0]
		for _, d := range took {
			least, most = min(least, d), max(most, d)
		}
		t.Logf("%d readers: from %v to %v", readers, least, most)
		if most > least*3/2 {
			t.Errorf("the slowest took %v, the fastest %v", most, least)
		}
	})
}
