package uploader

import (
	"slices"
	"time"

	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// fold is what the log says: changed by apply alone, live and at replay.
type fold struct {
	queues map[string]queue
	ops    map[uint64]*op
	gens   map[string]*generation
	quar   map[string]*Quarantined
	lastOp uint64
	tree   tree
	dead   []*generation // lost their last reference since the caller last looked
	heads  []string      // keys whose head may have changed since then
	moved  []*op         // operations that were made, changed or ended since then
	lost   []lostUpload  // that nothing will come of, since then

	waiting map[string][]*op                // deletes by the generation that they wait for
	readers map[source]map[*generation]bool // generations that the log knows, by where their holes are read from
}

func newFold() *fold {
	return &fold{
		queues: map[string]queue{}, ops: map[uint64]*op{},
		gens: map[string]*generation{}, quar: map[string]*Quarantined{},
		waiting: map[string][]*op{}, readers: map[source]map[*generation]bool{},
	}
}

// apply changes the fold by one record: the only function that does, live and
// at replay. A record carries the absolute state of one operation, or ends it;
// so applying any prefix of the log twice gives the same fold (I8).
func (f *fold) apply(r *spool.Record) {
	switch r.Type {
	case spool.TypeCommit, spool.TypeDone, spool.TypeDrop:
		f.applyEnd(r)
	case spool.TypeQuarantine:
		f.applyQuarantine(r)
	case spool.TypeLevel:
		// a level's state is not kept across processes: rights change meanwhile
	case spool.TypeFail:
		f.applyFail(r)
	case spool.TypeUpload, spool.TypePart:
		f.applyUpload(r)
	default:
		f.applyOp(r)
	}
}

// applyEnd ends an operation. What the store has at its keys, where the record says
// so, becomes the base of those that follow; else they take over the
// operation's own: it never ran.
func (f *fold) applyEnd(r *spool.Record) {
	o := f.ops[r.Op]
	if o == nil {
		if q := f.quar[r.Gen]; q != nil {
			delete(f.quar, r.Gen)
			f.unref(f.gens[r.Gen])
		}
		return
	}
	if r.Type == spool.TypeCommit {
		o.upload = nil
		f.rebaseHoles(o, fromLogged(r.Base))
	}
	f.remove(o, fromLogged(r.Base), fromLogged(r.ToBase))
	switch r.Type {
	case spool.TypeCommit:
		f.release(o.gen.id)
	case spool.TypeDrop:
		f.cancelWaiting(r.Gen)
	default: // a re-keyed generation goes on under another operation
	}
}

// release: the generation is committed, the deletes of its old names may run.
func (f *fold) release(gen string) {
	for _, d := range f.waiting[gen] {
		d.after = ""
		f.touch(d.key)
	}
	delete(f.waiting, gen)
}

// cancelWaiting: the generation will never be committed; what would have been deleted
// because of it stays, so that nothing is lost (I4).
func (f *fold) cancelWaiting(gen string) {
	waiting := f.waiting[gen]
	delete(f.waiting, gen)
	for _, d := range waiting {
		d.after = ""
		f.remove(d, Base{}, Base{})
	}
}

// wait makes a delete wait for a generation ("" = for none).
func (f *fold) wait(d *op, gen string) {
	if d.after != "" {
		f.waiting[d.after] = slices.DeleteFunc(f.waiting[d.after], func(x *op) bool { return x == d })
		if len(f.waiting[d.after]) == 0 {
			delete(f.waiting, d.after)
		}
	}
	if d.after = gen; gen != "" {
		f.waiting[gen] = append(f.waiting[gen], d)
	}
}

// applyQuarantine takes a generation out of its queue and keeps its bytes.
func (f *fold) applyQuarantine(r *spool.Record) {
	if f.quar[r.Gen] == nil {
		f.generation(r).refs++
		f.quar[r.Gen] = &Quarantined{
			Gen: r.Gen, Key: r.Key, Size: r.Size, BaseLost: r.Flags&flagBaseLost != 0, Since: r.Time, Why: r.Text,
		}
	}
	if o := f.ops[r.Op]; o != nil {
		f.remove(o, Base{}, Base{})
	}
	f.cancelWaiting(r.Gen)
}

// applyOp makes an operation, or brings it to the state that the record gives.
func (f *fold) applyOp(r *spool.Record) {
	n := opFromRecord(r)
	o := f.ops[r.Op]
	if o == nil {
		o = new(op)
		*o = n
		if o.since = r.Since; o.since.IsZero() { // of an older program
			o.since = time.Now()
		}
		o.confirmed = time.Now()
		if r.Gen != "" {
			o.gen = f.generation(r)
			o.gen.refs++
			o.gen.op = o
		}
		after := o.after
		o.after = ""
		f.wait(o, after)
		f.enqueue(o)
		f.moved = append(f.moved, o)
		return
	}
	if o.kind == opMove && o.copied == "" && n.copied != "" {
		f.leaveTarget(o, n.copied)
	}
	if n.base.ETag == o.base.ETag && n.base.State == o.base.State {
		n.base.Headers = o.base.Headers
	}
	o.flags, o.base, o.toBase = n.flags, n.base, n.toBase
	o.copied, o.headers = n.copied, n.headers
	if !r.Since.IsZero() {
		o.since = r.Since
	}
	f.wait(o, n.after)
	f.moved = append(f.moved, o)
	if r.Gen != "" {
		f.generation(r)
	}
	for _, k := range o.keys() {
		f.touch(k)
	}
}

// generation finds or makes the generation of a record and gives it the
// attributes that the record carries.
func (f *fold) generation(r *spool.Record) *generation {
	g := f.gens[r.Gen]
	if g == nil {
		g = &generation{id: r.Gen}
		f.gens[r.Gen] = g
	}
	if r.Headers != nil {
		g.headers = *r.Headers // nobody writes into a map of headers: withW and Config.Stamp get a copy
	}
	if r.ToBase.State == spool.Present {
		f.reads(g, source{key: r.To, etag: r.ToBase.ETag, size: r.ToBase.Size})
	}
	if len(r.Keys) == 1 {
		g.alias = r.Keys[0]
	}
	g.size, g.modTime, g.timeSet = r.Size, r.Time, r.Flags&flagTimeSet != 0
	switch r.Type {
	case spool.TypeSeal, spool.TypePin, spool.TypeQuarantine, spool.TypeSynced:
		g.extents = r.Extents
		g.synced = true
		if r.Type != spool.TypeSynced {
			g.sums = r.Sums
		}
	default:
	}
	return g
}

// leaveTarget: the copy is confirmed, the target's queue goes on without the
// move.
func (f *fold) leaveTarget(o *op, etag string) {
	at := Base{State: Present, ETag: etag, Size: o.base.Size, ModTime: time.Now()}
	behind := slices.Clone(f.behindMove(o))
	f.dequeue(o, o.to, at)
	o.copied = etag
	for _, x := range behind {
		if x.is(flagReplaced) {
			f.remove(x, Base{}, Base{})
			f.release(x.gen.id)
		}
		x.set(flagCarried, false)
	}
	for _, x := range f.queues[o.to] {
		if x.gen != nil && x.gen.src.key == o.key {
			f.reads(x.gen, source{key: o.to, etag: etag, size: x.gen.src.size}) // the same bytes under the new name
		}
	}
}

// restore: a move ends without a copy, what it was to replace stays.
func (f *fold) restore(o *op) {
	for _, x := range f.behindMove(o) {
		x.set(flagReplaced, false)
	}
}

// enqueue gives the operation its place in the queues of its keys.
func (f *fold) enqueue(o *op) {
	f.ops[o.id] = o
	f.lastOp = max(f.lastOp, o.id)
	for _, k := range o.keys() {
		q := f.queues[k]
		i, _ := slices.BinarySearchFunc(q, o.id, func(x *op, id uint64) int {
			return int(int64(x.id - id))
		})
		f.queues[k] = slices.Insert(q, i, o)
		f.touch(k)
	}
}

// remove takes the operation out of everything.
func (f *fold) remove(o *op, at, atTo Base) {
	if o.kind == opMove && o.copied == "" {
		f.restore(o)
		f.dequeue(o, o.to, atTo)
	}
	f.dequeue(o, o.key, at)
	f.wait(o, "")
	f.loseUpload(o)
	delete(f.ops, o.id)
	f.moved = append(f.moved, o)
	if o.gen != nil && o.gen.op == o {
		o.gen.op = nil
	}
	f.unref(o.gen)
}

// dequeue takes the operation out of one queue. at is what the key has
// now; Unknown: what it had before.
func (f *fold) dequeue(o *op, key string, at Base) {
	q := f.queues[key]
	i := slices.Index(q, o)
	if i < 0 {
		return
	}
	if at.State == Unknown {
		at = o.baseAt(key)
	}
	if i == 0 && len(q) > 1 {
		q[1].rebase(key, at)
	}
	if len(q) == 1 {
		delete(f.queues, key)
	} else {
		f.queues[key] = slices.Delete(q, i, i+1)
	}
	f.touch(key)
}

// touch: the queue of key has changed.
func (f *fold) touch(key string) {
	f.heads = append(f.heads, key)
	q := f.queues[key]
	f.tree.set(key, len(q) > 0, len(q) > 0 && q.top().makes(key))
}

func (f *fold) unref(g *generation) {
	if g == nil {
		return
	}
	if g.refs--; g.refs == 0 {
		delete(f.gens, g.id)
		f.readsNoMore(g)
		f.dead = append(f.dead, g)
	}
}
