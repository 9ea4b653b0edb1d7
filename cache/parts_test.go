package cache_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/cache"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/op"
)

// flipping inverts a bit of one byte of an object in the bodies of GETs that have it.
type flipping struct {
	*memstore.Store

	mu    sync.Mutex
	at    int64 // of the object; < 0 = nowhere
	times int   // how often; < 0 = always
	gets  []store.Range
}

func (s *flipping) Get(ctx context.Context, key string, r store.Range, c store.Cond) (io.ReadCloser, store.Object, error) {
	body, o, err := s.Store.Get(ctx, key, r, c)
	if err != nil {
		return body, o, err
	}
	at := r
	if r.Part > 0 {
		at = o.Part
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gets = append(s.gets, r)
	if s.at < at.Off || at.Len >= 0 && s.at >= at.Off+at.Len || s.times == 0 {
		return body, o, nil
	}
	return struct {
		io.Reader
		io.Closer
	}{&flipOnce{s: s, flipper: flipper{r: body, left: s.at - at.Off}}, body}, o, nil
}

// flipOnce counts what it has flipped.
type flipOnce struct {
	s *flipping
	flipper
}

func (f *flipOnce) Read(p []byte) (int, error) {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	if f.s.times == 0 {
		return f.r.Read(p)
	}
	before := f.left
	n, err := f.flipper.Read(p)
	if before >= 0 && f.left < 0 {
		f.s.times--
	}
	return n, err
}

// upload stores an object of parts of those sizes.
func (s *flipping) upload(t *testing.T, sizes ...int64) ([]byte, cache.Object) {
	t.Helper()
	id, err := s.Create(t.Context(), "k", store.Headers{})
	if err != nil {
		t.Fatal(err)
	}
	var (
		data  []byte
		parts []store.Part
	)
	for i, size := range sizes {
		part := make([]byte, size)
		for j := range part {
			part[j] = byte(j>>16 ^ j>>8*7 ^ j*31 ^ i*101)
		}
		data = append(data, part...)
		p, err := s.UploadPart(t.Context(), "k", id, int32(i+1), io.NewSectionReader(bytes.NewReader(part), 0, size))
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, p)
	}
	done, err := s.Complete(t.Context(), "k", id, parts, store.Cond{})
	if err != nil {
		t.Fatal(err)
	}
	s.ResetCounts()
	s.gets = nil
	return data, cache.Object{Key: "k", ETag: done.ETag, Size: int64(len(data))}
}

func newFlipping() *flipping {
	return &flipping{Store: memstore.New(memstore.Config{MinPart: 1}), at: -1}
}

// TestPartsAreVerified: of an object in parts with checksums of their own, each at most 8 MiB, no byte is delivered that does not match:
// a bit that is flipped once is healed, one that is always flipped is an error. Each part is one GET, however its size was guessed.
func TestPartsAreVerified(t *testing.T) {
	for name, c := range map[string]struct {
		sizes []int64
		extra int // GETs that showed of what size the parts are
	}{
		"JavaScript's":              {[]int64{5 * mib, 5 * mib, 2*mib + 77}, 0},
		"of 8 MiB":                  {[]int64{8 * mib, 8 * mib, 4 * mib}, 0},
		"of 6 MiB":                  {[]int64{6 * mib, 6 * mib, mib}, 1},
		"of 6 MiB and some":         {[]int64{6*mib + 256<<10, 6*mib + 256<<10, 6*mib + 256<<10, 6 * mib}, 1},
		"small object of two parts": {[]int64{5 * mib, mib + 5}, 1},
		"small object of one part":  {[]int64{3*mib + 5}, 1},
		"tiny object of one part":   {[]int64{7}, 1},
	} {
		size := int64(0)
		for _, n := range c.sizes {
			size += n
		}
		for _, at := range []int64{0, size / 2, size - 1} {
			for times := -1; times <= 1; times++ {
				what := fmt.Sprintf("%s, byte %d flipped %d times", name, at, times)
				s := newFlipping()
				data, obj := s.upload(t, c.sizes...)
				if times != 0 {
					s.at, s.times = at, times
				}
				r := newCache(t, s, cache.Config{})
				got, err := readStream(t, r, obj, 256<<10)
				st, heads := r.Stats(), s.Counts()[op.Head]
				gets := len(s.gets)
				switch {
				case times >= 0 && (err != nil || !bytes.Equal(got, data)):
					t.Errorf("%s: %d bytes, %v", what, len(got), err)
				case times >= 0 && r.Verified(obj) != "yes", st.Unverified != 0:
					t.Errorf("%s: %q, %d unverified", what, r.Verified(obj), st.Unverified)
				case times < 0 && !errors.Is(err, cache.ErrCorrupt), int64(len(got)) > at && times < 0, !bytes.HasPrefix(data, got):
					t.Errorf("%s: %d bytes, %v", what, len(got), err)
				case times == 0 && (gets != len(c.sizes)+c.extra || st.Corrupt != 0), times == 1 && st.Corrupt == 0:
					t.Errorf("%s: %d GETs, %d corrupt", what, gets, st.Corrupt)
				case size > 8*mib && heads != 1, size <= 8*mib && heads != 0:
					t.Errorf("%s: %d HEADs", what, heads)
				}
				if times < 0 {
					if _, err := r.ReadAt(t.Context(), obj, &cache.Stream{}, make([]byte, 7), max(at-6, 0)); !errors.Is(err, cache.ErrCorrupt) {
						t.Errorf("%s: a read of it alone: %v", what, err)
					}
					if _, err := r.ReadAt(t.Context(), obj, &cache.Stream{}, make([]byte, 10), 0); (err != nil) != (at == 0) && size > 8*mib {
						t.Errorf("%s: the beginning again: %v", what, err)
					}
				}
				r.Close()
			}
		}
	}
}

