package uploader

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// markDeletes logs that the requests are about to be sent: after a crash only the version
// known is deleted, a newer one stays.
func (u *Uploader) markDeletes(ops []*op) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	recs := make([]*spool.Record, 0, len(ops))
	for _, o := range ops {
		if !o.is(flagStarted) {
			r := o.record(spool.TypeStart)
			r.Flags |= flagStarted
			recs = append(recs, r)
		}
	}
	if len(recs) == 0 {
		return nil
	}
	return u.commit(recs...)
}

// runDelete removes one object at the version that the deleter knew (I3).
func (u *Uploader) runDelete(ctx context.Context, o *op) error {
	u.mu.Lock()
	base, unsure, fresh := o.base, o.unsure, u.fresh(o)
	u.mu.Unlock()
	if base.State == Absent {
		return u.end(o, spool.TypeDone, base, Base{})
	}
	canLook, noMatch := u.canLook(o.key), u.noMatch(o.key)
	pinned := base.ETag != "" && !noMatch && !unsure
	if canLook && !pinned && !(isMarker(o.key) && fresh) {
		now, err := u.lookAt(ctx, o.key)
		switch {
		case err != nil:
			return err
		case now.State == Absent:
			return u.removed(ctx, o)
		case !o.mayDelete(base, now) && !(base.State == Unknown && fresh):
			return u.reappear(o, now)
		}
		base = now
	}
	if err := u.markDeletes([]*op{o}); err != nil {
		return err
	}
	cond := store.Cond{IfMatch: base.ETag}
	if noMatch || !canLook {
		cond = store.Cond{}
	}
	unanswered, err := u.try(ctx, 0, func(ctx context.Context) error { return u.store.Delete(ctx, o.key, cond) })
	switch {
	case err == nil, errors.Is(err, store.ErrNotExist) && !errors.Is(err, store.ErrNoBucket):
		return u.removed(ctx, o)
	case errors.Is(err, store.ErrChanged):
		return u.deleteChanged(ctx, o, base, err)
	case errors.Is(err, store.ErrInvalid) && isMarker(o.key):
		if err = u.markerRefused(ctx, o, base, err); err == nil {
			return nil
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	o.unsure = o.unsure || unanswered
	return u.refusedDelete(o, err)
}

// deleteChanged answers 412 and 409: only a look tells a foreign version from somebody who was writing at that moment.
func (u *Uploader) deleteChanged(ctx context.Context, o *op, base Base, cause error) error {
	if !u.canLook(o.key) {
		return u.reappear(o, Base{})
	}
	now, err := u.lookAt(ctx, o.key)
	switch {
	case err != nil:
		u.mu.Lock()
		defer u.mu.Unlock()
		o.unsure = true
		return fmt.Errorf("look after %w: %w", cause, err)
	case now.State == Absent:
		return u.removed(ctx, o)
	case o.mayDelete(base, now):
		return cause
	}
	return u.reappear(o, now)
}

func (u *Uploader) removed(ctx context.Context, o *op) error {
	if err := u.stable(ctx); err != nil {
		u.mu.Lock()
		defer u.mu.Unlock()
		o.unsure = true
		return err
	}
	return u.end(o, spool.TypeDone, Base{State: Absent}, Base{}, Event{Kind: Removed, Key: o.key})
}

// reappear gives a name back whose object is not the one that was to be removed.
func (u *Uploader) reappear(o *op, now Base) error {
	return u.end(o, spool.TypeDone, now, Base{}, Event{Kind: Reappeared, Key: o.key})
}

// refusedDelete: what may not be deleted comes back, with an error in status; all
// else is tried again. Called with mu held.
func (u *Uploader) refusedDelete(o *op, err error) error {
	if !errors.Is(err, store.ErrPermission) || u.fold.ops[o.id] != o {
		return err
	}
	if lerr := u.commit(o.done(spool.TypeDone, o.base, Base{})); lerr != nil {
		return lerr
	}
	u.lastErr = err.Error()
	u.tell(Event{Kind: Reappeared, Key: o.key, Err: err})
	return err
}

// tell queues an event; called with mu held, so that the events of a key are in the order of the log.
func (u *Uploader) tell(e Event) {
	if e.Kind == Reappeared {
		u.log.Warn("what was changed or removed here is another version in the store", zap.String("key", e.Key), zap.Error(e.Err))
	}
	u.events.add(e)
}
