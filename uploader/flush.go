package uploader

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// firstFlushWait is how long the first flush in a level whose rights are not
// proved waits for the store's word (promise 7).
const firstFlushWait = 5 * time.Second

// Flush is close(2) of one descriptor: what was written since the last flush is
// sealed and goes to the store in the background. A file never written is left alone: shells flush before
// the first write. A delta is made whole first, for at most Config.PinWait.
func (f *File) Flush(ctx context.Context) error {
	u := f.u
	u.mu.Lock()
	g, lost := f.top, f.lost
	open := g != nil && g.op != nil && !g.op.is(flagSealed) && !f.gone
	dirty := open && g.written
	empty := open && g.unwritten() && !g.op.is(flagEmpty)
	key := f.key
	u.mu.Unlock()
	if lost {
		return fmt.Errorf("flush %q: %w", key, ErrBaseLost)
	}
	if empty {
		return u.logEmpty(g)
	}
	if !dirty {
		return nil
	}
	if err := u.flushPin(ctx, g); err != nil {
		return err
	}
	o, err := u.seal(g)
	if err != nil || o == nil {
		return err
	}
	u.mu.Lock()
	replaced := o.is(flagReplaced)
	u.mu.Unlock()
	if replaced { // it may end without ever being sent
		return nil
	}
	return u.afterFlush(ctx, o)
}

// unwritten: a new or truncated file that nothing was written into.
func (g *generation) unwritten() bool { return !g.written && g.src.key == "" }

// logEmpty notes that an empty file was closed. It is not sealed: it may be a
// shell that is about to write. But the kernel tells the last close in its own time, and a crash until
// then must not lose the file.
func (u *Uploader) logEmpty(g *generation) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if g.op == nil || g.op.is(flagSealed) || !g.unwritten() {
		return nil
	}
	g.size = g.content.Size()
	r := g.op.record(spool.TypeSynced)
	r.Flags |= flagEmpty
	r.Extents = g.content.Extents()
	return u.commit(r)
}

// noLongerEmpty takes logEmpty back before the first write: half of what a
// program writes must not replace a good object. Called with mu held.
func (u *Uploader) noLongerEmpty(g *generation) error {
	if g.op == nil || !g.op.is(flagEmpty) {
		return nil
	}
	r := g.op.record(spool.TypeAmend)
	r.Flags = r.Flags&^flagEmpty | flagUnflushed
	return u.commit(r)
}

// flushPin makes a delta whole while its writer still waits.
func (u *Uploader) flushPin(ctx context.Context, g *generation) error {
	u.mu.Lock()
	content := g.content
	if content == nil || content.Whole() {
		u.mu.Unlock()
		return nil
	}
	g.refs++ // another handle may replace it meanwhile
	u.mu.Unlock()
	defer func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.fold.unref(g)
		u.follow()
	}()
	ctx, cancel := context.WithTimeout(ctx, u.cfg.PinWait)
	defer cancel()
	err := u.pinOpen(ctx, g, content)
	if errors.Is(err, ErrBaseLost) {
		if lerr := u.loseBase(g, err); lerr != nil {
			return lerr
		}
		return fmt.Errorf("flush: %w", err)
	}
	if err != nil {
		u.log.Warn("the base of a changed file can not be read now, will be tried again",
			zap.String("gen", g.id), zap.Error(err))
	}
	return nil
}

// pinOpen pins a generation that is not sealed yet: one flush of it at a time.
func (u *Uploader) pinOpen(ctx context.Context, g *generation, content *spool.Content) error {
	u.mu.Lock()
	o := g.op
	copies := o != nil && u.copies(o)
	if g.pinning == nil {
		g.pinning = make(chan struct{}, 1)
	}
	turn := g.pinning
	u.mu.Unlock()
	select {
	case turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-turn }()
	if copies {
		return u.pinByCopies(ctx, o, content)
	}
	return u.fill(ctx, g, content)
}

// afterFlush waits for the store where that is wanted.
func (u *Uploader) afterFlush(ctx context.Context, o *op) error {
	if u.cfg.CloseUpload {
		return u.sendNow(ctx, o)
	}
	if !u.unproved(o.key) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, firstFlushWait)
	defer cancel()
	if err := u.sendNow(ctx, o); errors.Is(err, store.ErrPermission) || errors.Is(err, store.ErrNoBucket) {
		return err
	}
	return nil // stored, or no answer yet: the file is safe in the spool
}

// sendNow lets the operation run at once and returns the error of its next round.
func (u *Uploader) sendNow(ctx context.Context, o *op) error {
	u.mu.Lock()
	outcome := u.waiter(o)
	u.at(o, time.Now())
	for _, k := range o.keys() {
		for _, before := range u.fold.queues[k] {
			if before.rounds == 0 {
				u.at(before, time.Now())
			}
		}
	}
	u.mu.Unlock()
	return u.await(ctx, outcome)
}

// seal makes a generation immutable and due after the settle time. The one below it
// that nothing was sent of is superseded in the same transaction (I7). It returns nil if there was nothing
// to seal.
func (u *Uploader) seal(g *generation) (*op, error) {
	u.mu.Lock()
	content := g.content
	u.mu.Unlock()
	if content == nil {
		return nil, nil
	}
	extents := content.Seal()
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.logSeal(g, extents)
}

