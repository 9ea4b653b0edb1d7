package feed

import (
	"context"
	"iter"
	"sync"
	"time"
)

// Kind is what has happened.
type Kind string

// The kinds of events.
const (
	Upload Kind = "upload" // an object was stored by this mount: a file, a directory's marker, or new headers of either
	Copy   Kind = "copy"   // an object was copied from Other by this mount, as a rename does
	Remove Kind = "remove" // an object was removed by this mount, or found to be gone

	Conflict    Kind = "conflict"     // somebody else has changed the object, too: Other is the other version's path
	Failed      Kind = "failed"       // a change can not be stored for now: it is tried again
	BaseLost    Kind = "base-lost"    // changes whose object is gone: they stay in the spool
	Quarantined Kind = "quarantined"  // what a crash has left of an open file stays in the spool
	Reappeared  Kind = "reappeared"   // a removal was refused, or met another version: the name is back
	ForeignGone Kind = "foreign-gone" // somebody else has removed the object: ours was kept
	Denied      Kind = "level-denied" // what is written below the path may not be stored
	Proved      Kind = "level-proved" // it may

	Login       Kind = "login"        // credentials are good again
	LoginNeeded Kind = "login-needed" // they can not be renewed: `s3levelfs login` mends it

	Watching Kind = "watching" // the first event of each listener: all that happens from here on is told
	Lost     Kind = "lost"     // so many events, as they were not read in time
	End      Kind = "end"      // the last one: the mount has ended
)

// Event is one thing that has happened. Paths are those in the mount, or the key where no path leads to it.
type Event struct {
	At    time.Time `json:"time"`
	Kind  Kind      `json:"event"`
	Path  string    `json:"path,omitempty"`
	Key   string    `json:"key,omitempty"`   // in the bucket
	Other string    `json:"other,omitempty"` // Copy, Conflict
	Size  *int64    `json:"size,omitempty"`  // bytes; Upload, Copy
	ETag  string    `json:"eTag,omitempty"`  // Upload, Copy
	Error string    `json:"error,omitempty"`
	Count int       `json:"count,omitempty"` // Lost
}

// MaxQueued events wait for a listener at most; what comes then is lost to it.
const MaxQueued = 1000

// MaxListeners may listen at a time: one more is refused.
const MaxListeners = 64

// Feed is where events are told. Its methods are safe for concurrent use, and none of them blocks.
type Feed struct {
	mu        sync.Mutex
	listeners map[*listener]struct{}
	closed    bool
}

// New makes a feed without listeners.
func New() *Feed { return &Feed{listeners: map[*listener]struct{}{}} }

// Heard reports whether there are listeners, for those to whom an event is work.
func (f *Feed) Heard() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.listeners) > 0
}

// Tell tells all listeners that want it. Its time is now, where it has none.
func (f *Feed) Tell(e Event) {
	if e.At.IsZero() {
		e.At = time.Now()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for l := range f.listeners {
		if l.want(e) {
			l.add(e)
		}
	}
}

// Close tells all listeners of the end; what waits for them they still get.
func (f *Feed) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for l := range f.listeners {
		l.close()
	}
}

// Listen gives the events that are wanted, from now on, until ctx ends or, after an event of the kind End, the feed does. The first one
// is of the kind Watching, without a wait. It may be ranged over once. ok is false: there are MaxListeners already. The end of
// ctx gives the place of a listener free that is not ranged over.
func (f *Feed) Listen(ctx context.Context, want func(Event) bool) (events iter.Seq[Event], ok bool) {
	l := &listener{want: want, ready: make(chan struct{}, 1)}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.listeners) >= MaxListeners {
		return nil, false
	}
	f.listeners[l] = struct{}{}
	l.add(Event{At: time.Now(), Kind: Watching})
	if f.closed {
		l.close()
	}
	leave := func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.listeners, l)
	}
	stop := context.AfterFunc(ctx, leave)
	return func(yield func(Event) bool) {
		defer leave()
		defer stop()
		for {
			e, ok := l.next(ctx)
			if !ok || !yield(e) || e.Kind == End {
				return
			}
		}
	}, true
}

// listener is one queue.
type listener struct {
	want  func(Event) bool
	ready chan struct{} // something was added

	mu    sync.Mutex
	queue []Event
	lost  int // since the last event that found room
	ended bool
}

func (l *listener) add(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case len(l.queue) >= MaxQueued:
		l.lost++
		return
	case l.lost > 0 && len(l.queue) == MaxQueued-1: // no room to say so, too
		l.lost++
		return
	case l.lost > 0:
		l.queue = append(l.queue, l.gap())
	}
	l.queue = append(l.queue, e)
	l.wake()
}

// gap is the event that stands for those that were lost. Called with mu held.
func (l *listener) gap() Event {
	e := Event{At: time.Now(), Kind: Lost, Count: l.lost}
	l.lost = 0
	return e
}

func (l *listener) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	l.wake()
}

func (l *listener) wake() {
	select {
	case l.ready <- struct{}{}:
	default:
	}
}

// next waits for the next event; false = ctx has ended.
func (l *listener) next(ctx context.Context) (Event, bool) {
	for {
		if e, ok := l.take(); ok {
			return e, true
		}
		select {
		case <-l.ready:
		case <-ctx.Done():
			return Event{}, false
		}
	}
}

func (l *listener) take() (Event, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case len(l.queue) > 0:
		e := l.queue[0]
		l.queue = l.queue[1:]
		return e, true
	case l.lost > 0:
		return l.gap(), true
	case l.ended:
		return Event{At: time.Now(), Kind: End}, true
	}
	return Event{}, false
}
