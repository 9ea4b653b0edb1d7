package uploader

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/s3levelfs/s3levelfs/store"
)

var (
	errSlow  = &store.Error{Kind: store.ErrThrottled, Status: 503}
	errReset = &store.Error{Kind: store.ErrTransient, Unanswered: true}
	errWrong = &store.Error{Kind: store.ErrTransient, Status: 500}
	errNo    = &store.Error{Kind: store.ErrChanged, Status: 412}
)

// begin takes n places that are free.
func begin(t *testing.T, w *window, n int, c class) []*place {
	t.Helper()
	var all []*place
	for range n {
		p := tryEnter(w, c)
		if p == nil {
			t.Fatalf("only %d of %d requests begin: %+v", len(all), n, w.show())
		}
		all = append(all, p)
	}
	return all
}

// tryEnter enters if that is possible at once.
func tryEnter(w *window, c class) *place {
	p := w.come(c)
	select {
	case <-p.granted:
		return p
	default:
		p.leave()
		return nil
	}
}

func wantSize(t *testing.T, w *window, size int) {
	t.Helper()
	if got := w.show().Size; got != size {
		t.Errorf("the window is %d, want %d", got, size)
	}
}

func TestWindowHalvesOnceARoundTrip(t *testing.T) {
	w := newWindow(16)
	for _, p := range begin(t, w, 16, 0) {
		p.end(errSlow)
	}
	wantSize(t, w, 8)
	if n := w.show().Throttled; n != 16 {
		t.Errorf("%d throttled", n)
	}
	old := begin(t, w, 8, 0)
	old[0].end(errSlow)
	wantSize(t, w, 4)
	old[1].end(errSlow) // of the same round trip
	wantSize(t, w, 4)
	for range 10 { // not below one
		for _, p := range old {
			p.end(nil)
		}
		begin(t, w, 1, 0)[0].end(errSlow)
	}
	wantSize(t, w, 1)
}

func TestWindowGrowsByOneAWindow(t *testing.T) {
	w := newWindow(6)
	late := begin(t, w, 2, 0)
	begin(t, w, 1, 0)[0].end(errSlow)
	wantSize(t, w, 3)
	late[0].end(nil) // had begun before: says nothing of now
	late[1].end(nil)
	for size := 3; size < 6; size++ {
		for i := range size {
			wantSize(t, w, size)
			begin(t, w, 1, 0)[0].end([]error{nil, errNo}[i%2])
		}
		wantSize(t, w, size+1)
	}
	for range 20 {
		begin(t, w, 1, 0)[0].end(nil)
	}
	wantSize(t, w, 6)
}

// What happens to a single connection, or inside the server, is no reason to send less.
func TestWindowIsForThrottlingAlone(t *testing.T) {
	w := newWindow(16)
	for _, err := range []error{errReset, errWrong, context.DeadlineExceeded, errNo, errors.New("other")} {
		begin(t, w, 1, 0)[0].end(err)
	}
	wantSize(t, w, 16)
	begin(t, w, 1, 0)[0].end(errSlow)
	for range 100 { // nor are they reasons to send more
		for _, err := range []error{errReset, errWrong, context.Canceled} {
			begin(t, w, 1, 0)[0].end(err)
		}
	}
	wantSize(t, w, 8)
}

func TestSharesOfTheWindow(t *testing.T) {
	for _, tt := range []struct {
		size                 int
		parts, open, retries int
	}{{16, 12, 6, 8}, {8, 6, 3, 4}, {4, 3, 1, 2}, {2, 1, 1, 1}, {1, 1, 1, 1}} {
		for c, n := range map[class]int{ofPart: tt.parts, ofPart | ofOpen: tt.open, ofRetry: tt.retries, ofPart | ofRetry: tt.open, 0: tt.size} {
			w := newWindow(tt.size)
			begin(t, w, n, c)
			if p := tryEnter(w, c); p != nil {
				t.Errorf("window of %d: more than %d requests of class %d", tt.size, n, c)
			}
			if c != 0 && n < tt.size {
				begin(t, w, tt.size-n, 0) // others have what is left
			}
		}
	}
}

// A part of what has failed before is not overtaken for ever by those that need one of two shares only.
func TestWhoNeedsTwoSharesIsNotOvertaken(t *testing.T) {
	for size := 1; size <= 16; size++ {
		w := newWindow(size)
		var part, retry []*place
		for { // both as full as they can be
			p, r := tryEnter(w, ofPart), tryEnter(w, ofRetry)
			if p == nil && r == nil {
				break
			}
			if p != nil {
				part = append(part, p)
			}
			if r != nil {
				retry = append(retry, r)
			}
		}
		both := w.come(ofPart | ofRetry)
		for range 10 {
			w.come(ofPart)
			w.come(ofRetry)
		}
		if len(retry) > 0 {
			retry[0].end(nil)
		}
		part[0].end(nil)
		select {
		case <-both.granted:
		default:
			t.Errorf("window of %d: overtaken", size)
		}
	}
}

