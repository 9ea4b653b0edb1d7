package uploader

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// Deletes that come together are one request, which has no conditions. So it holds only what was seen at its
// version a moment ago (I3): as it was logged, as it was copied, or by a listing right before the request.

const (
	freshTime   = 3   // times Config.Batch: what was seen since then is fresh
	manyStale   = 3   // so many old deletes of a level are confirmed by a listing, fewer go alone
	perPage     = 100 // one more page of that listing is worth so many deletes
	batchRounds = 2   // rounds after which deletes give up to go together
)

// errUnconfirmed: no listing could be had right before the request.
var errUnconfirmed = errors.New("versions could not be confirmed")

// batchable: a delete may go with others in one unconditional request. Called with mu held.
func (u *Uploader) batchable(o *op) bool {
	known := o.base.State == Present || isMarker(o.key) || !u.canLook(o.key)
	return known && o.base.State != Absent && !o.is(flagSingle) && !o.alone && o.rounds < batchRounds && u.limits.MaxDelete > 1
}

// fresh: the version that is to go was seen within about Config.Batch. Called with mu held.
func (u *Uploader) fresh(o *op) bool {
	return !o.unsure && time.Since(o.confirmed) <= freshTime*u.cfg.Batch
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
	var fresh []*op
	stale := map[*level][]*op{}
	for n := 0; len(u.batch) > 0 && n < u.limits.MaxDelete; n++ {
		o := u.batch[0]
		u.batch = u.batch[1:]
		o.batched = false
		switch l := u.levelOf(o.key); {
		case !u.runnable(o):
		case u.fresh(o), !u.canLook(o.key):
			fresh = append(fresh, o)
		case l == nil || l.CanList:
			stale[l] = append(stale[l], o)
		default:
			u.goAlone(o)
		}
	}
	for l, ops := range stale {
		if len(ops) < manyStale {
			for _, o := range ops {
				u.goAlone(o)
			}
			continue
		}
		fresh = slices.DeleteFunc(fresh, func(o *op) bool { // the listing shows them, too
			same := u.levelOf(o.key) == l
			if same {
				ops = append(ops, o)
			}
			return same
		})
		u.runBatch(ops)
	}
	u.runBatch(fresh)
	if len(u.batch) > 0 {
		u.poke()
	}
}

// goAlone: the delete is sent by itself, on condition of its version. Called with mu held.
func (u *Uploader) goAlone(o *op) {
	o.alone = true
	u.consider(o)
}

// runBatch carries out one request's deletes; it takes one place among what runs. Called with mu held.
func (u *Uploader) runBatch(ops []*op) {
	if ops = u.leavesFirst(ops); len(ops) == 0 {
		return
	}
	ctxs := make([]context.Context, len(ops))
	for i, o := range ops {
		ctxs[i] = u.begin(o)
	}
	u.running++
	u.wg.Go(func() {
		var errs map[*op]error
		if len(ops) == 1 {
			errs = map[*op]error{ops[0]: u.runDelete(ctxs[0], ops[0])}
		} else {
			errs = u.deleteMany(u.ctx, ops)
		}
		u.mu.Lock()
		defer u.mu.Unlock()
		u.running--
		for _, o := range ops {
			u.finish(o, errs[o])
		}
	})
}

// verdicts is what is known of the keys of a batch.
type verdicts struct {
	send    []*op         // there, at the version that is to go
	gone    []*op         // not there
	foreign map[*op]Base  // there at another version
	unseen  []*op         // the listing did not come so far
	failed  map[*op]error // by the batch's answer
}

