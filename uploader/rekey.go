package uploader

import (
	"crypto/rand"

	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// rekeying is the transaction that gives a pending file another name, and what follows once it is in the log: making
// it changes nothing yet.
type rekeying struct {
	recs   []*spool.Record
	file   *File
	target *File       // loses its name
	from   string      // the old name
	to     string      // the new one
	top    *generation // on top under the new name
	clone  *generation // new, with the bytes of one that is being sent under the old name
	ended  []*op       // nobody waits for their bytes any more
}

// planRekey makes the transaction. The generations of the file go to the new name as they are. One that is being
// sent ends under the old name: only its outcome counts there. If it is the topmost closed one a clone of it, closed
// too, goes to the new name, below what is open (I7). What the store has or may get under the old name is deleted
// once the topmost closed generation is committed under the new one; where none is closed, the open one.
func (u *Uploader) planRekey(from, to string, toBase Base) *rekeying {
	q := u.fold.queues[from]
	f := q.top().gen.file
	p := &rekeying{from: from, to: to, file: f, target: u.files[to], top: q.top().gen}
	var closed, running *op
	stack := make([]*op, 0, len(q))
	for _, o := range q {
		if o.kind != opPut || o.is(flagAbandoned) || o.gen.file != f || f == nil && o != q.top() {
			running = o
			continue
		}
		stack = append(stack, o)
		if o.is(flagSealed) {
			closed = o
		}
		if !o.idle() {
			running = o
		}
	}
	heir := p.top.id
	if closed != nil {
		heir = closed.gen.id
		if !closed.idle() {
			p.clone = closed.gen.cloned()
			heir = p.clone.id
		}
	}
	ends, rest := u.replaceTarget(p, closed != nil, heir)
	if rest != nil {
		toBase = Base{}
	} else if q := u.fold.queues[to]; len(q) > 0 {
		toBase = q[0].baseAt(to)
	}
	for _, o := range stack {
		n := &op{id: u.newID(), kind: opPut, key: to, flags: o.flags &^ (flagReplaced | flagCarried), base: toBase, gen: o.gen}
		switch {
		case o.idle():
			p.recs = append(p.recs, n.record(spool.TypeRename))
			end := o.done(spool.TypeDone, Base{}, Base{})
			end.Gen = "" // it goes on
			ends = append(ends, end)
		case o == closed:
			ends = append(ends, u.abandon(p, o, heir)...)
			n.flags, n.gen = 0, p.clone
			p.recs = append(p.recs, n.cloneRecords()...)
			if p.top == o.gen {
				p.top = p.clone
			}
		default:
			ends = append(ends, u.abandon(p, o, heir)...)
			continue
		}
		toBase = Base{}
	}
	if d := u.deleteOld(from, running); d != nil {
		d.after = heir
		d.set(flagLastClose, closed == nil && f != nil && f.baseKey == from && d.base.State == Present)
		p.recs = append(p.recs, d.record(spool.TypeUnlink))
	}
	p.recs = append(p.recs, ends...)
	return p
}

// deleteOld is the delete of what the store has, or may get from running, at the old name of a file; nil where nothing is
// left to do there.
func (u *Uploader) deleteOld(from string, running *op) *op {
	base := Base{State: Unknown}
	if running == nil {
		base = u.fold.queues[from].head().baseAt(from)
	}
	if base.State == Absent || running != nil && running.deletes() {
		return nil
	}
	return &op{id: u.newID(), kind: opDelete, key: from, base: base, flags: flagSingle}
}

// abandon: only the outcome of o counts from now on; deletes that wait for it wait for the heir.
func (u *Uploader) abandon(p *rekeying, o *op, heir string) []*spool.Record {
	p.ended = append(p.ended, o)
	r := o.record(spool.TypeAmend)
	r.Flags |= flagAbandoned
	return append(u.handOver(o.gen.id, heir), r)
}

// replaceTarget ends what is pending at the name that a file is renamed to; the heir takes over the deletes that
// wait for it. Closed generations end only if one of the file's is closed; else they stay in the queue and are uploaded
// before (I7). rest is what stays there.
func (u *Uploader) replaceTarget(p *rekeying, closed bool, heir string) (recs []*spool.Record, rest *op) {
	for _, o := range u.fold.queues[p.to] {
		put := o.kind == opPut && !o.is(flagAbandoned)
		switch {
		case o.is(flagReplaced | flagCarried): // goes with the move before it
			rest = o
		case put && o.idle() && (closed || !o.is(flagSealed)):
			for _, r := range u.handOver(o.gen.id, heir) {
				r.Flags &^= flagLastClose // of another file
				recs = append(recs, r)
			}
			recs = append(recs, o.done(spool.TypeDrop, Base{}, Base{}))
		case put && closed:
			recs = append(recs, u.abandon(p, o, heir)...)
			rest = o
		case o.kind == opAttr && o.idle() && closed:
			recs = append(recs, o.done(spool.TypeDone, Base{}, Base{}))
		default:
			rest = o
		}
	}
	return recs, rest
}

// cloned gives a closed generation a second life under another id, with the same bytes.
func (g *generation) cloned() *generation {
	n := &generation{
		id: rand.Text(), src: g.src, headers: g.headers.Clone(), size: g.size, modTime: g.modTime,
		timeSet: g.timeSet, written: true, changed: true, file: g.file, sums: g.sums,
	}
	n.content = g.content.Clone(n.id)
	n.content.Seal()
	return n
}

// cloneRecords make a clone known to the log.
func (o *op) cloneRecords() []*spool.Record {
	create, seal := o.record(spool.TypeCreate), o.record(spool.TypeSeal)
	create.Extents = o.gen.content.Extents()
	seal.Extents = create.Extents
	seal.Flags |= flagSealed
	return []*spool.Record{create, seal}
}

// commitRekeys logs the renames of files, with other records of the same transaction, and does what follows. Called with mu held.
func (u *Uploader) commitRekeys(plans []*rekeying, more ...*spool.Record) error {
	var recs []*spool.Record
	for _, p := range plans {
		recs = append(recs, p.recs...)
		if p.clone != nil {
			u.fold.gens[p.clone.id] = p.clone
		}
	}
	if err := u.commit(append(recs, more...)...); err != nil {
		for _, p := range plans {
			if p.clone != nil {
				delete(u.fold.gens, p.clone.id)
				u.trash = append(u.trash, p.clone.content)
			}
		}
		return err
	}
	for _, p := range plans {
		u.rekeyed(p)
	}
	return nil
}

// rekeyed: the file has its new name.
func (u *Uploader) rekeyed(p *rekeying) {
	for _, o := range p.ended {
		o.stopParts()
	}
	if p.target != nil {
		p.target.detach(true)
		u.forgetFile(p.target)
	}
	if f := p.file; f != nil {
		if u.files[p.from] == f {
			delete(u.files, p.from)
		}
		f.key = p.to
		u.files[p.to] = f
	}
	u.onTop(p.top)
	u.unblock(p.to)
	if o := p.top.op; o != nil && o.is(flagSealed) {
		u.at(o, u.settled(o, p.file != nil && p.file.writers > 0))
	}
}

// onTop makes a generation the top of its file, where it is not yet: a clone. Called with mu held.
func (u *Uploader) onTop(g *generation) {
	f := g.file
	if f == nil || f.top == g {
		return
	}
	g.refs++
	u.fold.unref(f.top)
	f.top = g
	u.follow()
}
