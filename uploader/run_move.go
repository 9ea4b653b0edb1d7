package uploader

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// runMove copies the version that was renamed. The delete of the source is the
// operation's next round.
func (u *Uploader) runMove(ctx context.Context, o *op) error {
	u.mu.Lock()
	base, unsure := o.base, o.unsure
	u.mu.Unlock()
	if base.State == Absent {
		return u.moveGone(o)
	}
	if unsure || base.State == Unknown || base.ETag == "" || u.needsTarget(o) {
		if done, err := u.lookMove(ctx, o); done || err != nil {
			return err
		}
	}
	if err := u.markStarted(o); err != nil {
		return err
	}
	res, unanswered, err := u.copyObject(ctx, o)
	if err == nil {
		return u.moveCopied(ctx, o, res.ETag)
	}
	u.mu.Lock()
	o.unsure = unanswered
	o.set(flagStarted, unanswered)
	u.mu.Unlock()
	switch {
	case unanswered && ctx.Err() == nil:
		if done, lookErr := u.lookMove(ctx, o); done {
			return lookErr
		}
		return err
	case errors.Is(err, store.ErrNotExist) && !errors.Is(err, store.ErrNoBucket):
		return u.moveGone(o)
	case errors.Is(err, store.ErrChanged):
		return u.moveChanged(ctx, o, err)
	case errors.Is(err, store.ErrPermission), errors.Is(err, store.ErrInvalid):
		u.mu.Lock()
		defer u.mu.Unlock()
		return errors.Join(err, u.takeBack(o))
	}
	return err
}

// freshTarget is how long it counts that a directory's new name was free when it was renamed.
const freshTarget = time.Minute

// needsTarget: the server does not keep conditions on a copy's target, or is sent none, so a HEAD comes before. The moves of a
// directory do without while its new name was listed, or nobody else's, a moment ago: not those that an outage or a crash has delayed.
func (u *Uploader) needsTarget(o *op) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	l := u.levelOf(o.to)
	kept := u.limits.CopyCond && (l == nil || !l.noCond) && (o.toBase.State != Present || o.toBase.ETag != "" && !l.noMatch())
	return !kept && (o.is(flagNoReplace|flagSingle) || time.Since(o.since) > freshTarget) && u.canLook(o.to)
}

// copyObject is the server-side copy, in parts above Limits.MaxCopy; headers are kept.
func (u *Uploader) copyObject(ctx context.Context, o *op) (res store.PutResult, unanswered bool, err error) {
	noCond := u.noConditions(o.to) || !u.canLook(o.to)
	u.mu.Lock()
	r := store.CopyRequest{Source: o.key, SourceETag: o.base.ETag, Target: o.to, Headers: o.headers, Known: o.base.Headers}
	size := o.base.Size
	plain := size <= u.limits.MaxCopy && (!isMarker(r.Source) || size > 0)
	switch {
	case noCond, plain && !u.limits.CopyCond: // PUT and Complete keep conditions where a copy does not
	case o.toBase.State == Absent:
		r.Cond.IfNoneMatch = true
	case o.toBase.State == Present && !u.levelOf(o.to).noMatch():
		r.Cond.IfMatch = o.toBase.ETag
	}
	u.mu.Unlock()
	switch {
	case isMarker(r.Source) && size == 0:
		return u.copyMarker(ctx, r)
	case !plain:
		return u.copyParts(ctx, r, size)
	}
	unanswered, err = u.try(ctx, size, func(ctx context.Context) error {
		res, err = u.store.Copy(ctx, r)
		return err
	})
	return res, unanswered, err
}

