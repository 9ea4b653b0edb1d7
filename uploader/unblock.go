package uploader

import (
	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// A delete of an old name waits for the commit under the new one, and what was made at the
// old name since then stands behind it. Renames in a circle (a to t, b to a, t to b) would make that wait for itself. So a
// waiting delete is replaced by what stands behind it, a sealed generation or a move to that name, which takes over its
// base as condition, as soon as the generation that it waits for is sealed and nobody needs the old version any more. A
// delete that open handles hold back is replaced likewise: that wait has no bound. So is one that waits for nothing and has not been sent
// when a file of its name is closed: one conditional request does what two would.

// unblock replaces the deletes at a key, and those that wait for a generation there, as far as what stands behind them
// makes them superfluous. Where that can not be logged they stay, and are looked at again with the next change.
// Called with mu held.
func (u *Uploader) unblock(key string) {
	var recs []*spool.Record
	for _, o := range u.fold.queues[key] {
		if o.kind == opDelete {
			recs = u.replaceDelete(recs, o)
		}
		if o.kind != opPut {
			continue
		}
		for _, d := range u.fold.waiting[o.gen.id] {
			if d.key != key {
				recs = u.replaceDelete(recs, d)
			}
		}
	}
	if len(recs) == 0 {
		return
	}
	if err := u.commit(recs...); err != nil {
		u.log.Warn("a superfluous delete stays in the queue", zap.String("key", key), zap.Error(err))
	}
}

// replaceDelete ends a superfluous delete.
func (u *Uploader) replaceDelete(recs []*spool.Record, d *op) []*spool.Record {
	next := u.behind(d)
	if next == nil {
		return recs
	}
	if !u.superfluous(d, next) {
		if g := u.fold.gens[d.after]; g != nil && g.op != nil {
			u.consider(g.op) // its holes have to be fetched now
		}
		return recs
	}
	switch {
	case next.kind == opPut && next.is(flagSealed) && !next.is(flagAbandoned):
	case next.kind == opMove && next.to == d.key:
		r := next.record(spool.TypeMove)
		r.Flags |= flagTombstone
		recs = append(recs, r)
	default:
		return recs
	}
	return append(recs, d.done(spool.TypeDone, Base{}, Base{}))
}

// superfluous: nothing of d is out, and nobody needs what it is to delete once next has replaced that.
func (u *Uploader) superfluous(d, next *op) bool {
	if !d.idle() || len(d.waiters) > 0 {
		return false
	}
	if d.after == "" {
		held := d.hold != nil && !d.hold.released
		known := d.base.State == Present && d.base.ETag != "" || u.fold.queues[d.key].head() != d // else what next would take for its base is not
		return held || next.kind == opPut && known
	}
	g := u.fold.gens[d.after]
	return g != nil && g.op != nil && g.op.is(flagSealed) && g.whole() && !u.readBelow(g, d.key)
}

// readBelow: a generation in the queue of g has holes that are read from key.
func (u *Uploader) readBelow(g *generation, key string) bool {
	for _, x := range u.fold.queues[g.op.key] {
		if x.kind == opPut && x.gen.src.key == key && !x.gen.whole() {
			return true
		}
	}
	return false
}

// whole: all bytes are in the spool.
func (g *generation) whole() bool { return g.content != nil && g.content.Whole() }

func (u *Uploader) behind(o *op) *op {
	q := u.fold.queues[o.key]
	for i := range q {
		if q[i] == o && i+1 < len(q) {
			return q[i+1]
		}
	}
	return nil
}
