package cache_test

import (
	"bytes"
	"errors"
	"io/fs"
	"testing"

	"github.com/s3levelfs/s3levelfs/cache"
)

// TestReadOnceKeepsNothing: what is read to be written elsewhere does not push out what is worth keeping.
func TestReadOnceKeepsNothing(t *testing.T) {
	const chunk = 2 * mib
	s := newFake()
	data, obj := s.put("k", 5*chunk+12345)
	c := newCache(t, s, cache.Config{})
	for range 2 {
		for off := int64(0); off < obj.Size; off += chunk {
			p := make([]byte, min(chunk, obj.Size-off))
			if n, err := c.ReadOnce(t.Context(), obj, p, off); n != len(p) || err != nil {
				t.Fatalf("at %d: %d, %v", off, n, err)
			}
			if !bytes.Equal(p, data[off:off+int64(len(p))]) {
				t.Fatalf("bytes differ at %d", off)
			}
		}
	}
	if st := c.Stats(); st.Blocks != 0 || st.Bytes != 0 {
		t.Errorf("%d blocks of %d bytes were kept", st.Blocks, st.Bytes)
	}
	if s.bytes != 2*obj.Size {
		t.Errorf("%d bytes fetched, want twice %d", s.bytes, obj.Size)
	}
}

// TestReadOnceTakesWhatIsCached: no request for bytes that are there, and they stay.
func TestReadOnceTakesWhatIsCached(t *testing.T) {
	s := newFake()
	data, obj := s.put("k", 3*mib)
	c := newCache(t, s, cache.Config{})
	readAll(t, c, obj, 128<<10)
	before, kept := len(s.requests()), c.Stats().Bytes
	p := make([]byte, mib)
	if _, err := c.ReadOnce(t.Context(), obj, p, mib/2); err != nil || !bytes.Equal(p, data[mib/2:][:mib]) {
		t.Fatalf("wrong bytes, or %v", err)
	}
	if n := len(s.requests()) - before; n != 0 || c.Stats().Bytes != kept {
		t.Errorf("%d requests, %d bytes kept of %d", n, c.Stats().Bytes, kept)
	}
}

func TestReadOnceStaysInside(t *testing.T) {
	s := newFake()
	_, obj := s.put("k", 100)
	c := newCache(t, s, cache.Config{})
	for _, off := range []int64{-1, 91} {
		if _, err := c.ReadOnce(t.Context(), obj, make([]byte, 10), off); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("at %d: %v", off, err)
		}
	}
}
