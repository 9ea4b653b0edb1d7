package uploader

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

const (
	releaseEvery = time.Second     // group syncs of what has been committed
	lastSync     = 5 * time.Second // Close waits so long for one
	logTooLarge  = 16 << 20        // bytes of log, mostly dead, that call for a new one
	recordSize   = 512             // bytes, what a live operation takes in a log about
)

// syncLoop gives spool space back: the files of what has been committed go with the next sync of the log (I2).
func (u *Uploader) syncLoop() {
	for {
		select {
		case <-u.ctx.Done():
			return
		case <-u.sync:
		}
		if !sleep(u.ctx, releaseEvery) {
			return
		}
		u.drainTrash(u.ctx)
		u.maybeRewriteLog()
		u.maybeCompact()
	}
}

// drainTrash releases what nobody needs any more. That is in the log, and the spool removes no file
// before the log is on the disk; where the sync fails, a later one will do it.
func (u *Uploader) drainTrash(ctx context.Context) {
	u.mu.Lock()
	trash := u.trash
	u.trash, u.released = nil, time.Now()
	u.mu.Unlock()
	if len(trash) == 0 {
		return
	}
	for _, c := range trash {
		c.Release()
	}
	if err := u.spool.Sync(ctx); err != nil {
		u.log.Warn("sync of the spool failed, will be tried again", zap.Error(err))
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.released = time.Now()
}

// maybeRewriteLog rewrites the log when it is empty of meaning or mostly so. What it refers to is put on the disk
// before, so that those who wait for mu wait for the new log alone.
func (u *Uploader) maybeRewriteLog() {
	if !u.rewriteDue() {
		return
	}
	if err := u.rewriteLog(); err != nil {
		u.log.Error("rewriting the log failed", zap.Error(err))
	}
}

func (u *Uploader) rewriteLog() error {
	if err := u.spool.Sync(u.ctx); err != nil {
		return nil // the spool has logged it
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.spool.Checkpoint(u.snapshot())
}

func (u *Uploader) rewriteDue() bool {
	_, logBytes := u.spool.Usage()
	u.mu.Lock()
	defer u.mu.Unlock()
	live := int64(len(u.fold.ops)+len(u.fold.quar)) * recordSize
	drained := live == 0 && logBytes > logTooLarge/16
	return len(u.trash) == 0 && (drained || logBytes >= logTooLarge && logBytes >= 4*live)
}

// snapshot gives the whole fold as records. Called with mu held.
func (u *Uploader) snapshot() []*spool.Record {
	var recs []*spool.Record
	for _, o := range sortedOps(u.fold.ops) {
		if o.kind != opPut {
			recs = append(recs, o.record(snapshotType(o)))
			if o.failure != "" {
				recs = append(recs, o.failed())
			}
			continue
		}
		c := o.record(spool.TypeCreate)
		c.Size, c.Extents = o.gen.content.Size(), o.gen.content.Extents()
		recs = append(recs, c)
		switch {
		case o.is(flagSealed):
			s := o.record(spool.TypeSeal)
			s.Size, s.Extents = c.Size, c.Extents
			recs = append(recs, s)
		case o.gen.synced:
			s := o.record(spool.TypeSynced)
			s.Size, s.Extents = c.Size, c.Extents
			recs = append(recs, s)
		}
		recs = append(recs, o.uploadRecords()...)
		if o.failure != "" {
			recs = append(recs, o.failed())
		}
	}
	for id, q := range u.fold.quar {
		g := u.fold.gens[id]
		r := &spool.Record{Type: spool.TypeQuarantine, Gen: id, Key: q.Key, Size: q.Size, Time: q.Since, Headers: &g.headers, Text: q.Why, Sums: g.sums}
		if q.BaseLost {
			r.Flags = flagBaseLost
		}
		if g.content != nil {
			r.Size, r.Extents = g.content.Size(), g.content.Extents()
		} else {
			r.Extents = g.extents // damaged: never adopted
		}
		if g.src.key != "" {
			r.To, r.ToBase = g.src.key, spool.Base{State: spool.Present, ETag: g.src.etag, Size: g.src.size}
		}
		recs = append(recs, r)
	}
	return recs
}

func snapshotType(o *op) spool.Type {
	switch o.kind {
	case opMove:
		if o.copied != "" {
			return spool.TypeCopied
		}
		return spool.TypeMove
	case opMarker:
		return spool.TypeMkdir
	case opAttr:
		return spool.TypeSetAttr
	default:
		return spool.TypeUnlink
	}
}
