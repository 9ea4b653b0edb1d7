package cache_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/cache"
	"github.com/s3levelfs/s3levelfs/store"
)

// TestVerifiedIsSaidOfWhatWas: "yes" ends when bytes are fetched that nothing is compared with, and comes back when all of the object was
// found right again.
func TestVerifiedIsSaidOfWhatWas(t *testing.T) {
	for _, size := range []int{5 * mib, 20 * mib} {
		s := newFake()
		data, obj := s.put("k", size)
		c := newCache(t, s, cache.Config{Memory: 40 * mib})
		say := func(when, want string, unverified int64) {
			t.Helper()
			if got, n := c.Verified(obj), c.Stats().Unverified; got != want || n != unverified {
				t.Errorf("%d bytes, %s: %q with %d unverified, want %q with %d", size, when, got, n, want, unverified)
			}
		}
		random := func() {
			t.Helper()
			buf := make([]byte, 4096)
			off := int64(size) / 2 / 4096 * 4096
			if _, err := c.ReadAt(t.Context(), obj, nil, buf, off); err != nil || !bytes.Equal(buf, data[off:][:4096]) {
				t.Error(err)
			}
		}
		say("unread", "", 0)
		random()
		say("a page was read", "no", 1)
		for range 2 {
			if got := readAll(t, c, obj, mib); !bytes.Equal(got, data) {
				t.Error("bytes differ")
			}
			say("all was read", "yes", 0)
			for i := range 8 { // nothing of it is left in the memory then
				_, other := s.put(fmt.Sprint("other", i), 4*mib)
				readAll(t, c, other, mib)
			}
			random()
			say("a page was read after that", "no", 1)
		}
		c.Close()
	}
}

// TestVerifiedOfWhatTheDiskHas: whether that was verified when it came there nobody remembers, and it is not said.
func TestVerifiedOfWhatTheDiskHas(t *testing.T) {
	s, dir := newFake(), fastDir(t)
	_, small := s.put("small", 5*mib)
	_, scattered := s.put("scattered", 5*mib)
	_, large := s.put("large", 20*mib)
	page := func(c *cache.Cache, obj cache.Object, off int64) {
		t.Helper()
		if _, err := c.ReadAt(t.Context(), obj, nil, make([]byte, 4096), off); err != nil {
			t.Error(err)
		}
	}
	c, _, stop := tiered(t, s, dir, cache.Config{})
	readAll(t, c, small, mib)
	readAll(t, c, large, mib)
	page(c, scattered, mib)
	if a, b, d := c.Verified(small), c.Verified(large), c.Verified(scattered); a != "yes" || b != "yes" || d != "no" {
		t.Errorf("fetched: %q, %q, %q", a, b, d)
	}
	stop()
	c, _, _ = tiered(t, s, dir, cache.Config{})
	readAll(t, c, small, mib)
	page(c, large, 3*mib)
	page(c, scattered, mib)
	if a, b, d := c.Verified(small), c.Verified(large), c.Verified(scattered); a != "cached" || b != "cached" || d != "cached" {
		t.Errorf("from the disk: %q, %q, %q", a, b, d)
	}
	if n := c.Stats().Unverified; n != 0 {
		t.Errorf("%d are counted as unverified", n)
	}
	page(c, scattered, 2*mib)
	if got := c.Verified(scattered); got != "no" {
		t.Errorf("and a page of the store's: %q", got)
	}
	readAll(t, c, large, mib)
	if got := c.Verified(large); got != "yes" {
		t.Errorf("all of it was compared: %q", got)
	}
}

// TestPartsOnTheDisk: a part is taken from the disk when all of it is there, else from the store, and compared.
func TestPartsOnTheDisk(t *testing.T) {
	s, dir := newFlipping(), fastDir(t)
	data, obj := s.upload(t, 5*mib, 5*mib, mib)
	c, _, stop := tiered(t, s, dir, cache.Config{})
	if _, err := c.ReadAt(t.Context(), obj, nil, make([]byte, 128<<10), 7*mib); err != nil { // not verified
		t.Fatal(err)
	}
	if _, err := c.ReadAt(t.Context(), obj, &cache.Stream{}, make([]byte, 4096), 0); err != nil {
		t.Fatal(err)
	}
	stop()
	s.gets, s.at, s.times = nil, 7*mib+1, 1
	c, _, stop = tiered(t, s, dir, cache.Config{})
	if got, err := readStream(t, c, obj, 256<<10); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	numbers := make([]int32, 0, 3)
	for _, r := range s.gets {
		numbers = append(numbers, r.Part)
	}
	slices.Sort(numbers)
	if got := c.Verified(obj); !slices.Equal(numbers, []int32{2, 2, 3}) || got != "cached" { // the second one was wrong once
		t.Errorf("asked for parts %v; %q", numbers, got)
	}
	stop()
}