// readStream reads obj from its beginning through one stream, up to the first error.
func readStream(t *testing.T, c *cache.Cache, obj cache.Object, chunk int) ([]byte, error) {
	t.Helper()
	var (
		stream cache.Stream
		got    = make([]byte, 0, obj.Size+int64(chunk)) // read into: copies cost much under the race detector
	)
	for {
		got = slices.Grow(got, chunk)
		n, err := c.ReadAt(t.Context(), obj, &stream, got[len(got):len(got)+chunk], int64(len(got)))
		got = got[:len(got)+n]
		if errors.Is(err, io.EOF) {
			return got, nil
		}
		if err != nil {
			return got, err
		}
	}
}

// TestPartsThatAreNotFetched: parts that are too large, of several sizes or of half blocks come as ranges, and that is said.
func TestPartsThatAreNotFetched(t *testing.T) {
	for name, sizes := range map[string][]int64{
		"large":           {9 * mib, 9 * mib, mib},
		"of several":      {5 * mib, 6 * mib, 2 * mib},
		"the last larger": {5 * mib, 7 * mib},
		"odd":             {5*mib + 1, 5*mib + 1, 3},
	} {
		s := newFlipping()
		data, obj := s.upload(t, sizes...)
		c := newCache(t, s, cache.Config{})
		if got, err := readStream(t, c, obj, 256<<10); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
		if got := c.Verified(obj); got != "no" || c.Stats().Unverified != 1 {
			t.Errorf("%s: %q", name, got)
		}
		if sent := s.BytesSent(); sent > obj.Size*11/10 {
			t.Errorf("%s: %d bytes were sent of %d", name, sent, obj.Size)
		}
	}
}

// TestPartThatBreaks: what is missing of its body is asked for, and all of it is compared.
func TestPartThatBreaks(t *testing.T) {
	for _, flip := range []bool{false, true} {
		s := newFlipping()
		data, obj := s.upload(t, 5*mib, 5*mib, 100)
		if flip {
			s.at, s.times = 8*mib, -1
		}
		c := newCache(t, cutting{s}, cache.Config{})
		got, err := readStream(t, c, obj, 256<<10)
		if flip && (!errors.Is(err, cache.ErrCorrupt) || len(got) > 5*mib) || !flip && (err != nil || !bytes.Equal(got, data)) {
			t.Errorf("flipped %v: %d bytes, %v", flip, len(got), err)
		}
		if st := c.Stats(); st.Resumed == 0 || st.Unverified != 0 {
			t.Errorf("%+v", st)
		}
		c.Close()
	}
}

// cutting ends the bodies of parts after 2 MiB.
type cutting struct{ *flipping }

func (s cutting) Get(ctx context.Context, key string, r store.Range, c store.Cond) (io.ReadCloser, store.Object, error) {
	body, o, err := s.flipping.Get(ctx, key, r, c)
	if err != nil || r.Part == 0 {
		return body, o, err
	}
	return struct {
		io.Reader
		io.Closer
	}{cut(body, 2*mib), body}, o, nil
}

// TestPartsOfAStoreThatRefusesThem: who knows no part numbers is asked for ranges.
func TestPartsOfAStoreThatRefusesThem(t *testing.T) {
	for name, refuse := range map[string]func(*flipping) store.Reader{
		"refuses": func(s *flipping) store.Reader { return noParts{s, true} },
		"ignores": func(s *flipping) store.Reader { return noParts{s, false} },
	} {
		for _, sizes := range [][]int64{{5 * mib, 5 * mib, 100}, {2 * mib, mib}} {
			s := newFlipping()
			data, obj := s.upload(t, sizes...)
			c := newCache(t, refuse(s), cache.Config{})
			if got, err := readStream(t, c, obj, 256<<10); err != nil || !bytes.Equal(got, data) {
				t.Errorf("%s: %d bytes, %v", name, len(got), err)
			}
			if got := c.Verified(obj); got != "no" {
				t.Errorf("%s: %q", name, got)
			}
			c.Close()
		}
	}
}

type noParts struct {
	*flipping
	refuses bool
}

