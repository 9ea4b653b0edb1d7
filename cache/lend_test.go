package cache_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/s3levelfs/s3levelfs/cache"
	"github.com/s3levelfs/s3levelfs/store"
)

// lend reads by Lend, in chunks, and gives the bytes and how many of the reads were lent.
func lend(t *testing.T, c *cache.Cache, obj cache.Object, chunk int) (got []byte, lent int, err error) {
	t.Helper()
	var stream cache.Stream
	defer c.Leave(&stream)
	for err == nil {
		var (
			l *cache.Loan
			n int
		)
		p := make([]byte, chunk)
		l, n, err = c.Lend(t.Context(), obj, &stream, p, int64(len(got)))
		if l == nil {
			got = append(got, p[:n]...)
			continue
		}
		lent++
		if !bytes.Equal(p, make([]byte, chunk)) {
			t.Error("the buffer of a lent read was written to")
		}
		before := len(got)
		for _, s := range l.Slices() {
			got = append(got, s...)
		}
		l.Done()
		if len(got)-before != n {
			t.Errorf("%d bytes lent, said to be %d", len(got)-before, n)
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return got, lent, err
}

// TestLentBytesAreTheObjects: by whatever chunks and at whatever places in the blocks; short reads are copied.
func TestLentBytesAreTheObjects(t *testing.T) {
	for _, size := range []int{1, 100_000, 128 << 10, 2*mib + 77, 9*mib + 1} {
		for _, chunk := range []int{60_000, 100_001, mib} {
			s := newFake()
			data, obj := s.put("k", size)
			c := newCache(t, s, cache.Config{})
			got, lent, err := lend(t, c, obj, chunk)
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d bytes by %d: %d bytes, %v", size, chunk, len(got), err)
			}
			if want := min(chunk, size) >= 64<<10; want != (lent > 0) {
				t.Errorf("%d bytes by %d: %d reads were lent, want %v", size, chunk, lent, want)
			}
			if st := c.Stats(); st.Held < st.Bytes {
				t.Errorf("%+v", st)
			}
		}
	}
}

// TestLoanKeepsItsMemory: what is lent stays as it is, and on the account, until it is given back, however much is read meanwhile.
func TestLoanKeepsItsMemory(t *testing.T) {
	const memory = 8 * mib
	s := newFake()
	data, obj := s.put("k", 2*mib)
	other, otherObj := s.put("other", 40*mib)
	c := newCache(t, s, cache.Config{Memory: memory})
	l, n, err := c.Lend(t.Context(), obj, nil, make([]byte, 2*mib), 0)
	if err != nil || l == nil || n != 2*mib {
		t.Fatal(l, n, err)
	}
	if got := readAll(t, c, otherObj, mib); !bytes.Equal(got, other) {
		t.Error("wrong bytes beside a loan")
	}
	if got := slices.Concat(l.Slices()...); !bytes.Equal(got, data) {
		t.Error("lent bytes have changed")
	}
	before := c.Stats()
	if before.Held > memory {
		t.Errorf("%d bytes held of %d", before.Held, memory)
	}
	l.Done()
	if after := c.Stats(); after.Held > before.Held-2*mib && after.Bytes != after.Held {
		t.Errorf("held %d with the loan and %d after it, %d cached", before.Held, after.Held, after.Bytes)
	}
	if l.Slices() != nil {
		t.Error("bytes that were given back can still be had")
	}
}

// TestNothingIsLentWithAnError: of bytes that can not be had, or are wrong, nothing is lent, and nothing stays held.
func TestNothingIsLentWithAnError(t *testing.T) {
	refused := &store.Error{Op: "get", Kind: store.ErrPermission}
	for name, tt := range map[string]struct {
		size    int
		prepare func(*fakeStore)
		want    error
	}{
		"wrong": {2 * mib, func(s *fakeStore) {
			s.body = func(_ context.Context, _ int, r io.Reader) io.Reader { return flipped(r) }
		}, cache.ErrCorrupt},
		"changed": {2 * mib, func(s *fakeStore) { s.put("k", 3*mib) }, store.ErrChanged},
		"some of it came": {9 * mib, func(s *fakeStore) {
			s.body = func(_ context.Context, _ int, r io.Reader) io.Reader { return cut(r, 300<<10) }
			s.fail = func(_ context.Context, n int) error {
				if n > 1 {
					return refused
				}
				return nil
			}
		}, store.ErrPermission},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFake()
				_, obj := s.put("k", tt.size)
				c := newCache(t, s, cache.Config{})
				tt.prepare(s)
				l, n, err := c.Lend(t.Context(), obj, new(cache.Stream), make([]byte, mib), 0)
				if !errors.Is(err, tt.want) || l != nil {
					t.Errorf("lent %v, %d bytes, %v", l != nil, n, err)
				}
				synctest.Wait()
				if st := c.Stats(); st.Held != st.Bytes || st.InFlight != 0 {
					t.Errorf("%+v", st)
				}
			})
		})
	}
}

// TestScarceMemoryIsCopied: a read that does not fit into the memory at once is not lent: who holds something must not wait.
func TestScarceMemoryIsCopied(t *testing.T) {
	s := newFake()
	data, obj := s.put("k", 12*mib)
	c := newCache(t, s, cache.Config{Memory: 4 * mib})
	p := make([]byte, 8*mib)
	l, n, err := c.Lend(t.Context(), obj, nil, p, mib)
	if err != nil || l != nil || !bytes.Equal(p[:n], data[mib:9*mib]) {
		t.Errorf("lent %v, %d bytes, %v", l != nil, n, err)
	}
}
