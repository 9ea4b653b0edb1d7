package vfs

import "sync"

// notices hands invalidations to Config.Notify from a goroutine of its own: the
// kernel may hold the caller of an operation until a notice of the same inode
// has been taken, so that no operation ever sends one itself.
type notices struct {
	notify func(Invalidation)
	done   chan struct{}

	mu      sync.Mutex
	wake    *sync.Cond
	pending map[noticeKey]Invalidation // one an entry: the queue is bounded by the names known
	order   []noticeKey
	closed  bool
}

type noticeKey struct {
	parent, name string
	ino          uint64
}

// newNotices starts the goroutine; close ends it. Without a receiver there is none.
func newNotices(notify func(Invalidation)) *notices {
	q := &notices{notify: notify, done: make(chan struct{}), pending: make(map[noticeKey]Invalidation)}
	q.wake = sync.NewCond(&q.mu)
	if notify == nil {
		close(q.done)
		return q
	}
	go q.run()
	return q
}

func (q *notices) run() {
	defer close(q.done)
	for {
		q.mu.Lock()
		for len(q.order) == 0 && !q.closed {
			q.wake.Wait()
		}
		if len(q.order) == 0 {
			q.mu.Unlock()
			return
		}
		key := q.order[0]
		q.order = q.order[1:]
		i := q.pending[key]
		delete(q.pending, key)
		q.mu.Unlock()
		q.notify(i)
	}
}

// post adds a notice; one that waits for the same entry is merged with it.
func (q *notices) post(i Invalidation) {
	if q.notify == nil {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	key := noticeKey{i.Parent, i.Name, i.Ino}
	if old, ok := q.pending[key]; ok {
		i.Content = i.Content || old.Content
	} else {
		q.order = append(q.order, key)
	}
	q.pending[key] = i
	q.wake.Signal()
}

// close waits until what was posted has been told.
func (q *notices) close() {
	q.mu.Lock()
	q.closed = true
	q.wake.Broadcast()
	q.mu.Unlock()
	<-q.done
}
