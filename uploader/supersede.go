package uploader

import "github.com/s3levelfs/s3levelfs/uploader/spool"

// supersede is the end of the generations below o in the same stack, as far as nothing of them can be in the store:
// sealed ones, and those that an O_TRUNC, or several, left unsealed. from is the one whose upload goes over to o. Called with mu held.
func (u *Uploader) supersede(o, from *op) []*spool.Record {
	var recs []*spool.Record
	if from != nil {
		recs = o.inherit(from)
	}
	for _, below := range u.below(o) {
		if f := o.gen.file; below.upload != nil && f != nil {
			f.flushed = true // once more, and what is sent meanwhile may be sent in vain again
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
