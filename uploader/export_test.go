package uploader

import (
	"fmt"
	"slices"

	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// Kill ends the goroutines as a kill of the process would end them: nothing is
// sealed, sent, logged or told any more.
func (u *Uploader) Kill() {
	u.mu.Lock()
	u.closed = true
	u.mu.Unlock()
	u.cancel()
	u.events.close()
	u.wg.Wait()
	u.teller.Wait()
}

// ConflictName and LooksTemporary are tested by themselves.
var (
	ConflictName   = conflictName
	LooksTemporary = looksTemporary
)

// Checkpoint rewrites the log as the syncer does when it has grown.
func (u *Uploader) Checkpoint() error {
	u.drainTrash(u.ctx)
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.spool.Checkpoint(u.snapshot())
}

// FailLog lets each append to the log fail with err, after so many that do not; nil ends that.
func (u *Uploader) FailLog(err error, after int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.append = func(recs ...*spool.Record) error { // called with mu held
		if after--; after < 0 && err != nil {
			return err
		}
		return u.spool.Append(recs...)
	}
}

// Looks tells how often Wait has looked at all that is pending.
func (u *Uploader) Looks() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.looks
}

// Picks tells how many operations the dispatcher has looked at.
func (u *Uploader) Picks() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.picks
}

// Dump shows what is pending, for the messages of tests.
func (u *Uploader) Dump() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	var all []string
	for _, o := range sortedOps(u.fold.ops) {
		all = append(all, fmt.Sprintf("%d %v %q->%q base=%v gen=%v after=%q (there %v) flags=%x run=%v unsure=%v heap=%d batched=%v hold=%v",
			o.id, o.kind, o.key, o.to, o.base.State, o.gen != nil, o.after, u.fold.gens[o.after] != nil, o.flags, o.running,
			o.unsure, o.heapIndex, o.batched, o.hold != nil && !o.hold.released))
	}
	return all
}

// Generations counts those that the fold knows.
func (u *Uploader) Generations() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.fold.gens)
}

// InSpool tells which generations' bytes are in the spool, the quarantine included: by id, "" for a content that is not whole.
func (u *Uploader) InSpool() map[string]string {
	u.mu.Lock()
	defer u.mu.Unlock()
	kept := map[string]string{}
	for id, g := range u.fold.gens {
		if g.content == nil {
			continue
		}
		kept[id] = ""
		if g.content.Whole() {
			b := make([]byte, g.content.Size())
			if n, _ := g.content.ReadAt(b, 0, noBase); n == len(b) {
				kept[id] = string(b)
			}
		}
	}
	return kept
}

// Needs lists the keys that pending generations of other keys, or unsealed ones, still read from.
func (u *Uploader) Needs() map[string]string {
	u.mu.Lock()
	defer u.mu.Unlock()
	needs := map[string]string{}
	for _, g := range u.fold.gens {
		if g.op != nil && !g.op.is(flagAbandoned) && g.content != nil && !g.content.Whole() {
			needs[g.src.key] = fmt.Sprintf("generation %s at %q", g.id, g.op.key)
		}
	}
	return needs
}

// ReplayTwice folds records once and twice, and gives both states.
func ReplayTwice(recs []spool.Record) (once, twice []string) {
	f := newFold()
	for range 2 {
		for _, tx := range transactions(recs) {
			for i := range tx {
				f.apply(&tx[i])
			}
		}
		var state []string
		for _, o := range sortedOps(f.ops) {
			r := o.record(snapshotType(o))
			state = append(state, fmt.Sprintf("%d %x %q %v %q %v %q %q %q %d", r.Op, r.Flags, r.Key, r.Base, r.To, r.ToBase, r.ETag, r.Text, r.Gen, r.Size))
		}
		for id := range f.quar {
			state = append(state, "quarantined "+id)
		}
		slices.Sort(state)
		once, twice = twice, state
	}
	return once, twice
}

// Operations counts what is pending.
func (u *Uploader) Operations() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.fold.ops)
}

// Watch has each append to the log told before it, which may refuse it, and after it. Both are called with mu held.
func (u *Uploader) Watch(before func() error, after func([]*spool.Record)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.append = func(recs ...*spool.Record) error {
		if err := before(); err != nil {
			return err
		}
		err := u.spool.Append(recs...)
		if err == nil {
			after(recs)
		}
		return err
	}
}

// Frozen runs f while nothing is logged.
func (u *Uploader) Frozen(f func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	f()
}

// Die ends all that waits; Kill has to follow. Called with mu held.
func (u *Uploader) Die() {
	u.closed = true
	u.cancel()
}
