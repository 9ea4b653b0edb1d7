package uploader

import (
	"context"
	"strings"
	"sync"
)

// eventQueue hands events to their receiver in the order of their making,
// without a lock held. It is unbounded: an event is small and the receiver does not wait for the store.
type eventQueue struct {
	mu     sync.Mutex
	more   *sync.Cond
	events []Event
	closed bool

	added, told uint64                   // how many
	untold      map[string]uint64        // by name, markers without their slash: the last event that has not been told
	waiters     map[uint64]chan struct{} // closed when so many have been told
}

func (q *eventQueue) init() {
	q.more = sync.NewCond(&q.mu)
	q.untold, q.waiters = make(map[string]uint64), make(map[uint64]chan struct{})
}

func (q *eventQueue) add(e Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	q.added++
	q.untold[nameOf(e)] = q.added
	q.events = append(q.events, e)
	q.more.Signal()
}

func nameOf(e Event) string { return strings.TrimSuffix(e.Key, "/") }

// close lets run end once it has told everything.
func (q *eventQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.more.Signal()
}

func (q *eventQueue) run(tell func(Event)) {
	for {
		q.mu.Lock()
		for len(q.events) == 0 && !q.closed {
			q.more.Wait()
		}
		batch := q.events
		q.events = nil
		q.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		for _, e := range batch {
			tell(e)
			q.done(e)
		}
	}
}

// done: the next event has been told.
func (q *eventQueue) done(e Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.told++
	if name := nameOf(e); q.untold[name] == q.told {
		delete(q.untold, name)
	}
	if c := q.waiters[q.told]; c != nil {
		close(c)
		delete(q.waiters, q.told)
	}
}

// upTo is closed when the events of a name and of all below it that are queued by now have been told; nil: there are
// none. The name "" is everything.
func (q *eventQueue) upTo(name string) <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	last := q.untold[name]
	for n, number := range q.untold {
		if number > last && (name == "" || strings.HasPrefix(n, name+"/")) {
			last = number
		}
	}
	if last == 0 {
		return nil
	}
	c := q.waiters[last]
	if c == nil {
		c = make(chan struct{})
		q.waiters[last] = c
	}
	return c
}

// AwaitEvents waits until all that has ended under a key (without trailing slash), or below it, has been told to
// Config.Events; "" is everything. It reports whether there was anything to be told. An operation leaves the overlay
// in the same moment in which its event is queued: who finds nothing pending and then waits here knows of it. It must not be called by
// the receiver of events.
func (u *Uploader) AwaitEvents(ctx context.Context, key string) (waited bool, err error) {
	u.mu.Lock()
	told := u.events.upTo(key)
	u.mu.Unlock()
	if told == nil {
		return false, nil
	}
	select {
	case <-told:
		return true, nil
	case <-ctx.Done():
		return true, ctx.Err()
	}
}

// LastOp is the number of the last operation that was made: [Event].Op of later ones is larger.
func (u *Uploader) LastOp() uint64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.fold.lastOp
}
