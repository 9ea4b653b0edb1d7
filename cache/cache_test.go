package cache_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/cache"
	"github.com/s3levelfs/s3levelfs/store"
)

const mib = 1 << 20

func newCache(t *testing.T, s store.Reader, cfg cache.Config) *cache.Cache {
	t.Helper()
	c := cache.New(s, cfg)
	t.Cleanup(c.Close)
	return c
}

func TestSmallFileIsOneGet(t *testing.T) {
	for _, size := range []int{1, 4096, 300_000, mib + 128<<10, 5 * mib, 8 * mib} {
		s := newFake()
		data, obj := s.put("k", size)
		c := newCache(t, s, cache.Config{})
		if got := readAll(t, c, obj, 128<<10); !bytes.Equal(got, data) {
			t.Errorf("size %d: bytes differ", size)
		}
		if got := readAll(t, c, obj, 4096); !bytes.Equal(got, data) {
			t.Errorf("size %d: cached bytes differ", size)
		}
		if diff := cmp.Diff([]store.Range{store.All}, s.requests()); diff != "" {
			t.Errorf("size %d: requests: %s", size, diff)
		}
	}
}

func TestAnswersAreTold(t *testing.T) {
	s := newFake()
	_, obj := s.put("k", 100)
	s.set("k", func(o *fakeObject) { o.headers = &store.Headers{ContentType: "text/plain"} })
	var got []store.Object
	c := newCache(t, s, cache.Config{Answered: func(o store.Object) { got = append(got, o) }})
	if _, err := c.ReadAt(t.Context(), obj, nil, make([]byte, 100), 0); err != nil {
		t.Fatal(err)
	}
	want := []store.Object{{Key: "k", Size: 100, ETag: obj.ETag, LastModified: obj.ModTime, Headers: &store.Headers{ContentType: "text/plain"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestEmptyObjectIsNoGet(t *testing.T) {
	s := newFake()
	_, obj := s.put("k", 0)
	c := newCache(t, s, cache.Config{})
	if n, err := c.ReadAt(t.Context(), obj, nil, make([]byte, 10), 0); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("got %d, %v", n, err)
	}
	if len(s.requests()) != 0 {
		t.Error("an empty object was fetched")
	}
}

func TestSequentialFetchesEachByteOnce(t *testing.T) {
	const size = 64*mib + 12345
	for _, chunk := range []int{128 << 10, 3*mib + 17} {
		s := newFake()
		data, obj := s.put("k", size)
		c := newCache(t, s, cache.Config{Memory: 96 * mib})
		if got := readAll(t, c, obj, chunk); !bytes.Equal(got, data) {
			t.Errorf("chunk %d: bytes differ", chunk)
		}
		if s.bytes != size {
			t.Errorf("chunk %d: fetched %d bytes of %d", chunk, s.bytes, size)
		}
		for off, n := range s.sent {
			if n != 1 {
				t.Fatalf("chunk %d: page %d sent in %d pieces", chunk, off, n)
			}
		}
		if n := len(s.requests()); n > 64/4+12 {
			t.Errorf("chunk %d: %d requests", chunk, n)
		}
	}
}

func TestSequentialKeepsRangesInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake()
		_, obj := s.put("k", 64*mib)
		open := make(chan struct{})
		s.body = func(ctx context.Context, n int, r io.Reader) io.Reader {
			if n > 6 {
				return gate{ctx, open, r}
			}
			return r
		}
		c := newCache(t, s, cache.Config{})
		done := make(chan struct{})
		go func() {
			defer close(done)
			if got := readAll(t, c, obj, mib); len(got) != 64*mib {
				t.Errorf("read %d bytes", len(got))
			}
		}()
		synctest.Wait() // it waits for the 7th range
		if n := c.Stats().InFlight; n < 4 {
			t.Errorf("%d ranges in flight behind a sequential reader", n)
		}
		close(open)
		<-done
	})
}

