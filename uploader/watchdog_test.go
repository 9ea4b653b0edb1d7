package uploader_test

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// until is how long it takes from now until an object is there.
func (r *rig) until(key string) time.Duration {
	r.t.Helper()
	began := time.Now()
	for time.Since(began) < time.Hour {
		if _, ok := r.mem.Object(key); ok {
			return time.Since(began)
		}
		time.Sleep(10 * time.Millisecond)
	}
	r.t.Fatalf("%q is not stored: %v", key, r.u.Status().Items)
	return 0
}

// A part that stalls is sent again at once, and sooner when more is known of the line. Its file does not wait for a minute, others
// of its parts are sent once.
func TestStalledPartIsSentAgain(t *testing.T) {
	for name, tt := range map[string]struct {
		known       int // parts sent before
		least, most time.Duration
	}{"at first": {0, 20 * time.Second, 21 * time.Second}, "later": {16, 5 * time.Second, 6 * time.Second}} {
		t.Run(name, func(t *testing.T) {
			faultyIn(t, func(t *testing.T, r *rig, f *faultstore.Store) {
				for i := range tt.known / 2 {
					r.put(key(fmt.Sprint(i)), text("x", 2*part))
				}
				r.drain()
				before := r.mem.Counts()[op.UploadPart]
				f.Add(faultstore.Rule{Op: op.UploadPart, Key: key("f"), Nth: 2, Fault: faultstore.Stall()})
				r.put(key("f"), text("f", 7*part))
				if d := r.until(key("f")); d < tt.least || d > tt.most {
					t.Errorf("stored after %v", d)
				}
				if n := r.mem.Counts()[op.UploadPart] - before; n != 7 {
					t.Errorf("%d parts for 7", n)
				}
				if s := r.u.Status(); s.Failed != 0 || s.LastError != "" {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

// A small file likewise; that a request which was cut off had been carried out is no conflict.
func TestStalledPutIsSentAgain(t *testing.T) {
	for name, fault := range map[string]faultstore.Fault{"lost": faultstore.Stall(), "applied": faultstore.Applied(faultstore.Stall())} {
		t.Run(name, func(t *testing.T) {
			faulty(t, func(t *testing.T, r *rig, f *faultstore.Store) {
				for i := range 20 {
					r.put(key(fmt.Sprint(i)), "x")
				}
				r.mem.PutString(key("f"), "old")
				r.drain()
				f.Add(faultstore.Rule{Op: op.Put, Fault: fault})
				began := time.Now()
				r.put(key("f"), "new")
				r.drain()
				if d := time.Since(began); d > 7*time.Second {
					t.Errorf("stored after %v", d)
				}
				if o, _ := r.mem.Object(key("f")); string(o.Data) != "new" || len(r.mem.Objects()) != 21 {
					t.Errorf("%q, %d objects", o.Data, len(r.mem.Objects()))
				}
				if s := r.u.Status(); s.Conflicts != 0 || s.LastError != "" {
					t.Errorf("%+v", s)
				}
			})
		})
	}
}

// line is a store behind a connection that takes a byte at a time, and then waits for its answer.
type line struct {
	store.Store
	bytes, answer time.Duration
	stop          atomic.Int64 // bytes that the next one takes at all; 0 = all
	puts          atomic.Int64
}

func (l *line) Put(ctx context.Context, key string, body *io.SectionReader, h store.Headers, c store.Cond) (store.PutResult, error) {
	l.puts.Add(1)
	stop := l.stop.Swap(0)
	pause := func(d time.Duration) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return &store.Error{Op: op.Put, Key: key, Kind: store.ErrTransient, Err: ctx.Err(), Unanswered: true}
		}
	}
	for i := range body.Size() {
		if stop > 0 && i == stop {
			return store.PutResult{}, pause(time.Hour)
		}
		if _, err := body.ReadAt(make([]byte, 1), i); err != nil {
			return store.PutResult{}, err
		}
		if err := pause(l.bytes); err != nil {
			return store.PutResult{}, err
		}
	}
	if err := pause(l.answer); err != nil {
		return store.PutResult{}, err
	}
	return l.Store.Put(ctx, key, body, h, c)
}

// behind runs a test on such a line.
func behind(t *testing.T, l *line, test func(*testing.T, *rig)) {
	t.Helper()
	run(t, func(t *testing.T, r *rig) {
		r.stop()
		l.Store = r.mem
		r.store = l
		r.open()
		check(t, r.u.Prove(t.Context(), level))
		for i := range 20 {
			r.put(key(fmt.Sprint(i)), "x")
		}
		r.drain()
		l.puts.Store(0)
		test(t, r)
	})
}

// A body that moves is not cut off, however slowly; one that stops is, in its middle too.
func TestSlowBodyGoesOn(t *testing.T) {
	behind(t, &line{}, func(t *testing.T, r *rig) {
		l, _ := r.store.(*line)
		l.bytes = 4900 * time.Millisecond
		r.put(key("slow"), "0123456789")
		if d := r.until(key("slow")); d < 49*time.Second || d > 50*time.Second || l.puts.Load() != 1 {
			t.Errorf("stored after %v with %d requests", d, l.puts.Load())
		}
		l.bytes, l.answer = 10*time.Millisecond, 0
		l.stop.Store(4)
		r.put(key("stops"), "0123456789")
		if d := r.until(key("stops")); d < 5*time.Second || d > 21*time.Second || l.puts.Load() != 3 {
			t.Errorf("stored after %v with %d requests", d, l.puts.Load())
		}
	})
}

// A server that takes its time for each answer, more than ever before, gets all of them through; soon none is cut off any more.
func TestSlowAnswersAreLearnt(t *testing.T) {
	behind(t, &line{}, func(t *testing.T, r *rig) {
		l, _ := r.store.(*line)
		l.answer = 50 * time.Second
		const n = 100
		for i := range n {
			r.put(key(fmt.Sprint("slow ", i)), "x")
		}
		r.drain()
		if len(r.bucket()) != 20+n {
			t.Errorf("%d objects", len(r.bucket()))
		}
		first := l.puts.Load()
		l.puts.Store(0)
		for i := range n {
			r.put(key(fmt.Sprint("later ", i)), "x")
		}
		r.drain()
		if l.puts.Load() != n {
			t.Errorf("%d requests for %d files", l.puts.Load(), n)
		}
		t.Logf("%d requests for the first %d slow answers, %d for the next", first, n, l.puts.Load())
	})
}

// faultyIn is faulty with small parts and settings.
func faultyIn(t *testing.T, test func(*testing.T, *rig, *faultstore.Store), change ...func(*uploader.Config)) {
	t.Helper()
	withSmallParts(t, func(t *testing.T, r *rig) {
		f := faultstore.New(r.mem)
		r.over(f)
		test(t, r, f)
	}, change...)
}