// TestWholeInOneRead: an answer that is the whole object is verified whoever reads it; one that is not, is not, and that is said.
func TestWholeInOneRead(t *testing.T) {
	for _, size := range []int64{2 * mib, 5*mib + 7, 8 * mib} {
		s := newFake()
		data, obj := s.put("k", int(size))
		flipAt(s, size/2+1, func() bool { return true })
		c := newCache(t, s, cache.Config{})
		for what, read := range map[string]func(p []byte) (int, error){
			"on its own": func(p []byte) (int, error) { return c.ReadAt(t.Context(), obj, nil, p, 0) },
			"once":       func(p []byte) (int, error) { return c.ReadOnce(t.Context(), obj, p, 0) },
		} {
			if n, err := read(make([]byte, size)); n != 0 || !errors.Is(err, cache.ErrCorrupt) {
				t.Errorf("%d bytes, read %s: %d, %v", size, what, n, err)
			}
		}
		for _, off := range []int64{4096, size - 4096} {
			if _, err := c.ReadAt(t.Context(), obj, nil, make([]byte, 4096), off); !errors.Is(err, cache.ErrCorrupt) {
				t.Errorf("%d bytes, a page at %d of what is wrong: %v", size, off, err)
			}
		}
		if got := c.Verified(obj); got != "wrong" {
			t.Errorf("%d bytes, wrong: %q", size, got)
		}
		s.body = nil
		page := make([]byte, 4096)
		if _, err := c.ReadAt(t.Context(), obj, nil, page, 4096); err != nil || !bytes.Equal(page, data[4096:][:4096]) || c.Verified(obj) != "yes" {
			t.Errorf("%d bytes, right again: %v, %q", size, err, c.Verified(obj))
		}
		c.Close()
		c = newCache(t, s, cache.Config{})
		tail := make([]byte, size/4)
		if _, err := c.ReadAt(t.Context(), obj, nil, tail, size/2); err != nil || !bytes.Equal(tail, data[size/2:][:size/4]) {
			t.Error(err)
		}
		if got := c.Verified(obj); got != "no" {
			t.Errorf("%d bytes, half of it was read: %q", size, got)
		}
		whole := make([]byte, size)
		if _, err := c.ReadOnce(t.Context(), obj, whole, 0); err != nil || !bytes.Equal(whole, data) {
			t.Error(err)
		}
		c.Close()
	}
}

// TestRandomReadsCostTheirGet: on a line of 20 ms a random read takes what the GET of its bytes takes, and not more; nothing else is asked.
func TestRandomReadsCostTheirGet(t *testing.T) {
	for _, parts := range []bool{false, true} {
		for _, length := range []int64{4 << 10, 128 << 10} {
			synctest.Test(t, func(t *testing.T) {
				s := newFake()
				data, obj := s.put("k", 64*mib)
				if parts {
					obj.ETag = `"0123456789abcdef0123456789abcdef-13"`
					s.set("k", func(o *fakeObject) { o.etag = obj.ETag })
				}
				lat.set(s)
				c := cache.New(s, cache.Config{})
				defer c.Close()
				var (
					rng    = rand.New(rand.NewPCG(9, uint64(length)))
					stream cache.Stream
					buf    = make([]byte, length)
					took   []time.Duration
				)
				for range 100 {
					off := (1 + rng.Int64N(obj.Size/length-1)) * length
					began := time.Now()
					if _, err := c.ReadAt(t.Context(), obj, &stream, buf, off); err != nil || !bytes.Equal(buf, data[off:][:length]) {
						t.Fatalf("at %d: %v", off, err)
					}
					took = append(took, time.Since(began))
				}
				began := time.Now()
				if err := rawGet(s, obj, store.Range{Off: length, Len: length}); err != nil {
					t.Fatal(err)
				}
				single := time.Since(began)
				slices.Sort(took)
				p50, most := took[len(took)/2], took[len(took)-1]
				amplified := float64(s.bytes-length) / float64(100*length)
				t.Logf("reads of %d bytes: p50 %v, at most %v, a GET alone %v; %.3f bytes fetched for each asked, %d HEADs", length, p50, most, single, amplified, s.heads)
				if p50 != single || most > single || amplified > 1.25 || s.heads != 0 {
					t.Error("a random read costs more than its GET")
				}
			})
		}
	}
}

func rawGet(s *fakeStore, obj cache.Object, r store.Range) error {
	body, _, err := s.Get(context.Background(), obj.Key, r, store.Cond{IfMatch: obj.ETag})
	if err != nil {
		return fmt.Errorf("raw get: %w", err)
	}
	_, err = io.Copy(io.Discard, body)
	return err
}