// Random reads: bytes fetched stay within two pages of the bytes asked for.
func TestRandomReadsFetchWhatTheyAsk(t *testing.T) {
	const size = 64 * mib
	for _, length := range []int{4 << 10, 16 << 10, 128 << 10} {
		for _, aligned := range []bool{true, false} {
			s := newFake()
			data, obj := s.put("k", size)
			c := newCache(t, s, cache.Config{})
			var stream cache.Stream
			rng := rand.New(rand.NewPCG(1, uint64(length)))
			buf := make([]byte, length)
			const reads = 300
			for range reads {
				off := 1 + rng.Int64N(size-int64(length)-1)
				if aligned {
					off = max(off/4096, 1) * 4096
				}
				n, err := c.ReadAt(t.Context(), obj, &stream, buf, off)
				if err != nil || n != length || !bytes.Equal(buf, data[off:off+int64(length)]) {
					t.Fatalf("read of %d at %d: %d, %v", length, off, n, err)
				}
			}
			c.Close() // lets readahead end, should there be any
			ratio := float64(s.bytes) / float64(reads*length)
			bound := 1.25
			if !aligned {
				bound += 4096 / float64(length)
			}
			t.Logf("%d bytes, aligned %v: fetched / asked = %.3f", length, aligned, ratio)
			if ratio > bound {
				t.Errorf("%d bytes, aligned %v: fetched / asked = %.2f, want <= %.2f", length, aligned, ratio, bound)
			}
		}
	}
}

func TestMixedReadersSeeTheRightBytes(t *testing.T) {
	const size = 24*mib + 777
	s := newFake()
	data, obj := s.put("k", size)
	s.body = func(_ context.Context, n int, r io.Reader) io.Reader {
		if n%5 == 0 {
			return cut(r, 200_000)
		}
		return r
	}
	c := newCache(t, s, cache.Config{Memory: 8 * mib}) // far too small: much is evicted while it is read
	var readers sync.WaitGroup
	for worker := range 8 {
		readers.Go(func() {
			var stream cache.Stream
			rng := rand.New(rand.NewPCG(2, uint64(worker)))
			buf := make([]byte, 256<<10)
			for i := range 200 {
				p := buf[:1+rng.IntN(len(buf))]
				off := rng.Int64N(size)
				if worker%2 == 0 {
					off = int64(i) * 100_000 % size
				}
				n, err := c.ReadAt(context.Background(), obj, &stream, p, off)
				want := data[off:min(off+int64(len(p)), size)]
				if (err != nil && !errors.Is(err, io.EOF)) || !bytes.Equal(p[:n], want) {
					t.Errorf("read of %d at %d: %d, %v", len(p), off, n, err)
					return
				}
			}
		})
	}
	readers.Wait()
	if got := c.Stats(); got.Bytes > 8*mib || got.Evicted == 0 || got.Resumed == 0 {
		t.Errorf("stats: %+v", got)
	}
}

func TestReadersShareOneGet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake()
		data, obj := s.put("k", 100_000)
		open := make(chan struct{})
		s.body = func(ctx context.Context, _ int, r io.Reader) io.Reader { return gate{ctx, open, r} }
		c := newCache(t, s, cache.Config{})

		impatient, cancel := context.WithCancel(t.Context())
		errs := make(chan error, 10)
		for i := range 10 {
			ctx := t.Context()
			if i == 0 {
				ctx = impatient // the first: it started the request
			}
			go func() {
				buf := make([]byte, len(data))
				_, err := c.ReadAt(ctx, obj, nil, buf, 0)
				if err == nil && !bytes.Equal(buf, data) {
					err = errors.New("bytes differ")
				}
				errs <- err
			}()
			synctest.Wait()
		}
		cancel()
		if err := <-errs; !errors.Is(err, context.Canceled) {
			t.Errorf("impatient reader: %v", err)
		}
		close(open)
		for range 9 {
			if err := <-errs; err != nil {
				t.Errorf("innocent reader: %v", err)
			}
		}
		if n := len(s.requests()); n != 1 {
			t.Errorf("%d requests", n)
		}
	})
}

func TestFetchEndsWithItsLastReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake()
		data, obj := s.put("k", 100_000)
		s.body = func(ctx context.Context, n int, r io.Reader) io.Reader {
			if n == 1 {
				return lingering{stalled{ctx}}
			}
			return r
		}
		c := newCache(t, s, cache.Config{})
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		buf := make([]byte, len(data))
		if _, err := c.ReadAt(ctx, obj, nil, buf, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v", err)
		}
		// The next reader does not meet the request that is ending.
		if _, err := c.ReadAt(t.Context(), obj, nil, buf, 0); err != nil || !bytes.Equal(buf, data) {
			t.Fatalf("second reader: %v", err)
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("took %v", took)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := c.Stats(); got.InFlight != 0 || got.Gets != 2 {
			t.Errorf("stats: %+v", got)
		}
	})
}

func TestFirstBlockIsDeliveredBeforeTheLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake()
		data, obj := s.put("k", 20*mib)
		open := make(chan struct{})
		s.body = func(ctx context.Context, _ int, r io.Reader) io.Reader {
			return io.MultiReader(io.LimitReader(r, 128<<10), gate{ctx, open, r})
		}
		c := newCache(t, s, cache.Config{})
		buf := make([]byte, 128<<10)
		if _, err := c.ReadAt(t.Context(), obj, new(cache.Stream), buf, 0); err != nil || !bytes.Equal(buf, data[:len(buf)]) {
			t.Fatal(err)
		}
		close(open)
	})
}

