package uploader

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// SetHeaders replaces the headers of a file (chmod, utimens, setxattr). It
// costs no request while a generation is pending.
func (f *File) SetHeaders(h store.Headers) error {
	u := f.u
	u.mu.Lock()
	defer u.mu.Unlock()
	g := f.top
	if f.gone || g == nil || g.op == nil {
		return f.setOwn(h)
	}
	if o := g.op; o.is(flagSealed) && !o.idle() && (!u.mendable(o) || o.is(flagAbandoned)) {
		if err := u.newGeneration(f, false); err != nil { // attributes only: it runs after the commit
			return err
		}
		g = f.top
		g.changed = true
		g.setHeaders(h)
		if err := u.sealAttr(g); err != nil {
			u.sealLater(g, err)
			return err
		}
		return nil
	}
	old, oldSet := g.headers, g.timeSet
	g.setHeaders(h)
	if err := u.commit(append(u.unmendable(g.op), g.op.record(spool.TypeAmend))...); err != nil {
		g.headers, g.timeSet = old, oldSet
		return err
	}
	f.headers = h.Clone()
	return nil
}

// sealAttr seals a generation that changes nothing but headers. Called with mu held.
func (u *Uploader) sealAttr(g *generation) error {
	extents := g.content.Seal() // nobody writes to it: it was made under this lock
	r := g.op.record(spool.TypeSeal)
	r.Flags |= flagSealed
	r.Extents = extents
	g.op.notBefore = time.Now().Add(u.cfg.Settle)
	return u.commit(r)
}

// setOwn changes what an unlinked or unchanged open file shows.
func (f *File) setOwn(h store.Headers) error {
	if !f.gone {
		return &store.Error{Op: "set headers", Key: f.key, Kind: store.ErrNotExist}
	}
	f.headers = h.Clone()
	if f.top != nil {
		f.top.setHeaders(h)
	}
	return nil
}

// setHeaders: the headers say the time of the last write themselves until the next one.
func (g *generation) setHeaders(h store.Headers) {
	g.headers, g.timeSet = h.Clone(), true
}

// SetHeaders replaces the headers of a stored object (or directory marker, key
// ending in "/") by one self-copy of the version base. Changes within Config.Batch are one request. It returns when
// the change is logged; with a pending generation it amends that.
func (u *Uploader) SetHeaders(_ context.Context, key string, base Base, h store.Headers) error {
	u.mu.Lock()
	base, err := u.found(key, base)
	if err != nil {
		u.mu.Unlock()
		return fmt.Errorf("set headers %q: %w", key, err)
	}
	top := u.fold.queues[key].named()
	if top != nil && !top.makes(key) || top == nil && base.State == Absent {
		u.mu.Unlock()
		return &store.Error{Op: "set headers", Key: key, Kind: store.ErrNotExist}
	}
	if top != nil && top.kind == opPut {
		f := top.gen.file
		u.mu.Unlock()
		if f == nil {
			return &store.Error{Op: "set headers", Key: key, Kind: store.ErrNotExist}
		}
		return f.SetHeaders(h)
	}
	defer u.mu.Unlock()
	switch {
	case top != nil && (top.kind == opAttr || top.kind == opMarker) && top.idle():
		r := top.record(spool.TypeSetAttr)
		r.Headers = &h
		err = u.commit(r)
	default:
		o := &op{id: u.newID(), kind: opAttr, key: key, base: base, headers: &h}
		if top != nil {
			o.base = Base{}
		}
		if err = u.commit(o.record(spool.TypeSetAttr)); err == nil {
			o = u.fold.ops[o.id]
			if top == nil {
				o.base = base
			}
			u.at(o, time.Now().Add(u.cfg.Batch))
		}
	}
	if err != nil {
		return fmt.Errorf("set headers %q: %w", key, err)
	}
	if f := u.files[key]; f != nil {
		f.headers = h.Clone()
	}
	return nil
}

// runAttr copies an object onto itself with new headers, pinned by its ETag.
func (u *Uploader) runAttr(ctx context.Context, o *op) error {
	u.mu.Lock()
	base, w := o.base, o.headers.Metadata[metaW]
	if w == "" || !o.is(flagStarted) && !o.unsure { // the object's own id is not ours
		w = rand.Text()
	}
	h := withW(*o.headers, w)
	if isMarker(o.key) {
		h = markerHeaders(h)
	}
	unsure := o.unsure
	u.mu.Unlock()
	if base.State == Absent {
		return u.end(o, spool.TypeDone, base, Base{})
	}
	if base.State == Unknown || base.ETag == "" || unsure {
		now, err := u.lookAt(ctx, o.key)
		switch {
		case err != nil:
			return err
		case unsure && now.wrote() == w:
			return u.attrDone(ctx, o, now)
		case now.State == Absent, base.State == Present && !base.same(now):
			return u.attrLost(o, now)
		}
		base = now
	}
	if err := u.startAttr(o, base, h); err != nil {
		return err
	}
	var res store.PutResult
	unanswered, err := u.copyOver(ctx, o, base, h, &res)
	if err == nil {
		at := present(res, base.Size, h)
		if at.ETag == "" {
			at.ETag = base.ETag
		}
		return u.attrDone(ctx, o, at)
	}
	u.mu.Lock()
	o.unsure = unanswered
	o.set(flagStarted, unanswered)
	u.mu.Unlock()
	if !unanswered && (errors.Is(err, store.ErrChanged) || errors.Is(err, store.ErrNotExist)) && !errors.Is(err, store.ErrNoBucket) {
		now, lookErr := u.lookAt(ctx, o.key)
		if lookErr != nil || base.same(now) { // 409: somebody else was writing at that moment
			return errors.Join(err, lookErr)
		}
		return errors.Join(err, u.attrLost(o, now))
	}
	if errors.Is(err, store.ErrNoBucket) { // 403 may be for want of the right to read: a copy does both
		u.refused(o.key, err)
	}
	return err
}

