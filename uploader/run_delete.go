package uploader

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// batchable: a delete may go with others in one unconditional request. Those that a crash
// or a failure left unsure go alone, after a HEAD.
func (u *Uploader) batchable(o *op) bool {
	return !o.is(flagSingle) && !o.unsure && o.rounds == 0 && o.base.State != Absent && u.limits.MaxDelete > 1
}

// addToBatch lets a delete wait for company, for at most Config.Batch. Called with mu held.
func (u *Uploader) addToBatch(o *op) {
	if len(u.batch) == 0 {
		u.batchAt = time.Now().Add(u.cfg.Batch)
	}
	o.batched = true
	u.batch = append(u.batch, o)
	if len(u.batch) >= u.limits.MaxDelete {
		u.batchAt = time.Now()
	}
}

// startBatch sends what has come together. Called with mu held.
func (u *Uploader) startBatch() {
	var ops []*op
	for len(u.batch) > 0 && len(ops) < u.limits.MaxDelete {
		o := u.batch[0]
		u.batch = u.batch[1:]
		o.batched = false
		if u.runnable(o) {
			ops = append(ops, o)
		}
	}
	if len(ops) == 0 {
		return
	}
	ctxs := make([]context.Context, len(ops))
	for i, o := range ops {
		ctxs[i] = u.begin(o)
	}
	u.wg.Go(func() {
		var errs map[*op]error
		if len(ops) == 1 {
			errs = map[*op]error{ops[0]: u.runDelete(ctxs[0], ops[0])}
		} else {
			errs = u.deleteMany(u.ctx, ops)
		}
		u.mu.Lock()
		defer u.mu.Unlock()
		for _, o := range ops {
			u.finish(o, errs[o])
		}
	})
}

// deleteMany ends several operations with one request.
func (u *Uploader) deleteMany(ctx context.Context, ops []*op) map[*op]error {
	errs := make(map[*op]error, len(ops))
	keys := make([]string, len(ops))
	byKey := make(map[string]*op, len(ops))
	for i, o := range ops {
		keys[i], byKey[o.key] = o.key, o
	}
	if err := u.markDeletes(ops); err != nil {
		for _, o := range ops {
			errs[o] = err
		}
		return errs
	}
	var failed []store.KeyError
	unanswered, err := u.try(ctx, 0, func(ctx context.Context) (err error) {
		failed, err = u.store.DeleteMany(ctx, keys)
		return err
	})
	for _, fe := range failed {
		if o := byKey[fe.Key]; o != nil && fe.Err != nil {
			errs[o] = fe.Err
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	var ended []*spool.Record
	var gone []*op
	for _, o := range ops {
		if err != nil {
			errs[o] = err
		}
		if errs[o] == nil {
			ended, gone = append(ended, o.done(spool.TypeDone, Base{State: Absent}, Base{})), append(gone, o)
			continue
		}
		o.unsure = unanswered
		errs[o] = u.refusedDelete(o, errs[o])
	}
	if len(ended) == 0 {
		return errs
	}
	if err := u.commit(ended...); err != nil {
		for _, o := range gone {
			errs[o] = err
		}
		return errs
	}
	for _, o := range gone {
		u.events.add(Event{Kind: Removed, Key: o.key})
	}
	return errs
}

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
	base, unsure := o.base, o.unsure
	u.mu.Unlock()
	if base.State == Absent {
		return u.end(o, spool.TypeDone, base, Base{})
	}
	if canLook := u.canLook(o.key); canLook && (unsure || u.noConditions(o.key) && base.ETag != "") {
		now, err := u.lookAt(ctx, o.key)
		switch {
		case err != nil:
			return err
		case now.State == Absent:
			return u.removed(o)
		case base.State == Present && !base.same(now):
			return u.reappear(o, now, nil)
		}
	}
	if err := u.markDeletes([]*op{o}); err != nil {
		return err
	}
	cond := store.Cond{IfMatch: base.ETag}
	if u.noConditions(o.key) || !u.canLook(o.key) {
		cond = store.Cond{}
	}
	unanswered, err := u.try(ctx, 0, func(ctx context.Context) error { return u.store.Delete(ctx, o.key, cond) })
	switch {
	case err == nil, errors.Is(err, store.ErrNotExist) && !errors.Is(err, store.ErrNoBucket):
		return u.removed(o)
	case errors.Is(err, store.ErrChanged):
		return u.reappear(o, Base{}, nil)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	o.unsure = o.unsure || unanswered
	return u.refusedDelete(o, err)
}

func (u *Uploader) removed(o *op) error {
	if err := u.end(o, spool.TypeDone, Base{State: Absent}, Base{}); err != nil {
		return err
	}
	u.events.add(Event{Kind: Removed, Key: o.key})
	return nil
}

// reappear gives a name back whose object is not the one that was to be removed, or that the store
// refused to remove.
func (u *Uploader) reappear(o *op, now Base, cause error) error {
	if err := u.end(o, spool.TypeDone, now, Base{}); err != nil {
		return err
	}
	u.reportBack(o, cause)
	return cause
}

func (u *Uploader) reportBack(o *op, cause error) {
	u.events.add(Event{Kind: Reappeared, Key: o.key, Err: cause})
	u.log.Warn("a removed name is back", zap.String("key", o.key), zap.Error(cause))
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
	u.reportBack(o, err)
	return err
}
