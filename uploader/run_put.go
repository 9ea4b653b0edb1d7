package uploader

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// runPut brings one sealed generation into the bucket.
func (u *Uploader) runPut(ctx context.Context, o *op) error {
	u.mu.Lock()
	abandoned, unsure := o.is(flagAbandoned), o.unsure && u.atHead(o)
	u.mu.Unlock()
	if unsure && u.canLook(o.key) {
		if done, err := u.settlePut(ctx, o); done || err != nil {
			return err
		}
	}
	if abandoned {
		return u.end(o, spool.TypeDrop, Base{}, Base{})
	}
	if err := u.pin(ctx, o); err != nil {
		return err
	}
	u.mu.Lock()
	turn := u.fold.ops[o.id] == o && u.atHead(o)
	u.mu.Unlock()
	if !turn {
		return nil
	}
	cond, ok, err := u.condition(ctx, o)
	if !ok || err != nil {
		return err
	}
	if err := u.markStarted(o); err != nil {
		return err
	}
	at, unanswered, err := u.send(ctx, o, cond)
	return u.judgePut(ctx, o, at, unanswered, err)
}

// condition is C(g) of docs/UPLOADER.md. Where no ETag can be the condition,
// or nothing is known of the key, a HEAD (without the right to it a LIST) comes before. ok is false when that showed
// that the generation's state had to change first.
func (u *Uploader) condition(ctx context.Context, o *op) (c store.Cond, ok bool, err error) {
	u.mu.Lock()
	base := o.base
	u.mu.Unlock()
	if !u.canLook(o.key) {
		return store.Cond{}, true, nil
	}
	noCond, noMatch := u.noConditions(o.key), u.noMatch(o.key)
	if noCond || noMatch && base.State == Present || base.State == Unknown || (base.State == Present && base.ETag == "") {
		now, err := u.lookAt(ctx, o.key)
		if err != nil {
			return c, false, fmt.Errorf("look before put: %w", err)
		}
		if base.State != Unknown && !base.same(now) {
			return c, false, u.foreign(ctx, o, now)
		}
		base = now
	}
	switch {
	case noCond || base.State == Present && (noMatch || base.ETag == ""):
		return store.Cond{}, true, nil
	case base.State == Present:
		return store.Cond{IfMatch: base.ETag}, true, nil
	}
	return store.Cond{IfNoneMatch: true}, true, nil
}

// errAbandoned ends a round of what nobody wants any more: no failure, the next round ends the operation.
var errAbandoned = errors.New("replaced or removed meanwhile")

// markStarted logs that the outcome is unknown from now on.
func (u *Uploader) markStarted(o *op) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.fold.ops[o.id] != o || o.is(flagAbandoned) {
		return errAbandoned
	}
	if o.is(flagStarted) {
		return nil
	}
	r := o.record(spool.TypeStart)
	r.Flags |= flagStarted
	return u.commit(r)
}

// send makes the object: one Put, or parts. at is what the store has then.
func (u *Uploader) send(ctx context.Context, o *op, c store.Cond) (at Base, unanswered bool, err error) {
	size, h := o.gen.content.Size(), u.contentHeaders(o)
	if size > min(u.cfg.PartSize, u.limits.MaxPut) {
		return u.sendParts(ctx, o, h, c)
	}
	if err := u.endStream(ctx, o); err != nil {
		return at, false, err
	}
	u.mu.Lock()
	m := o.upload
	u.mu.Unlock()
	if m != nil { // it was larger once
		u.giveUp(o, m)
	}
	if err := u.intact(o.gen, o.gen.content, store.Range{Len: size}); err != nil {
		return at, false, err
	}
	body := o.gen.content.Section(noBase)
	if t := o.gen.track; t != nil {
		ctx = withSum(ctx, o.gen, t.layout, 0, size)
	}
	var res store.PutResult
	unanswered, err = u.try(ctx, size, func(ctx context.Context) error {
		res, err = u.store.Put(ctx, o.key, watched(ctx, body), h, c)
		return err
	})
	return present(res, size, h), unanswered, blame(ctx, err, o.gen.content, store.Range{Len: size})
}

// noBase is the base of what is whole.
func noBase([]byte, int64) error { return ErrBaseLost }

