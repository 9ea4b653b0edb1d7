package uploader

import (
	"slices"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// A generation that takes the place of another one of the same file takes over its upload, too: the parts that it has left alone are in the
// store already, copied or sent. That happens in the record that ends the other one (I7). Until then its flush counts those parts as pinned:
// if the other one begins to be sent meanwhile, its commit leaves the same bytes as base.
//
// The object that such an upload makes has the id of the generation that began it. No request that completes it has been made
// on behalf of an earlier one: so whoever finds that id knows that it is what he has completed.

// below lists what of its file o takes the place of when it is sealed, the nearest first: generations of which nothing can be in the
// store. Called with mu held.
func (u *Uploader) below(o *op) []*op {
	var list []*op
	q := u.fold.queues[o.key]
	for i := slices.Index(q, o) - 1; i >= 0; i-- {
		b := q[i]
		if b.kind != opPut || !b.idle() || b.gen.file == nil || b.gen.file != o.gen.file ||
			(b.flags^o.flags)&(flagReplaced|flagCarried) != 0 {
			break
		}
		list = append(list, b)
	}
	return list
}

// bequest is the operation whose upload o takes over when it is sealed; nil if there is none. Called with mu held.
func (u *Uploader) bequest(o *op) *op {
	t := o.gen.track
	if o.upload != nil || t == nil || o.gen.content == nil {
		return nil
	}
	for _, b := range u.below(o) {
		if m := b.upload; m != nil {
			same := m.layout == t.layout && m.reach(u.limits.MaxParts) >= o.gen.content.Size() && b.gen.src == o.gen.src
			if same && b.is(flagSealed) && !b.completed {
				return b
			}
			return nil
		}
	}
	return nil
}

// inherits: part i, as o has it, is in the upload of the operation that it takes the place of. Called with mu held.
func (o *op) inherits(from *op, i int, r store.Range) bool {
	m := from.upload
	return m.stored(i) && m.parts[i].Size == r.Len && o.gen.track.untouched(r.Off, r.Len)
}

// inherit makes the records by which an upload goes over to the operation that is being sealed. Called with mu held.
func (o *op) inherit(from *op) []*spool.Record {
	m, size := from.upload, o.gen.content.Size()
	recs := []*spool.Record{from.uploadRecord(&multipart{}), o.uploadRecord(&multipart{id: m.id, layout: m.layout, headers: m.headers})}
	for i := range m.parts {
		if i < m.count(size) && o.inherits(from, i, m.within(i, size)) {
			recs = append(recs, o.partRecord(m, m.parts[i]))
		}
	}
	return recs
}
