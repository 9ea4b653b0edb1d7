package uploader

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// moveWait bounds how long a rename of a stored file waits for what is
// being sent at its two names, and for the copy.
const moveWait = 10 * time.Minute

// Rename is rename(2) of a file. What is pending is re-keyed in one
// transaction of the log, at once and without a request; the version that the store has under the old name is
// deleted after the commit under the new one. A stored file is copied by the
// store and Rename returns when that is confirmed. The bases are what the store has at the keys, used where
// nothing is pending there. noReplace: ErrExist if to exists.
func (u *Uploader) Rename(ctx context.Context, from, to string, fromBase, toBase Base, noReplace bool) error {
	u.mu.Lock()
	exists, pending := u.existsIn(from)
	if pending && !exists || !pending && fromBase.State == Absent && u.files[from] == nil {
		u.mu.Unlock()
		return &store.Error{Op: "rename", Key: from, Kind: store.ErrNotExist}
	}
	toExists, toPending := u.existsIn(to)
	if noReplace && (toExists || !toPending && toBase.State == Present) {
		u.mu.Unlock()
		return &store.Error{Op: "rename", Key: to, Kind: store.ErrExist}
	}
	if from == to {
		u.mu.Unlock()
		return nil
	}
	if exists && u.fold.queues[from].top().kind == opPut {
		defer u.mu.Unlock()
		if err := u.rekey(from, to, toBase); err != nil {
			return fmt.Errorf("rename %q to %q: %w", from, to, err)
		}
		return nil
	}
	m, err := u.logMove(from, to, fromBase, toBase, noReplace)
	if err != nil {
		u.mu.Unlock()
		return fmt.Errorf("rename %q to %q: %w", from, to, err)
	}
	outcome := u.waiter(m)
	u.mu.Unlock()
	if err := u.awaitMove(ctx, m, outcome); err != nil {
		return fmt.Errorf("rename %q to %q: %w", from, to, err)
	}
	return nil
}

// rekey renames a pending file. Called with mu held.
func (u *Uploader) rekey(from, to string, toBase Base) error {
	top := u.fold.queues[from].top()
	f, target := top.gen.file, u.files[to]
	recs, last, err := u.rekeyRecords(from, to, toBase, f, target)
	if err != nil {
		return err
	}
	if err := u.commit(recs...); err != nil {
		return err
	}
	if target != nil {
		target.detach(true)
		u.forgetFile(target)
	}
	if f != nil {
		delete(u.files, from)
		f.key = to
		u.files[to] = f
	}
	if err := u.unblockFor(last); err != nil {
		return err
	}
	u.onTop(last)
	o := last.op
	if o != nil && o.is(flagSealed) {
		u.at(o, u.settled(o, f != nil && f.writers > 0))
	}
	u.notify()
	return nil
}

