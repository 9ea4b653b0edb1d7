package uploader

import (
	"cmp"
	"slices"
	"time"

	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// Survey tells what the records of a spool leave pending and what of it is kept, without the spool: nothing is adopted,
// repaired or logged. What was open and not synced stands among what is kept, because the next mount will keep it.
func Survey(records []spool.Record) (pending []Item, kept []Quarantined) {
	f := newFold()
	for _, tx := range transactions(records) {
		for i := range tx {
			f.apply(&tx[i])
		}
	}
	for _, o := range sortedOps(f.ops) {
		if g := o.gen; g != nil && !o.is(flagSealed|flagAbandoned) && (!g.synced || o.is(flagUnflushed)) {
			kept = append(kept, Quarantined{Gen: g.id, Key: o.key, Size: g.size, Since: o.since})
			continue
		}
		i := o.item()
		if i.NextTry = (time.Time{}); i.State == StateOpen {
			i.State = StateQueued // synced
		}
		pending = append(pending, i)
	}
	for _, q := range f.quar {
		kept = append(kept, *q)
	}
	slices.SortFunc(kept, func(a, b Quarantined) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Gen, b.Gen)) })
	return pending, kept
}
