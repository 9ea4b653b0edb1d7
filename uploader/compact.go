package uploader

import (
	"time"

	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// compaction is when the spool is looked at for segments that are mostly dead. It belongs to syncLoop alone.
type compaction struct {
	next  time.Time
	armed bool // a look at next is on its way
}

// maybeCompact gives back segments that little things which wait keep from going: what is needed of them is written again, and
// the log is, too. A look costs a pass over all that is pending, so it takes one part in lookShare of the time at most.
func (u *Uploader) maybeCompact() {
	c := &u.compaction
	began := time.Now()
	if wait := c.next.Sub(began); wait > 0 {
		if !c.armed {
			c.armed = true
			time.AfterFunc(wait, func() { poke(u.sync) })
		}
		return
	}
	frozen, others := u.contents()
	gain, err := u.spool.Compact(frozen, others)
	if err != nil {
		u.log.Warn("compaction of the spool failed", zap.Error(err))
	}
	c.armed, c.next = false, time.Now().Add(lookShare*time.Since(began))
	if gain == 0 {
		return
	}
	u.log.Debug("compacted the spool", zap.Int64("bytes", gain))
	if err := u.rewriteLog(); err != nil {
		u.log.Error("checkpoint of the log failed", zap.Error(err))
	}
}

// contents lists those whose list of extents is in the log for good, each later list being made under mu, and the rest.
func (u *Uploader) contents() (frozen, others []*spool.Content) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for id, g := range u.fold.gens {
		switch {
		case g.content == nil:
		case u.fold.quar[id] != nil, g.op != nil && g.op.is(flagSealed):
			frozen = append(frozen, g.content)
		default:
			others = append(others, g.content)
		}
	}
	return frozen, others
}
