package notify

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Kind is what has happened.
type Kind string

// The kinds of events.
const (
	Conflict Kind = "conflict"  // somebody else has changed the file: ours is kept beside it, under Other
	Failed   Kind = "failed"    // it can not be uploaded for now
	BaseLost Kind = "base-lost" // what was changed is gone from the store: the changes stay in the spool

	Quarantined Kind = "quarantined" // it was being written when the mount died: what there is stays in the spool
)

// Event is one thing to tell.
type Event struct {
	Kind   Kind
	Path   string // of the file
	Other  string // Conflict: where ours is
	Theirs bool   // Conflict: Other is theirs, ours is at Path
	Err    string // Failed, BaseLost
	More   int    // events that are not told by themselves
}

// Limits on what a person is told and a command may take.
const (
	Every   = 5 * time.Second  // between two notifications
	Timeout = 10 * time.Second // of one
	maxTold = 10_000           // files that are known to have failed
)

// Notifier tells of events. Its methods are safe for concurrent use; none blocks but Close.
type Notifier struct {
	run  func(context.Context, Event) error
	log  *zap.Logger
	wake chan struct{}
	ctx  context.Context //nolint:containedctx // of the goroutine, ended by Close
	end  context.CancelFunc
	done chan struct{}

	mu   sync.Mutex
	next *Event          // waits for its turn
	told map[string]bool // files that failed and have not been stored since
}

// New makes a notifier that tells by run; Close ends it.
func New(run func(context.Context, Event) error, log *zap.Logger) *Notifier {
	n := &Notifier{run: run, log: log, wake: make(chan struct{}, 1), done: make(chan struct{}), told: map[string]bool{}}
	n.ctx, n.end = context.WithCancel(context.Background())
	go n.loop()
	return n
}

// Tell takes an event; of a file that failed only the first until it is stored.
func (n *Notifier) Tell(e Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if e.Kind == Failed {
		if n.told[e.Path] {
			return
		}
		if len(n.told) >= maxTold {
			clear(n.told)
		}
		n.told[e.Path] = true
	}
	if n.next != nil {
		n.next.More++
		return
	}
	n.next = &e
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// Stored takes note that a file is in the bucket, or gone: if it fails again that is news.
func (n *Notifier) Stored(path string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.told, path)
}

// Close ends what runs and waits for it; what has not been told is not.
func (n *Notifier) Close() {
	n.end()
	<-n.done
}

func (n *Notifier) loop() {
	defer close(n.done)
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-n.wake:
		}
		select {
		case <-n.ctx.Done():
			return
		case <-pause.C:
		}
		n.mu.Lock()
		e := n.next
		n.next = nil
		n.mu.Unlock()
		ctx, cancel := context.WithTimeout(n.ctx, Timeout)
		if err := n.run(ctx, *e); err != nil && n.ctx.Err() == nil {
			n.log.Warn("notification failed", zap.String("event", string(e.Kind)), zap.String("path", e.Path), zap.Error(err))
		}
		cancel()
		pause.Reset(Every)
	}
}

// Title says in a few words what has happened.
func (e Event) Title() string {
	switch e.Kind {
	case Conflict:
		return "Two versions of a file are kept"
	case BaseLost:
		return "Changes of a file can not be stored"
	case Quarantined:
		return "Half of a file is kept"
	case Failed:
	}
	return "A file can not be uploaded yet"
}

// Text says what has happened to which file, and what comes next.
func (e Event) Text() string {
	var text string
	switch e.Kind {
	case Conflict:
		whose := "yours"
		if e.Theirs {
			whose = "theirs"
		}
		text = fmt.Sprintf("%q was changed by somebody else, too: %s is %q", e.Path, whose, e.Other)
	case BaseLost:
		text = fmt.Sprintf("%q was replaced or removed while you changed parts of it: `s3levelfs spool export` gives what is yours", e.Path)
	case Quarantined:
		text = fmt.Sprintf("%q was being written when s3levelfs died: `s3levelfs spool export` gives what there is", e.Path)
	default:
		text = fmt.Sprintf("%q is kept in the spool and tried again: %s", e.Path, e.Err)
	}
	if e.More > 0 {
		text += fmt.Sprintf(" (and %d more: `s3levelfs status`)", e.More)
	}
	return text
}
