package uploader

import (
	"container/list"
	"context"
	"errors"
	"net/http"
	"sync"

	"github.com/s3levelfs/s3levelfs/store"
)

// window bounds the requests in flight and adapts to what the store can take: it halves when the store asks to slow down, at
// most once a round trip, and grows by one with each window full of answers. Within it large files, files that are
// still being written and what has failed before have shares, so that none of them keeps the others out. Requests begin in the order
// in which they came, but for those whose share is taken. Of two shares that a request needs one lies within the other: what gives
// room in the inner one gives it in both, so that nobody waits for a moment in which both happen to have some.
type window struct {
	most int // requests

	mu        sync.Mutex
	size      int   // requests, 1 to most
	gate      int   // requests that may be in flight whatever size says; see setGate
	shut      error // why gate is 0; nil = it is not
	good      int   // answers since size was changed
	out       int   // requests in flight
	held      [shares]int
	waiting   [1 << 3]*list.List // of *place, by class, in the order of their coming
	came      uint64
	begun     uint64 // number of the last request that has begun
	cut       uint64 // requests up to this number tell of a window that is no more
	throttled int64
}

// class says what a request is of; its bits can be combined.
type class uint8

const (
	ofPart  class = 1 << iota // a part
	ofOpen                    // a file that is being written
	ofRetry                   // an operation that has failed before
)

// share is a part of the window that some classes keep to.
type share uint8

const (
	partShare  share = iota // three quarters: the rest is for small files and all that is no part
	openShare               // within it: closed files come first
	againShare              // within it: parts that fail leave room for others
	retryShare              // half, of what is no part
	shares
)

// eighths of the window that each share is, at least one request.
func (s share) eighths() int {
	return [shares]int{partShare: 6, openShare: 3, againShare: 3, retryShare: 4}[s]
}

// shares are those that a request of the class counts for.
func (c class) shares() []share {
	return [...][]share{
		0:                         nil,
		ofPart:                    {partShare},
		ofOpen:                    nil,
		ofPart | ofOpen:           {partShare, openShare},
		ofRetry:                   {retryShare},
		ofPart | ofRetry:          {partShare, againShare},
		ofOpen | ofRetry:          {retryShare},
		ofPart | ofOpen | ofRetry: {partShare, openShare},
	}[c]
}

// gateOpen as a gate is none.
const gateOpen = int(^uint(0) >> 1)

func newWindow(most int) *window {
	w := &window{most: most, size: most, gate: gateOpen}
	for i := range w.waiting {
		w.waiting[i] = list.New()
	}
	return w
}

// place is the right to have one request in flight.
type place struct {
	w       *window
	class   class
	came    uint64
	number  uint64        // of the request, in the order of their beginning; valid when granted
	granted chan struct{} // closed: it may begin, or refused says why not
	refused error
	at      *list.Element // while it waits
	left    bool
	lent    bool
	dog     *watchdog // of the request that has it
	slowed  bool
}

// enter waits for a place until ctx ends, the window is shut, which is its error, or stop is closed, which gives neither a
// place nor an error.
func (w *window) enter(ctx context.Context, stop <-chan struct{}, c class) (*place, error) {
	p := w.come(c)
	var err error
	select {
	case <-p.granted:
		if p.refused != nil {
			return nil, p.refused
		}
		return p, nil
	case <-stop:
	case <-ctx.Done():
		err = ctx.Err()
	}
	p.leave()
	return nil, err
}

// come asks for a place.
func (w *window) come(c class) *place {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.came++
	p := &place{w: w, class: c, came: w.came, granted: make(chan struct{})}
	p.at = w.waiting[c].PushBack(p)
	w.refuse()
	w.grant()
	return p
}

// grant lets begin what has room. Called with mu held.
func (w *window) grant() {
	for {
		var next *place
		for c, q := range w.waiting {
			if q.Len() == 0 || !w.room(class(c)) {
				continue
			}
			if p, _ := q.Front().Value.(*place); next == nil || p.came < next.came {
				next = p
			}
		}
		if next == nil {
			return
		}
		w.waiting[next.class].Remove(next.at)
		next.at = nil
		w.count(next.class, 1)
		w.begun++
		next.number = w.begun
		close(next.granted)
	}
}

// room: a request of the class may begin. Called with mu held.
func (w *window) room(c class) bool {
	if w.out >= min(w.size, w.gate) {
		return false
	}
	for _, x := range c.shares() {
		if w.held[x] >= max(1, w.size*x.eighths()/8) {
			return false
		}
	}
	return true
}

