package uploader

import (
	"context"
	"fmt"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// Hold keeps deletes back as long as somebody reads the version that they
// would end. It is given to any number of Removes and released once.
type Hold struct { // guarded by Uploader.mu
	released bool
	ops      []*op
}

// NewHold makes a hold.
func NewHold() *Hold { return &Hold{} }

// Release lets the deletes that a hold keeps back go. Further calls do nothing.
func (u *Uploader) Release(h *Hold) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.releaseHold(h)
}

func (u *Uploader) releaseHold(h *Hold) {
	if h.released {
		return
	}
	h.released = true
	for _, o := range h.ops {
		u.consider(o)
	}
	h.ops = nil
}

func (h *Hold) keep(o *op) {
	if h != nil && !h.released {
		o.hold = h
		h.ops = append(h.ops, o)
	}
}

// Remove is unlink(2): the name is gone at once, the object soon. What was
// pending at it is dropped, an open file goes on without a name. base is what the store has at
// key, used where nothing is pending there. ErrNotExist: it does not exist.
// With o.Wait the store's answer is returned; a refused removal leaves the name.
func (u *Uploader) Remove(ctx context.Context, key string, base Base, o RemoveOptions) error {
	u.mu.Lock()
	base, err := u.found(key, base)
	if err != nil {
		u.mu.Unlock()
		return fmt.Errorf("remove %q: %w", key, err)
	}
	exists, pending := u.existsIn(key)
	f := u.files[key]
	if f == nil && pending && !exists || f == nil && !pending && base.State == Absent {
		u.mu.Unlock()
		return &store.Error{Op: "remove", Key: key, Kind: store.ErrNotExist}
	}
	if f != nil && f.top != nil && !pending && !f.lost {
		base = f.base
	}
	d, err := u.logRemove(key, base, f, o.Wait)
	if err != nil || d == nil {
		u.mu.Unlock()
		return err
	}
	o.Hold.keep(d)
	if f != nil && f.hold != nil {
		f.hold.keep(d)
	}
	if !o.Wait {
		u.mu.Unlock()
		return nil
	}
	answer := u.waiter(d)
	u.mu.Unlock()
	if err := u.await(ctx, answer); err != nil {
		return fmt.Errorf("remove %q: %w", key, err)
	}
	return nil
}

// logRemove drops what is pending at a key and queues the delete of what the store has or may get there;
// nil if there is nothing to delete. alone: not in a batch. Called with mu held.
func (u *Uploader) logRemove(key string, base Base, f *File, alone bool) (*op, error) {
	recs, rest := u.dropPuts(key, f)
	var d *op
	if now, needed := u.restBase(key, rest, base, len(recs) > 0); needed {
		d = &op{id: u.newID(), kind: opDelete, key: key, base: now}
		d.set(flagSingle, alone)
		recs = append([]*spool.Record{d.record(spool.TypeUnlink)}, recs...)
	}
	if len(recs) > 0 {
		if err := u.commit(recs...); err != nil {
			return nil, fmt.Errorf("remove %q: %w", key, err)
		}
	}
	if f != nil {
		f.detach(d != nil)
	}
	if f != nil {
		u.forgetFile(f)
	}
	u.notify()
	if d == nil {
		return nil, nil
	}
	return u.fold.ops[d.id], nil
}

// detach makes an open file one without a name. Called with mu held.
func (f *File) detach(deleted bool) {
	u := f.u
	f.gone = true
	if u.files[f.key] == f {
		delete(u.files, f.key)
	}
	holes := f.top == nil || !f.top.content.Whole()
	if deleted && holes && f.writers+f.readers > 0 {
		f.hold = NewHold()
	}
}

// dropPuts makes the records that end the generations at a key: dropped where nothing can be in
// the store, else abandoned, so that only their outcome counts. rest is the
// last operation that stays in the queue. Called with mu held.
func (u *Uploader) dropPuts(key string, f *File) (recs []*spool.Record, rest *op) {
	for _, o := range u.fold.queues[key] {
		switch {
		case o.kind == opPut && (f == nil || o.gen.file == f) && o.idle():
			recs = append(recs, u.handOver(o.gen.id, "")...)
			recs = append(recs, o.done(spool.TypeDrop, Base{}, Base{}))
		case o.kind == opAttr && o.idle():
			recs = append(recs, o.done(spool.TypeDone, Base{}, Base{}))
		case o.kind == opPut && !o.is(flagAbandoned):
			r := o.record(spool.TypeAmend)
			r.Flags |= flagAbandoned
			recs = append(append(recs, u.handOver(o.gen.id, "")...), r)
			rest = o
			o.stopParts()
		default:
			rest = o
		}
	}
	return recs, rest
}

// restBase is what a key will have once the operations that stay in its queue
// have run, and whether a delete has anything to do then.
func (u *Uploader) restBase(key string, rest *op, base Base, pending bool) (Base, bool) {
	q := u.fold.queues[key]
	switch {
	case rest != nil && rest.kind == opDelete:
		return Base{}, false
	case rest != nil && rest.kind == opMove && rest.key == key:
		return Base{}, false
	case rest != nil:
		return Base{State: Unknown}, true // told by the outcome
	case pending && len(q) > 0:
		b := q[0].baseAt(key)
		return b, b.State != Absent
	}
	return base, base.State != Absent
}

// Mkdir makes a directory: its marker, "key/", goes to the store in the
// background. That somebody else has made one meanwhile is fine.
func (u *Uploader) Mkdir(_ context.Context, key string, h store.Headers) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	o := &op{id: u.newID(), kind: opMarker, key: key + "/", headers: &h}
	if err := u.commit(o.record(spool.TypeMkdir)); err != nil {
		return fmt.Errorf("mkdir %q: %w", key, err)
	}
	u.at(u.fold.ops[o.id], time.Now().Add(u.cfg.Batch))
	return nil
}

// Rmdir removes a directory's marker; that the directory is empty is the
// caller's knowledge. A marker that was not sent yet costs nothing.
func (u *Uploader) Rmdir(_ context.Context, key string, base Base) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	marker := key + "/"
	var recs []*spool.Record
	q := u.fold.queues[marker]
	rest := len(q) > 0
	if o := q.top(); o != nil && o.kind == opMarker && o.idle() {
		recs = append(recs, o.done(spool.TypeDone, Base{}, Base{}))
		rest = len(q) > 1
		if base.State == Unknown || len(q) == 1 {
			base = Base{State: Absent}
		}
	}
	if rest || base.State != Absent {
		d := &op{id: u.newID(), kind: opDelete, key: marker, base: base}
		recs = append(recs, d.record(spool.TypeRmdir))
	}
	if len(recs) == 0 {
		return nil
	}
	if err := u.commit(recs...); err != nil {
		return fmt.Errorf("rmdir %q: %w", key, err)
	}
	u.notify()
	return nil
}