// copyOver copies an object onto itself; in parts, on condition of its version, where it is too large for one copy.
func (u *Uploader) copyOver(ctx context.Context, o *op, base Base, h store.Headers, res *store.PutResult) (unanswered bool, err error) {
	r := store.CopyRequest{Source: o.key, SourceETag: base.ETag, Target: o.key, Headers: &h}
	if base.Size > u.limits.MaxCopy {
		if !u.noConditions(o.key) && base.ETag != "" {
			r.Cond.IfMatch = base.ETag
		}
		*res, unanswered, err = u.copyParts(ctx, r, base.Size)
		return unanswered, err
	}
	return u.try(ctx, base.Size, func(ctx context.Context) (err error) {
		*res, err = u.store.Copy(ctx, r)
		return err
	})
}

// startAttr logs the id that the copy will carry, so that a crash can tell whether it was made.
func (u *Uploader) startAttr(o *op, base Base, h store.Headers) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.fold.ops[o.id] != o {
		return context.Canceled
	}
	r := o.record(spool.TypeStart)
	r.Headers, r.Base = &h, base.logged()
	r.Flags |= flagStarted
	return u.commit(r)
}

func (u *Uploader) attrDone(ctx context.Context, o *op, at Base) error {
	e := Event{Kind: Committed, Key: o.key, ETag: at.ETag, Size: at.Size, LastModified: at.told(), Op: o.id}
	if at.Headers != nil {
		e.Headers = at.Headers.Clone()
	}
	if err := u.endWritten(ctx, o, at, e); err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if f := u.files[o.key]; f != nil && f.top == nil {
		f.base = at
	}
	return nil
}

// endWritten ends an operation that has written its key.
func (u *Uploader) endWritten(ctx context.Context, o *op, at Base, e Event) error {
	if err := u.stable(ctx); err != nil {
		return u.unstable(ctx, o, at, err)
	}
	if err := u.end(o, spool.TypeDone, at, Base{}, e); err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.proved(o.key)
	return nil
}

// attrLost: the version whose headers were to change is gone.
func (u *Uploader) attrLost(o *op, now Base) error {
	return u.end(o, spool.TypeDone, now, Base{}, Event{Kind: Reappeared, Key: o.key, Err: store.ErrChanged})
}

// runMarker makes a directory marker. One that is there already is fine.
func (u *Uploader) runMarker(ctx context.Context, o *op) error {
	u.mu.Lock()
	h := markerHeaders(withW(*o.headers, "d"+rand.Text()))
	u.mu.Unlock()
	cond := store.Cond{IfNoneMatch: true}
	if u.noConditions(o.key) && u.canLook(o.key) {
		now, err := u.lookAt(ctx, o.key)
		if err != nil {
			return err
		}
		if now.State == Present {
			return u.end(o, spool.TypeDone, now, Base{})
		}
	}
	if !u.canLook(o.key) {
		cond = store.Cond{}
	}
	if err := u.markStarted(o); err != nil {
		return err
	}
	var res store.PutResult
	unanswered, err := u.try(ctx, 0, func(ctx context.Context) (err error) {
		res, err = u.store.Put(ctx, o.key, watched(ctx, emptyBody()), h, cond)
		return err
	})
	switch {
	case err == nil:
		return u.endWritten(ctx, o, present(res, 0, h),
			Event{Kind: Committed, Key: o.key, ETag: res.ETag, Headers: h, LastModified: res.LastModified})
	case errors.Is(err, store.ErrChanged), errors.Is(err, store.ErrExist):
		if err = u.markerExists(ctx, o, err); err == nil {
			return nil
		}
	}
	u.mu.Lock()
	o.unsure = unanswered
	o.set(flagStarted, unanswered)
	u.mu.Unlock()
	u.refused(o.key, err)
	return err
}

// markerExists: somebody has made it, or was about to. Its ETag is that of every empty object, so nothing is known that
// a delete could be conditional on but that it exists.
func (u *Uploader) markerExists(ctx context.Context, o *op, cause error) error {
	if u.canLook(o.key) {
		if now, err := u.lookAt(ctx, o.key); err != nil || now.State == Absent {
			return errors.Join(cause, err)
		}
	}
	return u.end(o, spool.TypeDone, Base{State: Present}, Base{})
}

func isMarker(key string) bool { return strings.HasSuffix(key, "/") }

// markerHeaders gives a directory marker the content type by which s3fs and
// others know one.
func markerHeaders(h store.Headers) store.Headers {
	if h.ContentType == "" {
		h.ContentType = "application/x-directory"
	}
	return h
}

// withW gives headers the id of who writes them.
func withW(h store.Headers, w string) store.Headers {
	h = h.Clone()
	if h.Metadata == nil {
		h.Metadata = map[string]string{}
	}
	h.Metadata[metaW] = w
	return h
}
