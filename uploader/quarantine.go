package uploader

import (
	"cmp"
	"crypto/rand"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// lostPut is a pending generation that was neither closed nor fsynced at a crash, or whose bytes are damaged.
type lostPut struct {
	gen     *generation
	size    int64
	extents []spool.Extent
	why     string // "" = it was open
}

// quarantine keeps a generation that must not be uploaded, out of everybody's way. The file is what it was when it
// was closed last: with the name that it has been given since, and the headers.
func (u *Uploader) quarantine(l lostPut) error {
	o := l.gen.op // it may have got another place meanwhile
	q := o.record(spool.TypeQuarantine)
	q.Size, q.Extents, q.Time, q.Text = l.size, l.extents, time.Now(), l.why
	recs, again := u.moveClosed(o)
	if recs == nil && o.is(flagAttr) && u.fold.queues[o.key].top() == o {
		h := o.gen.headers.Clone()
		a := &op{id: u.newID(), kind: opAttr, key: o.key, base: o.base, headers: &h}
		recs = append(recs, a.record(spool.TypeSetAttr))
	}
	if err := u.commit(append(recs, q)...); err != nil {
		return err
	}
	u.log.Warn("what there is of a file stays in the spool and is not uploaded", zap.String("key", o.key), zap.String("gen", l.gen.id),
		zap.Int64("size", l.size), zap.String("why", cmp.Or(l.why, "it was being written when the mount ended")))
	u.events.add(Event{Kind: Kept, Key: o.key, Size: l.size, Gen: l.gen.id})
	for _, x := range again {
		n := u.fold.ops[x.as]
		n.unsure, n.confirmed, n.carried, n.replaced = x.o.unsure, x.o.confirmed, x.o.carried, x.o.replaced
	}
	return nil
}

// moveClosed makes the records that move the version which a renamed file was closed with last: in the place of
// the delete that would have followed its commit. Nil if there is none. again are the operations that stand behind it from then on.
func (u *Uploader) moveClosed(o *op) (recs []*spool.Record, again []renumbered) {
	i := slices.IndexFunc(u.fold.waiting[o.gen.id], func(d *op) bool { return d.is(flagLastClose) && d.base.State == Present })
	if i < 0 {
		return nil, nil
	}
	d := u.fold.waiting[o.gen.id][i]
	behind := u.allBehind(d)
	if slices.Contains(behind, o) {
		return u.keepClosed(d), nil
	}
	m := &op{id: u.newID(), kind: opMove, key: d.key, to: o.key, base: d.base, flags: flagSingle}
	if o.is(flagAttr) {
		h := withW(o.gen.headers, rand.Text()) // by which the copy is known
		m.headers = &h
	}
	recs = []*spool.Record{m.record(spool.TypeMove)}
	ends := []*spool.Record{d.done(spool.TypeDone, Base{}, Base{})}
	for _, x := range u.fold.waiting[o.gen.id] { // of what the closed version has replaced
		if r := x.record(spool.TypeUnlink); x != d && !slices.Contains(behind, x) {
			r.Text = ""
			recs = append(recs, r)
		}
	}
	for _, x := range behind {
		r := x.record(snapshotType(x))
		if x.kind == opPut {
			r.Type = spool.TypeRename
		}
		if r.Op = u.newID(); x.after == o.gen.id {
			r.Text = ""
		}
		recs, again = append(recs, r), append(again, renumbered{x, r.Op})
		end := x.done(spool.TypeDone, Base{}, Base{})
		end.Gen = "" // it goes on
		ends = append(ends, end)
	}
	return append(recs, ends...), again
}

// keepClosed makes the records that leave the version which a renamed file was closed with last where it is: the
// renames after it went in a circle. What stands behind its delete meets it as a conflict.
func (u *Uploader) keepClosed(d *op) []*spool.Record {
	recs := []*spool.Record{d.done(spool.TypeDone, Base{State: Absent}, Base{})}
	if next := u.behind(d); next != nil && next.kind == opMove && next.to == d.key {
		r := next.record(spool.TypeMove)
		r.Flags |= flagNoReplace
		recs = append([]*spool.Record{r}, recs...)
	}
	return recs
}

// renumbered is an operation that has got another place in the order.
type renumbered struct {
	o  *op
	as uint64
}

// allBehind lists, in order, what runs after an operation only: what is behind it in its queues, and so on.
func (u *Uploader) allBehind(o *op) []*op {
	seen := map[*op]bool{o: true}
	var all []*op
	for next := []*op{o}; len(next) > 0; next = next[1:] {
		for _, k := range next[0].keys() {
			q := u.fold.queues[k]
			for _, x := range q[slices.Index(q, next[0])+1:] {
				if !seen[x] {
					seen[x] = true
					all, next = append(all, x), append(next, x)
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b *op) int { return int(int64(a.id - b.id)) })
	return all
}

// salvage takes in what the recovery has quarantined because the log does not name it any more; that is in the log already.
func (u *Uploader) salvage(recs []spool.Record) {
	for i := range recs {
		r := &recs[i]
		u.fold.apply(r)
		u.events.add(Event{Kind: Kept, Key: r.Key, Size: r.Size, Gen: r.Gen})
	}
}

func (u *Uploader) recoverQuarantined(rec *spool.Recovery, g *generation) error {
	if g.content != nil {
		return nil
	}
	if c := rec.Unsealed[g.id]; c != nil {
		g.content = c
		return nil
	}
	c, err := u.spool.Adopt(g.id, g.size, g.extents)
	if err != nil {
		u.log.Error("quarantined bytes are damaged", zap.String("gen", g.id), zap.Error(err))
		return nil
	}
	g.content, g.extents = c, nil
	return nil
}
