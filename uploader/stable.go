package uploader

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// A store of this machine's own has what it acknowledged on its disk only after a Sync. So nothing is called
// committed, copied or removed in the log before: what a power loss leaves of the log is true of the store.

// maxResting bounds the operations that wait without holding a place.
const maxResting = 1024

// storeSyncs runs one sync of the store for all that has ended since the last one began.
type storeSyncs struct {
	mu   sync.Mutex
	next *storeSync // not begun; nil = nobody waits
	busy bool
}

// storeSync is one sync and those who wait for it.
type storeSync struct {
	done chan struct{}
	err  error // valid when done is closed
}

// join gives the sync that begins after now.
func (y *storeSyncs) join(ctx context.Context, s store.Syncer) *storeSync {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.next == nil {
		y.next = &storeSync{done: make(chan struct{})}
	}
	if !y.busy {
		y.busy = true
		go y.run(ctx, s) // not awaited by Close: a disk may hang
	}
	return y.next
}

func (y *storeSyncs) run(ctx context.Context, s store.Syncer) {
	for {
		y.mu.Lock()
		r := y.next
		y.next = nil
		y.busy = r != nil
		y.mu.Unlock()
		if r == nil {
			return
		}
		r.err = s.Sync(ctx)
		close(r.done)
	}
}

// stable waits until what the store has acknowledged is on its stable storage, where that is the
// caller's to ask for.
func (u *Uploader) stable(ctx context.Context) error {
	s, ok := u.store.(store.Syncer)
	if !ok {
		return nil
	}
	r := u.syncs.join(u.ctx, s)
	defer u.rest()()
	select {
	case <-r.done:
		if r.err != nil {
			return fmt.Errorf("sync of the store: %w", r.err)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// rest gives the place of a running operation to others while it waits; the function that it returns takes one back.
func (u *Uploader) rest() (back func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.resting >= maxResting {
		return func() {}
	}
	u.resting++
	u.running--
	u.poke()
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.resting--
		u.running++
	}
}

// unstable takes note of a sync that failed after a write: the store may have lost the bytes, though it
// shows them. So they are written again, over the version that it shows.
func (u *Uploader) unstable(ctx context.Context, o *op, at Base, cause error) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.fold.ops[o.id] != o {
		return cause
	}
	o.unsure = true
	if ctx.Err() != nil || o.kind == opMarker {
		return cause
	}
	more := u.readAnew(o, at)
	r := o.record(spool.TypeAmend)
	r.Flags &^= flagStarted
	if o.kind == opMove {
		r.ToBase = at.logged()
	} else {
		r.Base = at.logged()
	}
	recs := append(more, r)
	if o.upload != nil { // its parts may be lost, too
		recs = append(recs, o.uploadRecord(&multipart{}))
	}
	if err := u.commit(recs...); err != nil {
		return errors.Join(cause, err)
	}
	o.unsure = false
	return cause
}

// readAnew: what the store copied of the base may be lost, and the base is gone. So the holes are fetched from what the
// store shows, if it can read that. Called with mu held.
func (u *Uploader) readAnew(o *op, at Base) []*spool.Record {
	if o.kind != opPut || at.ETag == "" || o.gen.content == nil || o.gen.whole() {
		return nil
	}
	old := o.gen.src
	o.gen.fetched = true
	u.fold.rebaseHoles(o, at)
	var recs []*spool.Record
	for _, g := range u.fold.gens {
		if g.op != nil && g.op != o && g.src == o.gen.src && g.src != old {
			recs = append(recs, g.op.record(spool.TypeAmend))
		}
	}
	return recs
}
