package throttle_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/internal/throttle"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/memstore"
)

func section(b []byte) *io.SectionReader {
	return io.NewSectionReader(bytes.NewReader(b), 0, int64(len(b)))
}

// All uploads together keep to the rate, whatever they are.
func TestUploadsShareTheRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate = 1 << 20
		mem := memstore.New(memstore.Config{MinPart: 1})
		s := throttle.New(mem, rate)
		data := bytes.Repeat([]byte("0123456789abcdef"), rate/16) // a second's worth
		id, err := s.Create(t.Context(), "big", store.Headers{})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		var wg sync.WaitGroup
		parts := make([]store.Part, 4)
		for i := range 4 {
			wg.Go(func() {
				if _, err := s.Put(t.Context(), fmt.Sprint(i), section(data), store.Headers{}, store.Cond{}); err != nil {
					t.Error(err)
				}
			})
			wg.Go(func() {
				part, err := s.UploadPart(t.Context(), "big", id, int32(i+1), section(data))
				if err != nil {
					t.Error(err)
				}
				part.Number = int32(i + 1)
				parts[i] = part
			})
		}
		wg.Wait()
		if d := time.Since(began); d < 7900*time.Millisecond || d > 8*time.Second {
			t.Errorf("8 seconds' worth took %v", d)
		}
		began = time.Now()
		_, err = s.Complete(t.Context(), "big", id, parts, store.Cond{})
		o, _ := mem.Object("3")
		big, _ := mem.Object("big")
		if err != nil || !bytes.Equal(o.Data, data) || len(big.Data) != 4*len(data) {
			t.Errorf("%v, %d and %d bytes", err, len(o.Data), len(big.Data))
		}
		if _, err := s.Head(t.Context(), "big", store.Cond{}); err != nil || time.Since(began) > 0 {
			t.Errorf("what sends nothing: %v, took %v", err, time.Since(began))
		}
	})
}

// twice reads each body twice, as a store does that sends a checksum in front of it.
type twice struct{ store.Store }

func (s twice) Put(ctx context.Context, key string, body *io.SectionReader, h store.Headers, c store.Cond) (store.PutResult, error) {
	if _, err := io.Copy(io.Discard, io.NewSectionReader(body, 0, body.Size())); err != nil {
		return store.PutResult{}, err
	}
	return s.Store.Put(ctx, key, body, h, c)
}

func TestBytesArePaidForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := throttle.New(twice{memstore.New(memstore.Config{})}, 1<<20)
		began := time.Now()
		if _, err := s.Put(t.Context(), "k", section(make([]byte, 2<<20)), store.Headers{}, store.Cond{}); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(began); d < 1900*time.Millisecond || d > 2*time.Second {
			t.Errorf("2 seconds' worth took %v", d)
		}
	})
}

func TestCancelledUploadEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := throttle.New(memstore.New(memstore.Config{}), throttle.Least)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_, err := s.Put(ctx, "k", section(make([]byte, 100<<20)), store.Headers{}, store.Cond{})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 2*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

// At each rate a part that shares it ends within its time.
func TestFit(t *testing.T) {
	const size, least, slowest = 16 << 20, 5 << 20, 64 << 10
	for rate := int64(1); rate < 1<<31; rate *= 2 {
		n, part := throttle.Fit(rate, 16, size, least, slowest)
		if n < 1 || n > 16 || part > size || part < least {
			t.Fatalf("%d: %d requests, parts of %d", rate, n, part)
		}
		takes := int64(n) * part / max(rate, throttle.Least)
		if has := 60 + part/slowest; takes > has*4/5 {
			t.Errorf("%d: %d requests with parts of %d take %d s of %d", rate, n, part, takes, has)
		}
	}
	if n, part := throttle.Fit(1<<30, 16, size, least, slowest); n != 16 || part != size {
		t.Errorf("a fast line: %d, %d", n, part)
	}
}

// TestFitWhole: whatever the size of an object, each of the requests is as fast as the slowest that has time to end.
func TestFitWhole(t *testing.T) {
	for rate, want := range map[int64]int{1: 1, 64 << 10: 1, 127 << 10: 1, 1 << 20: 16, 1 << 40: 32} {
		if got := throttle.FitWhole(rate, 32, 64<<10); got != want {
			t.Errorf("%d bytes a second: %d requests, want %d", rate, got, want)
		}
	}
}