func TestChangedVersion(t *testing.T) {
	s := newFake()
	data, obj := s.put("k", 10*mib)
	c := newCache(t, s, cache.Config{})
	buf := make([]byte, 64<<10)
	if _, err := c.ReadAt(t.Context(), obj, nil, buf, 5*mib); err != nil {
		t.Fatal(err)
	}
	s.put("k", 9*mib)
	if _, err := c.ReadAt(t.Context(), obj, nil, buf, 5*mib); err != nil || !bytes.Equal(buf, data[5*mib:][:len(buf)]) {
		t.Errorf("cached bytes of the old version: %v", err)
	}
	if _, err := c.ReadAt(t.Context(), obj, nil, buf, mib); !errors.Is(err, store.ErrChanged) {
		t.Errorf("bytes of the old version that are not cached: %v", err)
	}
}

// A server that ignores conditions must not get its new bytes into the old version.
func TestAnswerOfAnotherVersionIsRefused(t *testing.T) {
	s := newFake()
	_, obj := s.put("k", 10*mib)
	_, other := s.put("other", 10*mib+1)
	s.set("k", func(o *fakeObject) { *o = s.objects["other"]; o.etag = obj.ETag })
	c := newCache(t, s, cache.Config{})
	if _, err := c.ReadAt(t.Context(), obj, nil, make([]byte, 10), mib); !errors.Is(err, store.ErrChanged) {
		t.Errorf("another size than %d: %v", other.Size, err)
	}
}

func TestWithoutETag(t *testing.T) {
	s := newFake()
	data, obj := s.put("k", 200_000)
	s.set("k", func(o *fakeObject) { o.etag = "" })
	obj.ETag = ""
	c := newCache(t, s, cache.Config{})
	var one, two cache.Stream
	buf := make([]byte, len(data))
	for range 2 {
		if _, err := c.ReadAt(t.Context(), obj, &one, buf, 0); err != nil || !bytes.Equal(buf, data) {
			t.Fatal(err)
		}
	}
	if n := len(s.requests()); n != 1 {
		t.Errorf("one handle: %d requests", n)
	}
	if _, err := c.ReadAt(t.Context(), obj, &two, buf, 0); err != nil {
		t.Fatal(err)
	}
	if n := len(s.requests()); n != 2 {
		t.Errorf("blocks without an ETag were shared by handles: %d requests", n)
	}
	s.set("k", func(o *fakeObject) { o.mod = o.mod.Add(time.Second) })
	if _, err := c.ReadAt(t.Context(), obj, nil, buf, 0); !errors.Is(err, store.ErrChanged) {
		t.Errorf("modified later: %v", err)
	}
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake()
		_, obj := s.put("k", 100_000)
		s.body = func(ctx context.Context, _ int, _ io.Reader) io.Reader { return stalled{ctx} }
		c := cache.New(s, cache.Config{})
		got := make(chan error)
		go func() {
			_, err := c.ReadAt(t.Context(), obj, nil, make([]byte, 10), 0)
			got <- err
		}()
		synctest.Wait()
		go c.Close()
		if err := <-got; !errors.Is(err, fs.ErrClosed) {
			t.Errorf("reader at Close: %v", err)
		}
		c.Close()
		if _, err := c.ReadAt(t.Context(), obj, nil, make([]byte, 10), 0); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("reader after Close: %v", err)
		}
	})
}

func TestBadArguments(t *testing.T) {
	s := newFake()
	_, obj := s.put("k", 100)
	c := newCache(t, s, cache.Config{})
	if _, err := c.ReadAt(t.Context(), obj, nil, make([]byte, 1), -1); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("negative offset: %v", err)
	}
	if n, err := c.ReadAt(t.Context(), obj, nil, nil, 5); n != 0 || err != nil {
		t.Errorf("nothing asked: %d, %v", n, err)
	}
	for _, off := range []int64{100, 101, 1 << 62} {
		if n, err := c.ReadAt(t.Context(), obj, nil, make([]byte, 5), off); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("at %d: %d, %v", off, n, err)
		}
	}
	if n, err := c.ReadAt(t.Context(), obj, nil, make([]byte, 50), 80); n != 20 || !errors.Is(err, io.EOF) {
		t.Errorf("over the end: %d, %v", n, err)
	}
}
