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
	if base.State == Unknown || base.ETag == "" || unsure || u.needsTarget(o) {
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

// needsTarget: NOREPLACE on a server that ignores conditions on a copy's target.
func (u *Uploader) needsTarget(o *op) bool {
	return o.is(flagNoReplace) && !u.limits.CopyCond && u.canLook(o.to)
}

// copyObject is the server-side copy, in parts above Limits.MaxCopy; headers are kept.
func (u *Uploader) copyObject(ctx context.Context, o *op) (res store.PutResult, unanswered bool, err error) {
	u.mu.Lock()
	r := store.CopyRequest{Source: o.key, SourceETag: o.base.ETag, Target: o.to, Headers: o.headers}
	size := o.base.Size
	if u.limits.CopyCond && o.toBase.State == Absent {
		r.Cond.IfNoneMatch = true
	} else if u.limits.CopyCond && o.toBase.State == Present && o.toBase.ETag != "" {
		r.Cond.IfMatch = o.toBase.ETag
	}
	u.mu.Unlock()
	if isMarker(r.Source) && size == 0 {
		return u.copyMarker(ctx, r)
	}
	if size > u.limits.MaxCopy {
		return u.copyParts(ctx, o, r, size)
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
		obj, err := u.store.Head(ctx, r.Source, store.Cond{IfMatch: r.SourceETag})
		if err != nil {
			return res, false, fmt.Errorf("headers of the marker: %w", err)
		}
		r.Headers = obj.Headers
	}
	h := store.Headers{}
	if r.Headers != nil {
		h = *r.Headers
	}
	unanswered, err = u.try(ctx, 0, func(ctx context.Context) error {
		res, err = u.store.Put(ctx, r.Target, emptyBody(), markerHeaders(h), r.Cond)
		return err
	})
	return res, unanswered, err
}

// copyParts copies an object that is too large for one Copy.
func (u *Uploader) copyParts(ctx context.Context, o *op, r store.CopyRequest, size int64) (res store.PutResult, unanswered bool, err error) {
	if r.Headers == nil {
		obj, err := u.store.Head(ctx, r.Source, store.Cond{IfMatch: r.SourceETag})
		if err != nil {
			return res, false, fmt.Errorf("headers of the source: %w", err)
		}
		r.Headers = obj.Headers
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
	m := &multipart{id: id, partSize: max(u.partSizeOf(size), min(u.limits.MaxPart, size/int64(u.limits.MaxParts)+1))}
	m.parts = make([]store.Part, (size+m.partSize-1)/m.partSize)
	err = u.eachPart(ctx, m, size, func(ctx context.Context, i int, rng store.Range) (part store.Part, err error) {
		_, err = u.try(ctx, rng.Len, func(ctx context.Context) (err error) {
			part, err = u.store.CopyPart(ctx, r.Target, id, int32(i+1), r.Source, r.SourceETag, rng)
			return err
		})
		return part, err
	})
	if err != nil {
		u.mu.Lock()
		o.upload = &multipart{id: id}
		key := o.to
		u.mu.Unlock()
		u.abortUpload(o, key)
		return res, false, err
	}
	unanswered, err = u.try(ctx, 0, func(ctx context.Context) error {
		res, err = u.store.Complete(ctx, r.Target, id, m.parts, r.Cond)
		return err
	})
	return res, unanswered, err
}

// lookMove reads what is not known of source and target; done: the move has
// come to an end or a new stage by it.
func (u *Uploader) lookMove(ctx context.Context, o *op) (done bool, err error) {
	src, err := u.lookAt(ctx, o.key)
	if err != nil {
		return false, err
	}
	at, err := u.lookAt(ctx, o.to)
	if err != nil {
		return false, err
	}
	u.mu.Lock()
	unsure, base := o.unsure, o.base
	u.mu.Unlock()
	if unsure && base.ETag != "" && at.State == Present && (at.ETag == base.ETag ||
		at.Size == base.Size && src.wrote() != "" && at.wrote() == src.wrote()) {
		return true, u.moveCopied(ctx, o, at.ETag)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	o.unsure = false
	o.set(flagStarted, false)
	switch {
	case src.State == Absent:
		u.mu.Unlock()
		defer u.mu.Lock()
		return true, u.moveGone(o)
	case o.is(flagNoReplace) && at.State == Present:
		return true, errors.Join(&store.Error{Op: "rename", Key: o.to, Kind: store.ErrExist}, u.takeBack(o))
	case base.State == Unknown || base.ETag == "":
		o.base = src
	}
	return false, nil
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
	u.events.add(Event{Kind: Committed, Key: o.to, ETag: etag, Size: o.base.Size, Headers: h, From: o.key})
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
	now, err := u.lookAt(ctx, o.key)
	if err != nil {
		return err
	}
	u.mu.Lock()
	again := now.State == Present && !now.same(o.base) && !o.reread
	if again {
		o.reread, o.base = true, now
	}
	u.mu.Unlock()
	if again {
		return u.runMove(ctx, o)
	}
	if now.same(o.base) && o.is(flagNoReplace) {
		cause = &store.Error{Op: "rename", Key: o.to, Kind: store.ErrExist}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return errors.Join(cause, u.takeBack(o))
}
