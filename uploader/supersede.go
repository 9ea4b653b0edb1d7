package uploader

import (
	"slices"

	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// supersede is the end of the generations below o in the same stack, as far as nothing of them can be in the store:
// sealed ones, and those that an O_TRUNC, or several, left unsealed. Called with mu held.
func (u *Uploader) supersede(o *op) []*spool.Record {
	var recs []*spool.Record
	q := u.fold.queues[o.key]
	for i := slices.Index(q, o) - 1; i >= 0; i-- {
		below := q[i]
		if below.kind != opPut || !below.idle() || below.gen.file == nil || below.gen.file != o.gen.file ||
			(below.flags^o.flags)&(flagReplaced|flagCarried) != 0 {
			break
		}
		if f := o.gen.file; below.upload != nil && f != nil {
			f.flushed = true // once more, and what is sent meanwhile would be sent in vain again
		}
		recs = append(append(recs, u.handOver(below.gen.id, o.gen.id)...), below.done(spool.TypeDrop, Base{}, Base{}))
	}
	return recs
}

// handOver lets the deletes that wait for one generation wait for another ("" = none).
func (u *Uploader) handOver(from, to string) []*spool.Record {
	var recs []*spool.Record
	for _, d := range u.fold.waiting[from] {
		r := d.record(spool.TypeUnlink)
		r.Text = to
		recs = append(recs, r)
	}
	return recs
}
