package uploader

import (
	"container/heap"
	"context"
	"slices"
	"time"

	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// opHeap orders what is at the head of its queues by the time from which on it may run.
type opHeap []*op

func (h opHeap) Len() int { return len(h) }

func (h opHeap) Less(i, j int) bool {
	if !h[i].notBefore.Equal(h[j].notBefore) {
		return h[i].notBefore.Before(h[j].notBefore)
	}
	return h[i].id < h[j].id
}

func (h opHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].heapIndex, h[j].heapIndex = i+1, j+1
}

// Push is heap.Interface's.
func (h *opHeap) Push(x any) {
	o, _ := x.(*op)
	o.heapIndex = len(*h) + 1
	*h = append(*h, o)
}

// Pop is heap.Interface's.
func (h *opHeap) Pop() any {
	old := *h
	o := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	o.heapIndex = 0
	return o
}

// maxRunningOps bounds the goroutines of operations: twice the requests, so that one that
// waits for the spool's sync or a slot does not leave the line idle.
func (u *Uploader) maxRunningOps() int {
	if u.pause.err != nil {
		return 1 // it asks for all of them
	}
	return 2 * u.cfg.Requests
}

// runnable reports whether nothing but time stands before the operation.
// Called with mu held.
func (u *Uploader) runnable(o *op) bool {
	if o == nil || o.running || u.fold.ops[o.id] != o || o.after != "" {
		return false
	}
	if !u.atHead(o) && !u.unpinned(o) {
		return false
	}
	if o.deletes() && o.hold != nil && !o.hold.released {
		return false
	}
	return o.kind != opPut || o.is(flagSealed|flagAbandoned)
}

// atHead: everything before the operation has ended. Called with mu held.
func (u *Uploader) atHead(o *op) bool {
	for _, k := range o.keys() {
		if u.fold.queues[k].head() != o {
			return false
		}
	}
	return true
}

// unpinned: a sealed delta that could not be made whole at the flush, or one is open above it that reads from where a
// delete waits for it. That may happen before its turn.
func (u *Uploader) unpinned(o *op) bool {
	return o.kind == opPut && o.is(flagSealed) && !o.is(flagAbandoned) && o.gen.content != nil &&
		(!u.pinned(o) || len(u.fold.waiting[o.gen.id]) > 0 && slices.ContainsFunc(u.readersOf(o), func(g *generation) bool { return !g.whole() }))
}

// consider puts the operation among those that are ready, or moves it there after its time
// changed. Called with mu held.
func (u *Uploader) consider(o *op) {
	if o == nil || o.batched || !u.runnable(o) {
		return
	}
	if o.heapIndex > 0 {
		heap.Fix(&u.ready, o.heapIndex-1)
	} else {
		heap.Push(&u.ready, o)
	}
	u.poke()
}

// at sets the time from which on the operation may run. Called with mu held.
func (u *Uploader) at(o *op, t time.Time) {
	o.notBefore = t
	u.consider(o)
}

// dispatch starts what is ready until the uploader closes.
func (u *Uploader) dispatch() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		u.mu.Lock()
		next := u.launch(time.Now())
		u.mu.Unlock()
		timer.Reset(next)
		select {
		case <-u.ctx.Done():
			return
		case <-u.wake:
		case <-timer.C:
		}
	}
}

// launch starts all that may run now and returns how long nothing more will
// become ready by time alone. A batch that is due has a place, and large files come first: what they are made of has been
// ready before what is now. Called with mu held.
func (u *Uploader) launch(now time.Time) time.Duration {
	const idle = time.Hour
	if u.pause.err != nil {
		if wait := u.pause.until.Sub(now); wait > 0 {
			return wait
		}
		u.window.setGate(1)
	}
	next, places := idle, u.maxRunningOps()
	if u.batchDue(now) {
		places-- // for the batch, to which deletes that are ready come first
	}
	u.startLarge(now)
	u.unpark()
	for len(u.ready) > 0 && u.running < places {
		o := u.ready[0]
		if wait := o.notBefore.Sub(now); wait > 0 {
			next = wait
			break
		}
		heap.Pop(&u.ready)
		u.picks++
		if u.runnable(o) && !u.postpone(o, now) && !u.park(o) {
			u.start(o, now)
		}
	}
	if u.batchDue(now) && u.running < u.maxRunningOps() {
		u.startBatch()
	}
	if wait := u.batchAt.Sub(now); len(u.batch) > 0 && wait > 0 {
		next = min(next, wait)
	}
	return next
}

// batchDue: the deletes that have come together are to be sent. Called with mu held.
func (u *Uploader) batchDue(now time.Time) bool { return len(u.batch) > 0 && !u.batchAt.After(now) }

// postpone keeps back what a denied level would refuse. Called with mu held.
func (u *Uploader) postpone(o *op, now time.Time) bool {
	for _, k := range o.keys() {
		l := u.levelOf(k)
		if l != nil && l.state == levelDenied && now.Before(l.nextProbe) && !o.deletes() {
			u.at(o, l.nextProbe)
			return true
		}
	}
	return false
}