// deleteMany ends several operations with one request.
func (u *Uploader) deleteMany(ctx context.Context, ops []*op) map[*op]error {
	if err := u.markDeletes(ops); err != nil {
		errs := make(map[*op]error, len(ops))
		for _, o := range ops {
			errs[o] = err
		}
		return errs
	}
	v := verdicts{send: ops}
	attempts := 0
	var listErr error
	unanswered, err := u.try(ctx, 0, func(ctx context.Context) error {
		attempts++
		if listErr = u.confirmed(ctx, &v, attempts > 1); listErr != nil {
			return errUnconfirmed
		}
		return u.sendBatch(ctx, &v)
	})
	if err == nil {
		err = u.stable(ctx)
		unanswered = unanswered || err != nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if errors.Is(err, errUnconfirmed) && (errors.Is(listErr, store.ErrPermission) || errors.Is(listErr, errUnconfirmed)) {
		for _, o := range v.send { // singly they have their conditions
			o.unsure = o.unsure || unanswered
			o.alone = true
		}
		v.unseen, v.send, err = append(v.unseen, v.send...), nil, nil
	} else if listErr != nil {
		err = listErr
	}
	return u.judgeBatch(&v, unanswered, err)
}

// sendBatch is one request.
func (u *Uploader) sendBatch(ctx context.Context, v *verdicts) error {
	if len(v.send) == 0 {
		return nil
	}
	keys := make([]string, len(v.send))
	byKey := make(map[string]*op, len(v.send))
	for i, o := range v.send {
		keys[i], byKey[o.key] = o.key, o
	}
	failed, err := u.store.DeleteMany(ctx, keys)
	v.failed = make(map[*op]error, len(failed))
	for _, fe := range failed {
		if o := byKey[fe.Key]; o != nil && fe.Err != nil {
			v.failed[o] = fe.Err
			if errors.Is(fe.Err, store.ErrThrottled) {
				placeOf(ctx).slowDown(fe.Err)
			}
		}
	}
	return err
}

// judgeBatch ends what has ended and gives the errors of the rest. Called with mu held.
func (u *Uploader) judgeBatch(v *verdicts, unanswered bool, err error) map[*op]error {
	errs := make(map[*op]error, len(v.send))
	var ended []*spool.Record
	var events []Event
	var gone []*op
	end := func(o *op, at Base, e Event) {
		ended, events, gone = append(ended, o.done(spool.TypeDone, at, Base{})), append(events, e), append(gone, o)
	}
	for _, o := range v.gone {
		end(o, Base{State: Absent}, Event{Kind: Removed, Key: o.key})
	}
	for o, now := range v.foreign {
		end(o, now, Event{Kind: Reappeared, Key: o.key})
	}
	for _, o := range v.unseen {
		o.alone = true
	}
	for _, o := range v.send {
		switch failed := v.failed[o]; {
		case err != nil:
			o.alone = o.alone || !errors.Is(err, store.ErrTransient) && !pauses(err) // a server that has no such request
			errs[o] = err
		case failed != nil:
			o.alone = o.alone || !errors.Is(failed, store.ErrThrottled)
			errs[o] = failed
		default:
			end(o, Base{State: Absent}, Event{Kind: Removed, Key: o.key})
			continue
		}
		o.unsure = o.unsure || unanswered
		errs[o] = u.refusedDelete(o, errs[o])
	}
	if len(ended) == 0 {
		return errs
	}
	if lerr := u.commit(ended...); lerr != nil {
		for _, o := range gone {
			errs[o], o.unsure = lerr, true
		}
		return errs
	}
	for _, e := range events {
		u.tell(e)
	}
	return errs
}

// confirmed sees to it that all of a batch is fresh. again: an attempt before may have been applied.
func (u *Uploader) confirmed(ctx context.Context, v *verdicts, again bool) error {
	u.mu.Lock()
	look, blind, listable := again, false, true
	bases := make(map[*op]Base, len(v.send))
	for _, o := range v.send {
		l := u.levelOf(o.key)
		look = look || !u.fresh(o)
		blind = blind || !u.canLook(o.key)
		listable = listable && (l == nil || l.CanList)
		bases[o] = o.base
	}
	u.mu.Unlock()
	switch {
	case !look || blind || len(v.send) == 0:
		return nil
	case !listable:
		return errUnconfirmed
	}
	return u.listed(ctx, v, bases)
}

// listed asks for the versions of what is to be deleted, by one flat listing from the first key on, which is given
// up when it shows too much else.
func (u *Uploader) listed(ctx context.Context, v *verdicts, bases map[*op]Base) error {
	ops := slices.SortedFunc(slices.Values(v.send), func(a, b *op) int { return cmp.Compare(a.key, b.key) })
	first, last := ops[0].key, ops[len(ops)-1].key
	_, width := utf8.DecodeLastRuneInString(first)
	dir, after := commonDir(first, last), first[:len(first)-width] // S3 begins a listing at UTF-8 alone
	if len(after) < len(dir) {
		after = ""
	}
	found := make(map[string]Base, len(ops))
	pages, seen, ordered, complete := 1+len(ops)/perPage, "", true, true
	for page, err := range u.store.List(ctx, dir, store.ListOptions{StartAfter: after}) {
		if err != nil {
			return err
		}
		for _, obj := range page.Objects {
			ordered = ordered && obj.Key > seen && obj.Key > after
			seen = obj.Key
			found[seen] = baseOf(obj)
		}
		if !page.More || ordered && seen >= last {
			break
		}
		if pages--; pages == 0 {
			complete = false
			break
		}
	}
	v.send = nil
	for _, o := range slices.Backward(ops) { // leaves first
		now, there := found[o.key]
		switch {
		case there && o.mayDelete(bases[o], now):
			v.send = append(v.send, o)
		case there:
			if v.foreign == nil {
				v.foreign = map[*op]Base{}
			}
			v.foreign[o] = now
		case complete && ordered: // a listing that is out of order says nothing of what it does not show
			v.gone = append(v.gone, o)
		default:
			v.unseen = append(v.unseen, o)
		}
	}
	return nil
}

// commonDir is the longest directory, with its slash, that both keys are in.
func commonDir(a, b string) string {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return a[:strings.LastIndexByte(a[:n], '/')+1]
}

// mayDelete: what the store has now is what the deleter knew of.
func (o *op) mayDelete(base, now Base) bool {
	if isMarker(o.key) && base.ETag == "" {
		return now.Size == 0 // all that can be known of a marker is that it is one
	}
	return base.State == Present && base.same(now)
}
