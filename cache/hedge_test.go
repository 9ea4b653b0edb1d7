package cache_test

import (
	"bytes"
	"context"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/cache"
	"github.com/s3levelfs/s3levelfs/store"
)

// TestSlowAnswersAreHedged: of 1,000 random reads some wait 3 s for their first byte. A second request spares most of them
// that, for at most 5 % more requests; none is sent where the store asks to slow down, or where all are slow.
func TestSlowAnswersAreHedged(t *testing.T) {
	const reads, size = 1000, 64 * mib
	for _, tt := range []struct {
		name     string
		each     int // one of so many is slow
		slowDown bool
		most     int           // reads that took more than a second
		least    int64         // second requests
		all      time.Duration // bound of all
	}{
		{"one of 100 is slow", 100, false, 2, 7, 29 * time.Second},
		{"one of 5 is slow", 5, false, 200, 1, 620 * time.Second},
		{"while the store throttles", 100, true, 10, 0, 60 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFake()
				data, obj := s.put("k", size)
				var sent atomic.Int64
				s.fail = func(ctx context.Context, _ int) error {
					if tt.slowDown {
						store.TellSlowDown(ctx)
					}
					n := int(sent.Add(1))
					wait := 20*time.Millisecond + time.Duration(n%10)*100*time.Microsecond
					if n > 150 && n%tt.each == 0 {
						wait = 3 * time.Second
					}
					select {
					case <-time.After(wait):
						return nil
					case <-ctx.Done():
						return &store.Error{Op: "get", Kind: store.ErrTransient, Err: ctx.Err()}
					}
				}
				c := newCache(t, s, cache.Config{})
				began := time.Now()
				slow := 0
				buf := make([]byte, 4096)
				for i := range reads {
					off := int64(i*7919%(size/4096)) * 4096
					at := time.Now()
					if _, err := c.ReadAt(t.Context(), obj, nil, buf, off); err != nil || !bytes.Equal(buf, data[off:][:4096]) {
						t.Fatalf("at %d: %v", off, err)
					}
					if time.Since(at) > time.Second {
						slow++
					}
				}
				took := time.Since(began)
				st := c.Stats()
				t.Logf("%d reads in %v, %d slow, %d second requests of %d", reads, took, slow, st.Hedged, st.Gets)
				if slow > tt.most || st.Hedged < tt.least || st.Hedged*20 > reads || took > tt.all {
					t.Errorf("want at most %d slow in %v, at least %d second requests", tt.most, tt.all, tt.least)
				}
				if tt.slowDown && st.Hedged != 0 {
					t.Error("more requests to a store that asks for fewer")
				}
				c.Close() // the losers end, too
				if n := c.Stats().InFlight; n != 0 {
					t.Errorf("%d in flight", n)
				}
			})
		})
	}
}

// TestHedgeThatLosesIsClosed: whichever answer comes second gives its connection back.
func TestHedgeThatLosesIsClosed(t *testing.T) {
	for _, firstWins := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			s := newFake()
			_, obj := s.put("k", 64*mib)
			var open, sent atomic.Int64
			c := newCache(t, counted{s, &open, func(ctx context.Context) {
				wait := 20 * time.Millisecond
				switch n := sent.Add(1); {
				case n == 201:
					wait = 45 * time.Millisecond
				case n == 202 && firstWins:
					wait = 30 * time.Millisecond
				}
				time.Sleep(wait) // not even the end of ctx is noticed
			}}, cache.Config{})
			buf := make([]byte, 4096)
			for i := range int64(300) {
				if _, err := c.ReadAt(t.Context(), obj, nil, buf, i*64<<10); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Minute)
			if n := open.Load(); n != 0 {
				t.Errorf("first wins %v: %d bodies were left open", firstWins, n)
			}
			if st := c.Stats(); st.Hedged != 1 {
				t.Errorf("%d second requests", st.Hedged)
			}
		})
	}
}

// counted counts the bodies that are open.
type counted struct {
	store.Reader
	open *atomic.Int64
	wait func(context.Context)
}

func (s counted) Get(ctx context.Context, key string, r store.Range, c store.Cond) (io.ReadCloser, store.Object, error) {
	s.wait(ctx)
	body, o, err := s.Reader.Get(context.WithoutCancel(ctx), key, r, c)
	if err == nil {
		s.open.Add(1)
		body = &countedBody{ReadCloser: body, open: s.open}
	}
	return body, o, err
}

type countedBody struct {
	io.ReadCloser
	open   *atomic.Int64
	closed bool
}

func (b *countedBody) Close() error {
	if !b.closed {
		b.closed = true
		b.open.Add(-1)
	}
	return b.ReadCloser.Close()
}
