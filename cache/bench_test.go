package cache_test

import (
	"errors"
	"io"
	"testing"

	"github.com/s3levelfs/s3levelfs/cache"
)

// BenchmarkCached reads 1 MiB that is cached, as the kernel does.
func BenchmarkCached(b *testing.B) {
	s := newFake()
	_, obj := s.put("k", 8*mib)
	c := cache.New(s, cache.Config{})
	defer c.Close()
	var stream cache.Stream
	buf := make([]byte, mib)
	b.SetBytes(mib)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.ReadAt(b.Context(), obj, &stream, buf, mib); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLent is BenchmarkCached without the copy.
func BenchmarkLent(b *testing.B) {
	s := newFake()
	_, obj := s.put("k", 8*mib)
	c := cache.New(s, cache.Config{})
	defer c.Close()
	var stream cache.Stream
	buf := make([]byte, mib)
	b.SetBytes(mib)
	b.ReportAllocs()
	for b.Loop() {
		l, n, err := c.Lend(b.Context(), obj, &stream, buf, mib)
		if err != nil || l == nil || n != mib {
			b.Fatal(l, n, err)
		}
		l.Done()
	}
}

// BenchmarkSequential reads an object of 256 MiB that is not cached, from a
// store in memory.
func BenchmarkSequential(b *testing.B) {
	s := newFake()
	_, obj := s.put("k", 256*mib)
	buf := make([]byte, 128<<10)
	b.SetBytes(obj.Size)
	for b.Loop() {
		c := cache.New(s, cache.Config{Memory: 128 * mib})
		var stream cache.Stream
		for off := int64(0); ; off += int64(len(buf)) {
			if _, err := c.ReadAt(b.Context(), obj, &stream, buf, off); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
		c.Close()
	}
}