// rekeyRecords makes the transaction of rekey. last is the generation that is on top under the new name.
func (u *Uploader) rekeyRecords(from, to string, toBase Base, f, target *File) (recs []*spool.Record, last *generation, err error) {
	top := u.fold.queues[from].top()
	drops, rest := u.replaceTarget(to, target, top.is(flagSealed))
	if rest == nil {
		if q := u.fold.queues[to]; len(q) > 0 {
			toBase = q[0].baseAt(to)
		}
	} else {
		toBase = Base{}
	}
	var running *op
	var ends []*spool.Record
	for _, o := range u.fold.queues[from] {
		if o.kind != opPut || o.gen.file != f || f == nil && o != top || !o.idle() {
			running = o
			continue
		}
		n := &op{id: u.newID(), kind: opPut, key: to, flags: o.flags, base: toBase, gen: o.gen}
		recs = append(recs, n.record(spool.TypeRename))
		end := o.done(spool.TypeDone, Base{}, Base{})
		end.Gen = "" // it goes on
		ends = append(ends, end)
		toBase, last = Base{}, o.gen
		o.upload = nil
	}
	if last == nil {
		if recs, last, err = u.cloneTo(top, to, toBase); err != nil {
			return nil, nil, err
		}
	}
	if running != nil && running.kind == opPut && running.gen.file == f && !running.is(flagAbandoned) {
		ends = append(ends, u.handOver(running.gen.id, last.id)...)
		r := running.record(spool.TypeAmend)
		r.Flags |= flagAbandoned
		ends = append(ends, r)
		running.stopParts()
	}
	base := u.fold.queues[from].head().baseAt(from)
	if running != nil {
		base = Base{State: Unknown}
	}
	if base.State != Absent && (running == nil || !running.deletes()) {
		d := &op{id: u.newID(), kind: opDelete, key: from, base: base, after: last.id, flags: flagSingle}
		recs = append(recs, d.record(spool.TypeUnlink))
	}
	return append(append(recs, ends...), drops...), last, nil
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

// replaceTarget ends what is pending at a name that a sealed generation is renamed to. Below an unsealed one it
// stays in the queue and is uploaded before (I7). rest is what stays there.
func (u *Uploader) replaceTarget(to string, target *File, sealed bool) (recs []*spool.Record, rest *op) {
	if sealed {
		return u.dropPuts(to, target)
	}
	for _, o := range u.fold.queues[to] {
		if o.kind == opPut && !o.is(flagSealed) {
			recs = append(append(recs, u.handOver(o.gen.id, "")...), o.done(spool.TypeDrop, Base{}, Base{}))
			continue
		}
		rest = o
	}
	return recs, rest
}

// cloneTo gives a generation that is being sent under the old name a second life under the new one.
func (u *Uploader) cloneTo(o *op, to string, base Base) ([]*spool.Record, *generation, error) {
	g := o.gen
	n := &generation{
		id: rand.Text(), src: g.src, headers: g.headers.Clone(), size: g.size, modTime: g.modTime,
		timeSet: g.timeSet, written: true, changed: true, file: g.file,
	}
	n.content = g.content.Clone(n.id)
	extents := n.content.Seal()
	no := &op{id: u.newID(), kind: opPut, key: to, base: base, gen: n}
	create, seal := no.record(spool.TypeCreate), no.record(spool.TypeSeal)
	create.Extents, seal.Extents = extents, extents
	seal.Flags |= flagSealed
	u.fold.gens[n.id] = n
	return append([]*spool.Record{create, seal}, u.handOver(g.id, n.id)...), n, nil
}

// logMove logs the intent to copy a stored file. Generations pending at the
// target stay behind the move until it is copied. Called with mu held.
func (u *Uploader) logMove(from, to string, fromBase, toBase Base, noReplace bool) (*op, error) {
	recs, id := u.moveRecords(from, to, fromBase, toBase, noReplace)
	recs[0].Flags |= flagSingle // its delete goes at once, with its condition
	if err := u.commit(recs...); err != nil {
		return nil, err
	}
	m := u.fold.ops[id]
	u.carryFile(m)
	m.base.Headers = fromBase.Headers
	return m, nil
}

func (u *Uploader) moveRecords(from, to string, fromBase, toBase Base, noReplace bool) ([]*spool.Record, uint64) {
	m := &op{id: u.newID(), kind: opMove, key: from, to: to, base: fromBase, toBase: toBase}
	m.set(flagNoReplace, noReplace)
	var ends, behind []*spool.Record
	for _, o := range u.fold.queues[from] {
		m.base = Base{}
		if o.kind == opAttr && o.idle() && o == u.fold.queues[from].top() {
			m.headers, m.base = o.headers, o.base
			ends = append(ends, o.done(spool.TypeDone, Base{}, Base{}))
		}
	}
	for i, o := range u.fold.queues[to] {
		if i == 0 {
			m.toBase = o.baseAt(to)
		}
		if o.kind != opPut || !o.idle() {
			m.toBase = Base{}
			continue
		}
		n := &op{id: u.newID(), kind: opPut, key: to, flags: o.flags | flagReplaced, gen: o.gen}
		end := o.done(spool.TypeDone, Base{}, Base{})
		end.Gen = ""
		behind, ends = append(behind, n.record(spool.TypeAmend)), append(ends, end)
	}
	return append(append([]*spool.Record{m.record(spool.TypeMove)}, behind...), ends...), m.id
}

// carryFile lets a file that is open without anything pending follow its name. The target's file has no name
// until the move is copied or taken back. Called with mu held.
func (u *Uploader) carryFile(m *op) {
	if old := u.files[m.to]; old != nil {
		m.replaced, old.gone = old, true
		delete(u.files, m.to)
	}
	if f := u.files[m.key]; f != nil {
		delete(u.files, m.key)
		f.key = m.to
		u.files[m.to] = f
	}
}

// awaitMove waits until a move has been copied. One that could not begin or be copied is taken back, unless
// its outcome is unknown.
func (u *Uploader) awaitMove(ctx context.Context, m *op, outcome <-chan error) error {
	ctx, cancel := context.WithTimeout(ctx, moveWait)
	defer cancel()
	err := u.await(ctx, outcome)
	if err == nil {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.fold.ops[m.id] == m && m.copied == "" && m.idle() {
		if lerr := u.takeBack(m); lerr != nil {
			return lerr
		}
	}
	return err
}

// takeBack ends a move that has changed nothing. Called with mu held.
func (u *Uploader) takeBack(m *op) error {
	if err := u.commit(m.done(spool.TypeDone, Base{}, Base{})); err != nil {
		return err
	}
	if f := u.files[m.to]; f != nil && f.baseKey == m.key {
		delete(u.files, m.to)
		f.key = m.key
		u.files[m.key] = f
	}
	if old := m.replaced; old != nil && u.files[m.to] == nil {
		old.gone = false
		u.files[m.to] = old
	}
	u.notify()
	return nil
}