// park keeps back what has failed before while such operations have half of the places: keys that do not answer leave
// room for the others. Called with mu held.
func (u *Uploader) park(o *op) bool {
	if o.rounds == 0 || u.retrying < max(1, u.maxRunningOps()/2) {
		return false
	}
	if !o.parked {
		o.parked = true
		u.parked = append(u.parked, o)
	}
	return true
}

// unpark makes as many of what park has kept back ready as find a place. Called with mu held.
func (u *Uploader) unpark() {
	free := max(1, u.maxRunningOps()/2) - u.retrying
	for ; len(u.parked) > 0 && free > 0; free-- {
		o := u.parked[0]
		u.parked = u.parked[1:]
		o.parked = false
		u.consider(o)
	}
}

// start runs one operation, or puts it among those with which it has to go or to wait. Called with mu held.
func (u *Uploader) start(o *op, now time.Time) {
	switch {
	case o.deletes() && u.batchable(o):
		u.addToBatch(o)
	case u.awaitBelow(o, nil):
	case u.isLarge(o):
		u.awaitLarge(o)
		u.startLarge(now)
	default:
		u.launchOp(o)
	}
}

// launchOp runs one operation on a goroutine of its own. Called with mu held.
func (u *Uploader) launchOp(o *op) {
	large := u.isLarge(o)
	ctx := withRound(u.begin(o), &round{stalls: o.stalls})
	u.running++
	retry := o.rounds > 0
	if large {
		u.large.count(retry, 1)
	}
	if retry {
		u.retrying++
		ctx = withClass(ctx, ofRetry)
	}
	u.crew.Hand(func() {
		err := u.run(ctx, o)
		u.mu.Lock()
		defer u.mu.Unlock()
		u.running--
		if retry {
			u.retrying--
		}
		if large {
			u.large.count(retry, -1)
		}
		u.finish(o, err)
	})
}

// begin marks the operation as running. Called with mu held.
func (u *Uploader) begin(o *op) context.Context {
	ctx, cancel := context.WithCancel(u.ctx)
	o.running, o.cancel = true, cancel
	u.count(o)
	return ctx
}

// finish takes note of the end of a round: the operation is either gone from the
// fold or will be tried again. Called with mu held.
func (u *Uploader) finish(o *op, err error) {
	o.cancel()
	o.running, o.commits = false, false
	if u.fold.ops[o.id] == o && u.ctx.Err() == nil {
		u.again(o, err)
		u.passMarkers(o)
	}
	u.count(o)
	u.passOn(o, err == nil && !o.is(flagAbandoned), err)
	u.notify()
	u.poke()
}

// run carries out one round of an operation. A nil error means that it ended in the
// log, or that it is to be looked at again at once.
func (u *Uploader) run(ctx context.Context, o *op) error {
	switch o.kind {
	case opPut:
		return u.runPut(ctx, o)
	case opDelete:
		return u.runDelete(ctx, o)
	case opMove:
		if o.deletes() {
			return u.runDelete(ctx, o)
		}
		return u.runMove(ctx, o)
	case opMarker:
		return u.runMarker(ctx, o)
	default:
		return u.runAttr(ctx, o)
	}
}

// end logs the end of an operation with what its keys have now, and tells of it.
func (u *Uploader) end(o *op, t spool.Type, at, atTo Base, events ...Event) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.fold.ops[o.id] != o {
		return nil
	}
	if err := u.commit(o.done(t, at, atTo)); err != nil {
		return err
	}
	for _, e := range events {
		u.tell(e)
	}
	return nil
}

// waiter is told the outcome of the operation's next round. Called with mu held.
func (u *Uploader) waiter(o *op) <-chan error {
	c := make(chan error, 1)
	if u.fold.ops[o.id] != o {
		c <- nil
		return c
	}
	o.waiters = append(o.waiters, c)
	return c
}

// passOn tells those who wait for an operation how it ended. Who waits for bytes that go on under another
// operation, re-keyed, cloned or within a later generation, waits for that. done: they are stored. Called with mu held.
func (u *Uploader) passOn(o *op, done bool, err error) {
	if len(o.waiters) == 0 {
		return
	}
	waiters := o.waiters
	o.waiters = nil
	if next := u.successor(o, done); next != nil {
		next.waiters = append(next.waiters, waiters...)
		if next.rounds == 0 {
			u.at(next, time.Now())
		}
		return
	}
	if o.is(flagAbandoned) {
		err = nil // unlinked: there is nothing left to be stored
	}
	for _, w := range waiters {
		w <- err
	}
}

// successor carries the bytes of a Put that has ended without storing them. Called with mu held.
func (u *Uploader) successor(o *op, done bool) *op {
	g := o.gen
	if g == nil {
		return nil
	}
	if g.op != nil && g.op != o {
		return g.op
	}
	if done || u.fold.ops[o.id] == o && !o.is(flagAbandoned) || g.file == nil || g.file.gone {
		return nil
	}
	for _, x := range u.fold.queues[g.file.key] {
		if x != o && x.kind == opPut && x.gen.file == g.file && x.is(flagSealed) && !x.is(flagAbandoned) {
			return x
		}
	}
	return nil
}

// await waits for an outcome, or for the end of ctx.
func (u *Uploader) await(ctx context.Context, outcome <-chan error) error {
	select {
	case err := <-outcome:
		return err
	case <-u.ctx.Done():
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}