func TestPlacesAreGivenBackOnce(t *testing.T) {
	w := newWindow(1)
	p := begin(t, w, 1, ofPart)[0]
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if q, err := w.enter(ctx, nil, 0); q != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("%v, %v", q, err)
	}
	p.end(nil)
	p.end(errSlow)
	p.leave()
	wantSize(t, w, 1)
	if s := w.show(); s.InFlight != 0 || s.Throttled != 0 {
		t.Errorf("%+v", s)
	}
	begin(t, w, 1, 0)
}

// queued is how many requests wait.
func (w *window) queued() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, q := range w.waiting {
		n += q.Len()
	}
	return n
}

func TestGate(t *testing.T) {
	w := newWindow(4)
	begin(t, w, 1, 0)[0].end(nil)
	under := begin(t, w, 4, 0)
	waits := make(chan error, 1)
	go func() {
		_, err := w.enter(context.Background(), nil, ofRetry)
		waits <- err
	}()
	for w.queued() == 0 {
		runtime.Gosched()
	}
	if n := w.shutGate(errNo); n != 5 {
		t.Errorf("%d requests have begun", n)
	}
	if err := <-waits; !errors.Is(err, errNo) {
		t.Errorf("who waits is told %v", err)
	}
	if _, err := w.enter(t.Context(), nil, 0); !errors.Is(err, errNo) {
		t.Errorf("who comes is told %v", err)
	}
	for _, p := range under {
		p.end(nil)
	}
	w.setGate(1)
	p := begin(t, w, 1, 0)[0]
	if tryEnter(w, 0) != nil {
		t.Error("two requests begin through a gate for one")
	}
	w.setGate(gateOpen)
	begin(t, w, 3, 0)
	p.leave()
}

// queued is a request of the property below.
type queued struct {
	*place
	ahead int // that had come before it and have not ended
	late  int // that have ended since ahead is 0 and ought to have made room
}

// overlaps: what ends of the other class makes room for one of this, if a share is what it waits for.
func (c class) overlaps(other class) bool {
	return len(c.shares()) > 0 && len(other.shares()) > 0 && c.shares()[0] == other.shares()[0]
}

// shareTaken: what keeps the class out is one of its shares.
func (w *window) shareTaken(c class) bool {
	return slices.ContainsFunc(c.shares(), func(x share) bool { return w.held[x] >= max(1, w.size*x.eighths()/8) })
}

// Whatever comes and goes, and whatever the store answers: when those have ended that had come before a request, it begins before
// one window more of those has ended that it can be waiting for.
func TestNobodyStarvesInTheWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWindow(rapid.SampledFrom([]int{1, 2, 3, 4, 8, 16}).Draw(t, "most"))
		var waiting, running []*queued
		look := func() {
			waiting = slices.DeleteFunc(waiting, func(q *queued) bool {
				select {
				case <-q.granted:
					running = append(running, q)
					return true
				default:
					if q.late > w.most {
						t.Fatalf("a request of class %d waits while %d have ended that came after it", q.class, q.late)
					}
					return false
				}
			})
		}
		gone := func(q *queued, began bool) {
			for _, x := range waiting {
				switch {
				case x.came > q.came:
					x.ahead--
				case x.ahead == 0 && began && (x.class.overlaps(q.class) || !w.shareTaken(x.class)):
					x.late++
				}
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"come": func(t *rapid.T) {
				c := rapid.SampledFrom([]class{0, 0, ofRetry, ofPart, ofPart, ofPart | ofOpen, ofPart | ofRetry}).Draw(t, "class")
				waiting = append(waiting, &queued{place: w.come(c), ahead: len(waiting) + len(running)})
				look()
			},
			"end": func(t *rapid.T) {
				if len(running) == 0 {
					t.Skip()
				}
				i := rapid.IntRange(0, len(running)-1).Draw(t, "which")
				q := running[i]
				running = slices.Delete(running, i, i+1)
				gone(q, true)
				q.end(rapid.SampledFrom([]error{nil, nil, nil, errNo, errSlow, errReset}).Draw(t, "answer"))
				look()
			},
			"give up": func(t *rapid.T) {
				if len(waiting) == 0 {
					t.Skip()
				}
				i := rapid.IntRange(0, len(waiting)-1).Draw(t, "which")
				q := waiting[i]
				waiting = slices.Delete(waiting, i, i+1)
				gone(q, false)
				q.leave()
				look()
			},
			"": func(t *rapid.T) {
				if w.out != len(running) {
					t.Fatalf("%d are in flight, counted %d", len(running), w.out)
				}
				if len(waiting) > 0 && w.out == 0 {
					t.Fatalf("%d wait while none is in flight", len(waiting))
				}
			},
		})
	})
}
