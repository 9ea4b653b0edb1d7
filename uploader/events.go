package uploader

import "sync"

// eventQueue hands events to their receiver in the order of their making,
// without a lock held. It is unbounded: an event is small and the receiver does not wait for the store.
type eventQueue struct {
	mu     sync.Mutex
	more   *sync.Cond
	events []Event
	closed bool
}

func (q *eventQueue) init() { q.more = sync.NewCond(&q.mu) }

func (q *eventQueue) add(e Event) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	q.events = append(q.events, e)
	q.more.Signal()
}

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
		}
	}
}