// copyMarker makes a directory marker anew under its new name: there are no bytes to copy, and
// versitygw refuses to copy the marker of a directory that has entries
// (400 DirectoryObjectContainsData).
func (u *Uploader) copyMarker(ctx context.Context, r store.CopyRequest) (res store.PutResult, unanswered bool, err error) {
	if r.Headers == nil {
		if r.Headers, err = u.headersOf(ctx, r); err != nil {
			return res, false, fmt.Errorf("headers of the marker: %w", err)
		}
	}
	h := store.Headers{}
	if r.Headers != nil {
		h = *r.Headers
	}
	unanswered, err = u.try(ctx, 0, func(ctx context.Context) error {
		res, err = u.store.Put(ctx, r.Target, watched(ctx, emptyBody()), markerHeaders(h), r.Cond)
		return err
	})
	if !errors.Is(err, store.ErrChanged) {
		return res, unanswered, err
	}
	now, lookErr := u.lookAt(ctx, r.Target)
	if lookErr == nil && now.State == Present && now.Size == 0 { // somebody has made it: that is fine
		return store.PutResult{ETag: now.ETag, LastModified: now.ModTime}, false, nil
	}
	return res, unanswered, errors.Join(err, lookErr)
}

// headersOf asks for the headers of the version that is to be copied.
func (u *Uploader) headersOf(ctx context.Context, r store.CopyRequest) (*store.Headers, error) {
	p, err := u.slot(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	obj, err := u.store.Head(ctx, r.Source, store.Cond{IfMatch: r.SourceETag})
	u.ended(p, err)
	return obj.Headers, err
}

// copyParts copies an object that is too large for one Copy.
func (u *Uploader) copyParts(ctx context.Context, r store.CopyRequest, size int64) (res store.PutResult, unanswered bool, err error) {
	if r.Headers == nil {
		if r.Headers, err = u.headersOf(ctx, r); err != nil {
			return res, false, fmt.Errorf("headers of the source: %w", err)
		}
	}
	h := store.Headers{}
	if r.Headers != nil {
		h = *r.Headers
	}
	var id string
	if _, err := u.try(ctx, 0, func(ctx context.Context) (err error) {
		id, err = u.store.Create(ctx, r.Target, h)
		return err
	}); err != nil {
		return res, false, err
	}
	l := equal(u.limits, u.cfg.PartSize, size)
	parts := make([]store.Part, l.count(size))
	err = u.eachPart(ctx, numbers(len(parts)), func(ctx context.Context, i int) error {
		_, err := u.try(ctx, l.within(i, size).Len, func(ctx context.Context) (err error) {
			parts[i], err = u.store.CopyPart(ctx, r.Target, id, int32(i+1), r.Source, r.SourceETag, l.within(i, size))
			return err
		})
		return err
	})
	if err == nil {
		unanswered, err = u.try(ctx, 0, func(ctx context.Context) error {
			res, err = u.store.Complete(ctx, r.Target, id, parts, r.Cond)
			return err
		})
	}
	if err != nil && !unanswered {
		u.abortUpload(id, r.Target)
	}
	return res, unanswered, err
}

// numbers are 0 to n-1.
func numbers(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// lookMove reads what is not known of source and target; done: the move has
// come to an end or a new stage by it.
func (u *Uploader) lookMove(ctx context.Context, o *op) (done bool, err error) {
	u.mu.Lock()
	unsure, base, src := o.unsure, o.base, o.base
	u.mu.Unlock()
	if unsure || base.State == Unknown || base.ETag == "" {
		if src, err = u.lookAt(ctx, o.key); err != nil {
			return false, err
		}
	}
	at, err := u.lookAt(ctx, o.to)
	if err != nil {
		return false, err
	}
	w := src.wrote()
	u.mu.Lock()
	if o.headers != nil {
		w = o.headers.Metadata[metaW]
	}
	u.mu.Unlock()
	if unsure && base.ETag != "" && at.State == Present && (at.ETag == base.ETag ||
		at.Size == base.Size && w != "" && at.wrote() == w) {
		return true, u.moveCopied(ctx, o, at.ETag)
	}
	if src.State == Absent {
		return true, u.moveGone(o)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	o.unsure = false
	o.set(flagStarted, false)
	if base.State == Unknown || base.ETag == "" {
		o.base = src
	}
	maybeOurs := unsure && at.Size == base.Size
	if at.State == Absent || maybeOurs || o.toBase.State == Unknown || o.toBase.same(at) && !o.is(flagNoReplace) {
		return false, nil
	}
	return u.targetChanged(o, at, nil)
}

// targetChanged: the version that a move was to replace, or the name that was free, is somebody else's now. The caller
// still waits and is told; nothing has changed. Called with mu held.
func (u *Uploader) targetChanged(o *op, at Base, cause error) (done bool, err error) {
	switch {
	case o.is(flagNoReplace):
		cause = &store.Error{Op: "rename", Key: o.to, Kind: store.ErrExist}
	case u.cfg.OnConflict == Overwrite:
		o.toBase = at
		return false, nil
	case cause == nil:
		cause = &store.Error{Op: "rename", Key: o.to, Kind: store.ErrChanged}
	}
	if len(o.waiters) == 0 { // a rename of a process before
		u.tell(Event{Kind: Reappeared, Key: o.key, Err: cause})
	}
	return true, errors.Join(cause, u.takeBack(o))
}

// moveCopied logs that the new name is safe: from now on the old one may be deleted.
func (u *Uploader) moveCopied(ctx context.Context, o *op, etag string) error {
	if etag == "" {
		etag = o.base.ETag
	}
	if err := u.stable(ctx); err != nil {
		return u.unstable(ctx, o, Base{State: Present, ETag: etag, Size: o.base.Size}, err)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	r := o.record(spool.TypeCopied)
	r.ETag = etag
	r.Flags &^= flagStarted
	if err := u.commit(r); err != nil {
		return err
	}
	o.unsure, o.rounds, o.err = false, 0, nil
	o.confirmed = time.Now() // the source, by the copy
	h := store.Headers{}
	if o.headers != nil {
		h = o.headers.Clone()
	} else if o.base.Headers != nil {
		h = o.base.Headers.Clone()
	}
	if f := u.files[o.to]; f != nil && f.baseKey == o.key {
		f.baseKey, f.base = o.to, Base{State: Present, ETag: etag, Size: o.base.Size, ModTime: o.base.ModTime, Headers: o.base.Headers}
	}
	if old := o.replaced; old != nil {
		old.detach(true)
		u.forgetFile(old)
	}
	u.events.add(Event{Kind: Committed, Key: o.to, ETag: etag, Size: o.base.Size, Headers: h, From: o.key, Op: o.id})
	return nil
}

// moveGone: somebody has deleted the source before it was copied.
func (u *Uploader) moveGone(o *op) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if err := u.takeBack(o); err != nil {
		return err
	}
	u.events.add(Event{Kind: Removed, Key: o.key})
	return &store.Error{Op: "copy", Key: o.key, Kind: store.ErrNotExist}
}

// moveChanged: 412 from the source or the target. A changed source is read again once.
func (u *Uploader) moveChanged(ctx context.Context, o *op, cause error) error {
	src, err := u.lookAt(ctx, o.key)
	if err != nil {
		return err
	}
	at, err := u.lookAt(ctx, o.to)
	if err != nil {
		return err
	}
	if done, err := u.judgeMove(o, src, at, cause); done {
		return err
	}
	return u.runMove(ctx, o)
}

// judgeMove: what has changed? Once the move goes on with what is there now.
func (u *Uploader) judgeMove(o *op, src, at Base, cause error) (done bool, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if src.same(o.base) && (o.toBase.State == Unknown || o.toBase.same(at)) {
		return true, cause // 409: somebody else was writing at that moment
	}
	first := !o.reread
	o.reread = true
	switch {
	case first && src.State == Present && !src.same(o.base):
		o.base = src
		return false, nil
	case first && src.same(o.base):
		return u.targetChanged(o, at, cause)
	}
	return true, errors.Join(cause, u.takeBack(o))
}