// logSeal is the second half of seal. Called with mu held.
func (u *Uploader) logSeal(g *generation, extents []spool.Extent) (*op, error) {
	o := g.op
	if o == nil || o.is(flagSealed) {
		return o, nil
	}
	g.headers = u.stamped(g)
	g.size = g.content.Size()
	g.sums = g.sumsAt(extents)
	o.since = time.Now()
	from := u.bequest(o)
	r := o.record(spool.TypeSeal)
	r.Flags |= flagSealed
	r.Extents = extents
	if from != nil {
		r.Keys = []string{from.upload.headers.Metadata[metaW]}
	}
	recs := append(append([]*spool.Record{r}, o.dirtyParts()...), u.supersede(o, from)...)
	if err := u.commit(recs...); err != nil {
		return nil, fmt.Errorf("seal %q: %w", o.key, err)
	}
	o.notBefore = u.settled(o, g.file != nil && g.file.writers > 0)
	if g.file != nil {
		o.notBefore = g.file.checkpoint.sealed(o.notBefore)
	}
	u.unblock(o.key)
	o.err, o.rounds = nil, 0
	u.count(o)
	u.consider(o)
	return o, nil
}

// sealRetry is the time between two tries to seal what the log did not take.
const sealRetry = 10 * time.Second

// sealLater seals a generation that nobody writes to any more and that the log did not take, as soon as it does. Until
// then it is shown as failed. Called with mu held.
func (u *Uploader) sealLater(g *generation, cause error) {
	o := g.op
	if o == nil || o.is(flagSealed) || u.closed {
		return
	}
	again := o.err != nil // it is being tried
	o.err, o.rounds, u.lastErr = cause, o.rounds+1, cause.Error()
	u.count(o)
	u.notify()
	if again {
		return
	}
	u.wg.Go(func() {
		for sleep(u.ctx, sealRetry) {
			if _, err := u.seal(g); err == nil {
				return
			}
		}
	})
}

// stamped are a generation's headers with the time of its last write.
func (u *Uploader) stamped(g *generation) store.Headers {
	h := g.headers.Clone()
	if !g.timeSet {
		u.cfg.Stamp(&h, g.modTime)
	}
	return h
}

// settled is when a generation that was sealed now may be sent: chmod, utimens and rename
// after close cost nothing until then. Called with mu held.
func (u *Uploader) settled(o *op, writers bool) time.Time {
	if u.cfg.CloseUpload {
		return time.Now()
	}
	if writers || looksTemporary(o.key) {
		return time.Now().Add(max(u.cfg.TempSettle, u.cfg.Settle))
	}
	return time.Now().Add(u.cfg.Settle)
}

// Sync is fsync(2): all that was written is on this machine's stable storage
// when it returns; with Config.FsyncUpload, in the store.
func (f *File) Sync(ctx context.Context) error {
	u := f.u
	u.mu.Lock()
	g := f.top
	if f.lost {
		u.mu.Unlock()
		return fmt.Errorf("fsync: %w", ErrBaseLost)
	}
	u.mu.Unlock()
	if u.cfg.FsyncUpload {
		return f.syncUpload(ctx)
	}
	if g != nil {
		if err := u.logFsynced(g); err != nil {
			return err
		}
	}
	return u.spool.Sync(ctx)
}

func (f *File) syncUpload(ctx context.Context) error {
	if err := f.Flush(ctx); err != nil {
		return err
	}
	if err := f.u.spool.Sync(ctx); err != nil {
		return err
	}
	f.u.mu.Lock()
	var o *op
	if f.top != nil && f.top.op != nil && f.top.op.is(flagSealed) && !f.top.op.is(flagReplaced) {
		o = f.top.op
	}
	f.u.mu.Unlock()
	if o == nil {
		return nil
	}
	return f.u.sendNow(ctx, o)
}

// Release gives a handle back. At the last one that can write, what no flush
// sealed (pages written through a mapping, a new file never written) is sealed.
func (f *File) Release(ctx context.Context, write bool) error {
	u := f.u
	u.mu.Lock()
	last := false
	if write {
		f.writers--
		if last = f.writers == 0; last {
			f.checkpoint.forget()
		}
	} else {
		f.readers--
	}
	g := f.top
	open := last && !f.gone && g != nil && g.op != nil && !g.op.is(flagSealed)
	u.mu.Unlock()
	var err error
	if open {
		if err = u.flushPin(ctx, g); err == nil {
			_, err = u.seal(g)
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if open && err != nil {
		u.sealLater(g, err)
	}
	if last && g != nil && g.op != nil && g.op.is(flagSealed) && g.op.rounds == 0 && !g.op.running {
		u.at(g.op, u.settled(g.op, false))
	}
	u.forgetFile(f)
	return err
}

// forgetFile drops a file that nobody has open and that has nothing
// pending. Called with mu held.
func (u *Uploader) forgetFile(f *File) {
	if f.writers+f.readers > 0 || (f.top != nil && f.top.op != nil) {
		return
	}
	if u.files[f.key] == f {
		delete(u.files, f.key)
	}
	if f.hold != nil {
		u.releaseHold(f.hold)
		f.hold = nil
	}
	if g := f.top; g != nil {
		f.top = nil
		u.fold.unref(g)
		u.follow()
	}
}

// fileCommitted tells the open file that its bytes, or those below what is open, are in the store. Called
// with mu held.
func (u *Uploader) fileCommitted(o *op, at Base) {
	f := o.gen.file
	if f == nil || f.key != o.key || o.is(flagAbandoned) {
		return
	}
	f.base, f.baseKey = at, f.key
	if f.top != o.gen {
		return
	}
	if at.Headers != nil {
		f.headers = at.Headers.Clone()
	}
	u.forgetFile(f)
}
