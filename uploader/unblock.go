package uploader

import "github.com/s3levelfs/s3levelfs/uploader/spool"

// A delete of an old name waits for the commit under the new one, and what was made at the
// old name since then stands behind it. Renames in a circle (a to t, b to a, t to b) would make that wait for itself. So a
// waiting delete is replaced by the sealed generation behind it, which takes over its base as condition, as soon as the
// generation that it waits for is sealed and needs the old version no more.

// unblockFor replaces the deletes that a sealed generation makes superfluous: the one before it, and those
// that waited for it to be sealed. Called with mu held.
func (u *Uploader) unblockFor(g *generation) error {
	if g == nil || g.op == nil || !g.op.is(flagSealed) {
		return nil
	}
	var recs []*spool.Record
	if d := u.before(g.op); u.superfluous(d, g.op) {
		recs = append(recs, d.done(spool.TypeDone, Base{}, Base{}))
	}
	for _, d := range u.fold.waiting[g.id] {
		if next := u.behind(d); next != g.op && u.superfluous(d, next) {
			recs = append(recs, d.done(spool.TypeDone, Base{}, Base{}))
		}
	}
	if len(recs) == 0 {
		return nil
	}
	return u.commit(recs...)
}

// superfluous: d waits, put will replace what it was to delete, and nobody needs that any more.
func (u *Uploader) superfluous(d, put *op) bool {
	if d == nil || put == nil || d.kind != opDelete || d.after == "" || !d.idle() ||
		put.kind != opPut || !put.is(flagSealed) || put.is(flagAbandoned) {
		return false
	}
	g := u.fold.gens[d.after]
	return g != nil && g.op != nil && g.op.is(flagSealed) && g.content != nil && g.content.Whole()
}

func (u *Uploader) before(o *op) *op {
	q := u.fold.queues[o.key]
	for i := range q {
		if q[i] == o && i > 0 {
			return q[i-1]
		}
	}
	return nil
}

func (u *Uploader) behind(o *op) *op {
	q := u.fold.queues[o.key]
	for i := range q {
		if q[i] == o && i+1 < len(q) {
			return q[i+1]
		}
	}
	return nil
}