func (w *window) count(c class, n int) {
	w.out += n
	for _, x := range c.shares() {
		w.held[x] += n
	}
}

// end gives the place back, after its request, whose outcome the window learns from. Only the first call counts.
func (p *place) end(err error) {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if !p.left && p.at == nil {
		p.w.learn(p.number, err)
	}
	p.giveBack()
}

// slowDown: the store has carried out a part of the request and refused the rest. Only the first call counts.
func (p *place) slowDown(err error) {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if !p.slowed {
		p.slowed = true
		p.w.learn(p.number, err)
	}
}

// leave gives the place back, or does not wait for it any more, without a request.
func (p *place) leave() {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.giveBack()
}

// giveBack is called with mu held.
func (p *place) giveBack() {
	switch {
	case p.left:
		return
	case p.at != nil:
		p.w.waiting[p.class].Remove(p.at)
		p.at = nil
	default:
		p.w.count(p.class, -1)
	}
	p.left = true
	p.w.grant()
}

// learn adapts the window to the outcome of a request. Called with mu held.
func (w *window) learn(number uint64, err error) {
	if errors.Is(err, store.ErrThrottled) {
		w.throttled++
		if number > w.cut {
			w.size, w.good, w.cut = max(1, w.size/2), 0, w.begun
		}
		return
	}
	if number <= w.cut || w.size >= w.most || !answered(err) {
		return
	}
	if w.good++; w.good >= w.size {
		w.size, w.good = w.size+1, 0
	}
}

// answered: the store has looked at the request and said something of it, if only no.
func answered(err error) bool {
	if err == nil {
		return true
	}
	e, ok := errors.AsType[*store.Error](err)
	return ok && e.Status != 0 && e.Status < http.StatusInternalServerError
}

// setGate bounds the requests in flight to n besides the window's size: 1 while they only ask whether there is use in more,
// gateOpen.
func (w *window) setGate(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gate, w.shut = n, nil
	w.grant()
}

// shutGate refuses all that wait and come until setGate. It returns the number of the last request that has begun.
func (w *window) shutGate(err error) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gate, w.shut = 0, err
	w.refuse()
	return w.begun
}

// lastBegun is the number of the last request that has begun.
func (w *window) lastBegun() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.begun
}

// refuse ends the waiting of all while the gate is shut. Called with mu held.
func (w *window) refuse() {
	if w.shut == nil {
		return
	}
	for _, q := range w.waiting {
		for q.Len() > 0 {
			p, _ := q.Remove(q.Front()).(*place)
			p.at, p.left, p.refused = nil, true, w.shut
			close(p.granted)
		}
	}
}

// Window shows the bound of the requests in flight.
type Window struct {
	Size      int   // requests that may be in flight now
	Most      int   // the same at best: Config.Requests
	InFlight  int   // requests
	Throttled int64 // answers since New that asked to slow down
}

func (w *window) show() Window {
	w.mu.Lock()
	defer w.mu.Unlock()
	return Window{Size: w.size, Most: w.most, InFlight: w.out, Throttled: w.throttled}
}

type (
	classKey struct{}
	placeKey struct{}
)

// withClass adds to the classes of all requests that are sent under a context.
func withClass(ctx context.Context, c class) context.Context {
	return context.WithValue(ctx, classKey{}, classOf(ctx)|c)
}

func classOf(ctx context.Context) class {
	c, _ := ctx.Value(classKey{}).(class)
	return c
}

// withPlace gives a place that was entered before to the first request that is sent under the context.
func withPlace(ctx context.Context, p *place) context.Context {
	return context.WithValue(withClass(ctx, p.class), placeKey{}, p)
}

// placeOf is the place of the request that is sent under a context of try.
func placeOf(ctx context.Context) *place {
	p, _ := ctx.Value(placeKey{}).(*place)
	return p
}

// slot waits until a request may be sent. Once the uploader has ended nothing more is: contexts end one after the other, and
// a request that has been ended gives its place to one that has not learnt it yet.
func (u *Uploader) slot(ctx context.Context) (*place, error) {
	p := placeOf(ctx)
	if p == nil || !p.take() {
		var err error
		if p, err = u.window.enter(ctx, nil, classOf(ctx)); err != nil {
			return nil, err
		}
		p.take()
	}
	if err := u.ctx.Err(); err != nil {
		p.leave()
		return nil, err
	}
	return p, nil
}

// take: nobody has used the place yet.
func (p *place) take() bool {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	free := !p.left && !p.lent
	p.lent = true
	return free
}
