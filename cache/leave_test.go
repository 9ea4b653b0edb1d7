package cache_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/s3levelfs/s3levelfs/cache"
)

// TestHandlesThatAreClosedLeaveTheReadahead: a large file is read by as few requests after many small ones as before them.
func TestHandlesThatAreClosedLeaveTheReadahead(t *testing.T) {
	count := func(small int, leave bool) int {
		s := newFake()
		c := newCache(t, s, cache.Config{})
		for i := range small {
			_, obj := s.put(fmt.Sprint("small", i), 1000)
			var stream cache.Stream
			if _, err := c.ReadAt(t.Context(), obj, &stream, make([]byte, 1000), 0); err != nil {
				t.Fatal(err)
			}
			if leave {
				c.Leave(&stream)
			}
		}
		data, obj := s.put("large", 96*mib)
		before := len(s.requests())
		var stream cache.Stream
		buf := make([]byte, mib)
		for off := int64(0); off < obj.Size; off += mib {
			if _, err := c.ReadAt(t.Context(), obj, &stream, buf, off); err != nil || !bytes.Equal(buf, data[off:][:mib]) {
				t.Fatalf("at %d: %v", off, err)
			}
		}
		return len(s.requests()) - before
	}
	alone, after, open := count(0, true), count(200, true), count(200, false)
	t.Logf("GETs of 96 MiB: %d alone, %d after 200 small files, %d beside 200 that are open", alone, after, open)
	if after > alone*5/4+2 || open < 2*alone {
		t.Errorf("%d alone, %d after 200 small files that were closed, %d beside them", alone, after, open)
	}
}

// TestWhatWasReadAheadEndsWithItsReader: at once, but for what another one waits for; the memory comes back.
func TestWhatWasReadAheadEndsWithItsReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFake()
		c := cache.New(s, cache.Config{})
		defer c.Close()
		data, obj := s.put("k", 100*mib)
		var stalls atomic.Bool
		open := make(chan struct{})
		s.body = func(ctx context.Context, _ int, r io.Reader) io.Reader {
			if stalls.Load() {
				return gate{ctx, open, r}
			}
			return r
		}
		var stream, other cache.Stream
		for off := int64(0); off < 4*mib; off += 256 << 10 {
			stalls.Store(off >= 512<<10)
			if off >= 1<<20 {
				break
			}
			if _, err := c.ReadAt(t.Context(), obj, &stream, make([]byte, 256<<10), off); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		before := c.Stats().InFlight
		done := make(chan error, 1)
		go func() {
			buf := make([]byte, 4096)
			_, err := c.ReadAt(t.Context(), obj, &other, buf, 2*mib)
			if err == nil && !bytes.Equal(buf, data[2*mib:][:4096]) {
				err = io.ErrUnexpectedEOF
			}
			done <- err
		}()
		synctest.Wait()
		gets := len(s.requests())
		c.Leave(&stream)
		synctest.Wait()
		if n := c.Stats().InFlight; before < 2 || n != 1 {
			t.Errorf("%d requests were under way, %d are after the reader has gone, want the one that is waited for", before, n)
		}
		close(open)
		if err := <-done; err != nil || len(s.requests()) != gets {
			t.Errorf("who waited got %v, after %d more requests", err, len(s.requests())-gets)
		}
		synctest.Wait()
		if st := c.Stats(); st.Held != st.Bytes {
			t.Errorf("something is still held: %+v", st)
		}
		buf := make([]byte, 256<<10)
		if _, err := c.ReadAt(t.Context(), obj, &stream, buf, 50*mib); err != nil || !bytes.Equal(buf, data[50*mib:][:len(buf)]) {
			t.Errorf("a late read: %v", err)
		}
	})
}
