package uploader

import (
	"context"
	"slices"
	"time"

	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// While a move is on its way, what is written through the handles of its two files is queued at the new name behind
// it: that of the file which is renamed is carried, that of the file which is replaced goes once the copy is
// confirmed. When the move is taken back, the former goes back to the old name and the latter stays.

// moveOnto is the last move to a key that has not been copied yet. Called with mu held.
func (u *Uploader) moveOnto(key string) *op {
	for _, o := range slices.Backward(u.fold.queues[key]) {
		if o.kind == opMove && o.to == key {
			return o
		}
	}
	return nil
}

// behindMove lists what stands at the target behind a move, up to the next move onto it.
func (f *fold) behindMove(m *op) queue {
	q := f.queues[m.to]
	i := slices.Index(q, m) + 1
	n := slices.IndexFunc(q[i:], func(x *op) bool { return x.kind == opMove && x.to == m.to })
	if n < 0 {
		return q[i:]
	}
	return q[i : i+n]
}

// moveBefore is the move that decides what becomes of a replaced or carried generation.
func (f *fold) moveBefore(o *op) (m *op) {
	for _, x := range f.queues[o.key] {
		if x == o {
			break
		}
		if x.kind == opMove && x.to == o.key {
			m = x
		}
	}
	return m
}

// fate is what becomes of a new generation of a file with the move before it. Called with mu held.
func (f *File) fate() uint64 {
	switch m := f.u.moveOnto(f.key); {
	case m == nil:
		return 0
	case m.replaced == f:
		return flagReplaced
	case m.carried == f:
		return flagCarried
	}
	return 0
}

// settleMoves waits for moves on their way with which an operation on one of the two names can not be combined: those
// that carry what is to be renamed, and those that files with handles have to do with at the new name. waited: for one
// at the new name, of which the caller knows nothing. Called with mu held; gives it up meanwhile.
func (u *Uploader) settleMoves(ctx context.Context, from, to string, noReplace bool) (waited bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, moveWait)
	defer cancel()
	for {
		onto := u.moveOnto(to)
		busy := onto != nil && (onto.carried != nil || onto.replaced != nil) && u.fold.queues[to].top().makes(to)
		if busy && noReplace || !busy && !u.carriesPut(from) {
			return waited, nil
		}
		waited = waited || busy
		if err := u.waitChange(ctx); err != nil {
			return waited, err
		}
	}
}

// carriesPut: a move onto the key is on its way, and something is pending behind it.
func (u *Uploader) carriesPut(key string) bool {
	top := u.fold.queues[key].top()
	return top != nil && top.kind == opPut && u.moveOnto(key) != nil
}

// carriesBelow is carriesPut for any key below a directory ("public/a/").
func (u *Uploader) carriesBelow(dir string) bool {
	for key := range u.fold.tree.keysBelow(dir) {
		if u.carriesPut(key) {
			return true
		}
	}
	return false
}

// carryFile lets a file that is open without anything pending follow its name. The target's file stays what it is
// until the move is copied or taken back, but nobody finds it under its name. Called with mu held.
func (u *Uploader) carryFile(m *op) {
	if old := u.files[m.to]; old != nil {
		m.replaced = old
		delete(u.files, m.to)
	}
	if f := u.files[m.key]; f != nil {
		m.carried = f
		delete(u.files, m.key)
		f.key = m.to
		u.files[m.to] = f
	}
}

// awaitMove waits until a move has been copied. One that could not begin or be copied is taken back, unless
// its outcome is unknown or the old name has another file already: then it goes on.
func (u *Uploader) awaitMove(ctx context.Context, m *op, outcome <-chan error) error {
	ctx, cancel := context.WithTimeout(ctx, moveWait)
	defer cancel()
	err := u.await(ctx, outcome)
	if err == nil {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.fold.ops[m.id] == m && m.copied == "" && m.idle() && u.fold.queues[m.key].top() == m {
		if lerr := u.takeBack(m); lerr != nil {
			return lerr
		}
	}
	return err
}

// takeBack ends a move that has changed nothing: what it carried goes back with the file. Where somebody has made
// another file of the old name meanwhile, that one meets the stored version as a conflict, and what was carried
// gets a conflict name, so that all of them are kept. Called with mu held.
func (u *Uploader) takeBack(m *op) error {
	home, at, base := m.key, Base{}, Base{}
	if u.fold.queues[m.key].top() != m {
		home = u.freeConflictName(m.key, time.Now())
		at, base = Base{State: Absent}, Base{State: Absent}
	}
	var recs, ends []*spool.Record
	left := 0
	for _, x := range u.fold.behindMove(m) {
		if !x.is(flagCarried) {
			left++
			continue
		}
		n := &op{id: u.newID(), kind: opPut, key: home, flags: x.flags &^ flagCarried, base: base, gen: x.gen}
		recs = append(recs, n.record(spool.TypeRename))
		end := x.done(spool.TypeDone, Base{}, Base{})
		end.Gen = "" // it goes on
		ends = append(ends, end)
		base = Base{}
	}
	if m.is(flagTombstone) && left == 0 {
		d := &op{id: u.newID(), kind: opDelete, key: m.to, base: m.toBase, flags: flagSingle}
		recs = append(recs, d.record(spool.TypeUnlink))
	}
	if err := u.commit(append(append(recs, ends...), m.done(spool.TypeDone, at, Base{}))...); err != nil {
		return err
	}
	u.sendBack(m, home)
	u.stayOn(m)
	u.notify()
	return nil
}

// sendBack gives the file that a move has carried its old name back. Called with mu held.
func (u *Uploader) sendBack(m *op, home string) {
	f := m.carried
	if f == nil || f.gone || f.key != m.to {
		return
	}
	if u.files[m.to] == f {
		delete(u.files, m.to)
	}
	f.key = home
	if home != m.key && (f.top == nil || f.top.op == nil) {
		f.key, f.stale = m.key, true // another file has the name: its handles read on
		return
	}
	u.files[home] = f
	u.forgetFile(f)
}

// stayOn gives the file that a move was to replace its name back. Called with mu held.
func (u *Uploader) stayOn(m *op) {
	old := m.replaced
	if old == nil || old.gone {
		return
	}
	exists, pending := u.existsIn(m.to)
	switch {
	case pending && !exists: // unlinked meanwhile
		old.detach(true)
	case u.files[m.to] != nil:
		old.stale = true
	default:
		u.files[m.to] = old
	}
	u.forgetFile(old)
}
