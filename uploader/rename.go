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
	waited, err := u.settleMoves(ctx, from, to, noReplace)
	if err == nil {
		fromBase, err = u.found(from, fromBase)
	}
	if waited {
		toBase = Base{State: Pending} // the caller has found the move, or what was before it
	}
	if err == nil {
		toBase, err = u.found(to, toBase)
	}
	if err != nil {
		u.mu.Unlock()
		return fmt.Errorf("rename %q to %q: %w", from, to, err)
	}
	exists, pending := u.existsIn(from)
	if f := u.files[from]; f != nil && f.top != nil && !pending {
		fromBase = f.base // committed since the caller looked, who holds it
	}
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
		if err := u.commitRekeys([]*rekeying{u.planRekey(from, to, toBase)}); err != nil {
			return fmt.Errorf("rename %q to %q: %w", from, to, err)
		}
		u.notify()
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
	u.unblock(to)
	return m, nil
}

func (u *Uploader) moveRecords(from, to string, fromBase, toBase Base, noReplace bool) ([]*spool.Record, uint64) {
	m := &op{id: u.newID(), kind: opMove, key: from, to: to, base: fromBase, toBase: toBase}
	m.set(flagNoReplace, noReplace)
	var ends, behind []*spool.Record
	for _, o := range u.fold.queues[from] {
		m.base = Base{}
		if o.kind == opAttr && o.idle() && o == u.fold.queues[from].top() {
			h := withW(*o.headers, rand.Text()) // by which the copy is known
			m.headers, m.base = &h, o.base
			ends = append(ends, o.done(spool.TypeDone, Base{}, Base{}))
		}
	}
	for i, o := range u.fold.queues[to] {
		if i == 0 {
			m.toBase = o.baseAt(to)
		}
		if o.kind != opPut || !o.idle() || o.is(flagReplaced|flagCarried) { // those go with an earlier move
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