// judgePut is the row SENDING of docs/UPLOADER.md, 5b.
func (u *Uploader) judgePut(ctx context.Context, o *op, at Base, unanswered bool, err error) error {
	if err == nil {
		return u.committed(ctx, o, at)
	}
	u.mu.Lock()
	o.unsure = o.unsure || unanswered
	if !o.unsure {
		o.set(flagStarted, false)
	}
	u.mu.Unlock()
	if !u.canLook(o.key) {
		u.refused(o.key, err)
		return err
	}
	switch {
	case errors.Is(err, store.ErrChanged), errors.Is(err, store.ErrNotExist), errors.Is(err, store.ErrExist):
		if errors.Is(err, store.ErrNoBucket) {
			break
		}
		return u.settleChanged(ctx, o, err)
	case o.unsure:
		if ctx.Err() != nil {
			return err
		}
		if done, lookErr := u.settlePut(ctx, o); done || lookErr != nil {
			return errors.Join(lookErr, ifErr(!done, err))
		}
		return err
	}
	u.refused(o.key, err)
	return err
}

func ifErr(cond bool, err error) error {
	if cond {
		return err
	}
	return nil
}

// settlePut is the row UNSURE: a HEAD says whether our bytes have landed (I9). done: the generation is out of
// this key's queue, or is to be looked at again.
func (u *Uploader) settlePut(ctx context.Context, o *op) (done bool, err error) {
	now, err := u.lookAt(ctx, o.key)
	if err != nil {
		return false, fmt.Errorf("look after an unanswered put: %w", err)
	}
	ours, err := u.isOurs(o, now)
	if err != nil {
		return false, err
	}
	if ours {
		return true, u.committed(ctx, o, now)
	}
	u.mu.Lock()
	o.unsure = false
	o.set(flagStarted, false)
	base := o.base
	u.mu.Unlock()
	if base.State == Unknown || base.same(now) {
		return false, nil
	}
	return true, u.foreign(ctx, o, now)
}

// settleChanged answers 412, 409 and 404 of a conditional write.
func (u *Uploader) settleChanged(ctx context.Context, o *op, cause error) error {
	now, err := u.lookAt(ctx, o.key)
	ours := false
	if err == nil {
		ours, err = u.isOurs(o, now)
	}
	if err != nil {
		u.mu.Lock()
		o.unsure = true
		u.mu.Unlock()
		return fmt.Errorf("look after %w: %w", cause, err)
	}
	u.mu.Lock()
	base := o.base
	o.unsure = false
	o.set(flagStarted, false)
	u.mu.Unlock()
	switch {
	case ours:
		return u.committed(ctx, o, now)
	case base.same(now):
		return cause // 409: somebody else was writing at that moment
	}
	return u.foreign(ctx, o, now)
}

// committed ends a Put whose bytes are in the bucket, and on its disk.
func (u *Uploader) committed(ctx context.Context, o *op, at Base) error {
	if err := u.stable(ctx); err != nil {
		return u.unstable(ctx, o, at, err)
	}
	if c := o.gen.content; c.Whole() {
		u.cfg.Stored(o.key, at.ETag, c.Section(noBase))
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.fold.ops[o.id] != o {
		return nil
	}
	g := o.gen
	size := o.gen.content.Size()
	mend, wanted := u.mendHeaders(o, at)
	if err := u.commit(append(mend, o.done(spool.TypeCommit, at, Base{}))...); err != nil {
		o.unsure = true
		return err
	}
	if next := u.fold.queues[o.key].head(); next != nil {
		next.base.Headers = at.Headers
	}
	u.fileCommitted(o, at)
	if f := g.file; f != nil && mend != nil {
		f.headers = *wanted
	}
	h := store.Headers{}
	if at.Headers != nil {
		h = at.Headers.Clone()
	}
	u.proved(o.key)
	u.events.add(Event{
		Kind: Committed, Key: o.key, ETag: at.ETag, Size: size, Headers: h, LastModified: at.told(), Gen: g.id, Op: o.id,
	})
	u.log.Debug("committed", zap.String("key", o.key), zap.String("gen", g.id), zap.String("etag", at.ETag))
	return nil
}

// giveUpForeign ends an abandoned Put whose key is somebody else's now: what follows it
// builds on the version that it was to replace, and meets the foreign one by its condition.
func (u *Uploader) giveUpForeign(o *op) error { return u.end(o, spool.TypeDrop, Base{}, Base{}) }