func (s noParts) Get(ctx context.Context, key string, r store.Range, c store.Cond) (io.ReadCloser, store.Object, error) {
	if r.Part == 0 {
		return s.flipping.Get(ctx, key, r, c)
	}
	if s.refuses {
		return nil, store.Object{}, &store.Error{Op: op.Get, Key: key, Status: 501, Kind: store.ErrInvalid}
	}
	body, o, err := s.flipping.Get(ctx, key, store.All, c)
	o.Part = store.Range{Len: o.Size, Part: r.Part}
	return body, o, err
}

// TestRandomReadsOfParts: who reads here and there is not made to wait for whole parts, nor for what the store says of checksums.
func TestRandomReadsOfParts(t *testing.T) {
	s := newFlipping()
	data, obj := s.upload(t, 5*mib, 5*mib, 5*mib)
	c := newCache(t, s, cache.Config{})
	var stream cache.Stream
	for _, off := range []int64{9 * mib, mib, 12 * mib, 6 * mib} {
		buf := make([]byte, 4096)
		if _, err := c.ReadAt(t.Context(), obj, &stream, buf, off); err != nil || !bytes.Equal(buf, data[off:][:4096]) {
			t.Errorf("at %d: %v", off, err)
		}
	}
	if n := s.Counts(); !maps.Equal(n, map[string]int{op.Get: 4}) || s.BytesSent() != 4*4096 {
		t.Errorf("%v, %d bytes", n, s.BytesSent())
	}
	if got := c.Verified(obj); got != "no" {
		t.Errorf("verified: %q", got)
	}
	if slices.ContainsFunc(s.gets, func(r store.Range) bool { return r.Part > 0 }) {
		t.Errorf("%v", s.gets)
	}
}

// TestPartsOfManyReaders: who reads beside others, and who lags behind when memory is short, gets verified bytes all the same.
func TestPartsOfManyReaders(t *testing.T) {
	for _, memory := range []int64{24 * mib, 128 * mib} {
		s := newFlipping()
		data, obj := s.upload(t, 5*mib, 5*mib, 5*mib, 5*mib, 3)
		c := newCache(t, s, cache.Config{Memory: memory})
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if got, err := readStream(t, c, obj, 128<<10); err != nil || !bytes.Equal(got, data) {
					t.Errorf("%d bytes, %v", len(got), err)
				}
			})
		}
		all.Wait()
		st := c.Stats()
		t.Logf("20 readers of 5 parts within %d MiB: %d GETs, %d waited", memory/mib, st.Gets, st.Waited)
		if got := c.Verified(obj); got != "yes" || st.Held > memory || st.Unverified != 0 {
			t.Errorf("%q, %+v", got, st)
		}
		c.Close()
	}
}

// slowLine has GETs and HEADs of a store answer as over a line.
type slowLine struct {
	*flipping
	line
}

func (s slowLine) Head(ctx context.Context, key string, c store.Cond) (store.Object, error) {
	time.Sleep(s.latency)
	return s.flipping.Head(ctx, key, c)
}

func (s slowLine) Get(ctx context.Context, key string, r store.Range, c store.Cond) (io.ReadCloser, store.Object, error) {
	time.Sleep(s.latency)
	body, o, err := s.flipping.Get(ctx, key, r, c)
	if err != nil {
		return nil, o, err
	}
	return struct {
		io.Reader
		io.Closer
	}{&lineBody{s.line, ctx, body, time.Now(), 0}, body}, o, nil
}

// TestPartsAreReadAhead: an object that comes by parts is read about as fast as one that comes by ranges, with a HEAD, a GET a part, and no
// byte twice.
func TestPartsAreReadAhead(t *testing.T) {
	var sizes []int64
	for range 25 {
		sizes = append(sizes, 5*mib)
	}
	synctest.Test(t, func(t *testing.T) {
		took := map[string]time.Duration{}
		for _, kind := range []string{"parts", "ranges"} {
			s := newFlipping()
			_, obj := s.upload(t, sizes...)
			reader := store.Reader(slowLine{s, lat})
			if kind == "ranges" {
				obj.ETag = `"ranges"`
				reader = pinless{slowLine{s, lat}}
			}
			c := cache.New(reader, cache.Config{})
			began := time.Now()
			got, err := readStream(t, c, obj, mib)
			took[kind] = time.Since(began)
			if err != nil || int64(len(got)) != obj.Size || s.BytesSent() != obj.Size {
				t.Errorf("%s: %d bytes of %d, %d were sent, %v", kind, len(got), obj.Size, s.BytesSent(), err)
			}
			t.Logf("125 MiB by %s: %v, %v", kind, took[kind], s.Counts())
			if n := s.Counts(); kind == "parts" && (n[op.Get] != 25 || n[op.Head] != 1) {
				t.Errorf("%v", n)
			}
			c.Close()
		}
		if took["parts"] > took["ranges"]*3/2 {
			t.Errorf("by parts %v, by ranges %v", took["parts"], took["ranges"])
		}
	})
}

// pinless has a version go by another name.
type pinless struct{ slowLine }

func (s pinless) Get(ctx context.Context, key string, r store.Range, _ store.Cond) (io.ReadCloser, store.Object, error) {
	body, o, err := s.slowLine.Get(ctx, key, r, store.Cond{})
	o.ETag = ""
	return body, o, err
}
