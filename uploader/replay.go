package uploader

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// replay folds the log of a former process and finds the bytes of what is
// left. What was neither sealed nor fsynced is quarantined, never uploaded.
func (u *Uploader) replay(rec *spool.Recovery) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, tx := range transactions(rec.Records) {
		for i := range tx {
			u.fold.apply(&tx[i])
		}
	}
	u.salvage(rec.Salvaged)
	u.fold.lost = nil // a process before has seen to these
	if err := u.recoverUploads(); err != nil {
		return err
	}
	damaged := map[string]error{}
	for _, d := range rec.Damaged {
		damaged[d.Gen] = d.Err
	}
	var lost []lostPut
	for _, o := range sortedOps(u.fold.ops) {
		o.confirmed = time.Time{} // others may have changed it meanwhile
		if o.is(flagStarted) {
			o.unsure, o.completed = true, true
		}
		if o.kind != opPut || o.gen.op != o {
			continue
		}
		l, err := u.recoverPut(rec, o, damaged[o.gen.id])
		if err != nil {
			return err
		}
		if l.gen != nil {
			lost = append(lost, l)
		}
	}
	for _, l := range lost { // now that all files are there: what it gives way to may have to be put into another order
		if err := u.quarantine(l); err != nil {
			return err
		}
	}
	for id := range u.fold.quar {
		if err := u.recoverQuarantined(rec, u.fold.gens[id]); err != nil {
			return err
		}
	}
	for _, g := range u.fold.dead {
		g.content = nil
	}
	for gen, c := range rec.Unsealed {
		if u.fold.gens[gen] == nil || u.fold.gens[gen].content != c {
			c.Release()
		}
	}
	for _, o := range sortedOps(u.fold.ops) {
		if o.gen != nil && o.gen.op == o {
			u.unblock(o.key)
			u.consider(o)
		}
	}
	u.follow()
	if err := u.spool.Recovered(); err != nil {
		return err
	}
	u.log.Info("spool replayed", zap.Int("records", len(rec.Records)), zap.Int("pending", len(u.fold.ops)),
		zap.Int("quarantined", len(u.fold.quar)), zap.Bool("same_boot", rec.SameBoot))
	return nil
}

// recoverUploads forgets the uploads of what was not closed: it may have been changed after its parts were sent. Those of
// a store that syncs when it is told to, too: it may have lost bytes of theirs. Called with mu held.
func (u *Uploader) recoverUploads() error {
	var recs []*spool.Record
	for _, o := range sortedOps(u.fold.ops) {
		if m := o.upload; m != nil && (!o.is(flagSealed) || u.limits.NeedsSync) {
			recs = append(recs, o.uploadRecord(&multipart{}))
			u.aborts = append(u.aborts, lostUpload{o.key, m.id})
		}
	}
	if len(recs) == 0 {
		return nil
	}
	return u.commit(recs...)
}

// transactions cuts the log into the groups that were appended together. A last one without its
// end never happened.
func transactions(recs []spool.Record) [][]spool.Record {
	var all [][]spool.Record
	begin := 0
	for i := range recs {
		if recs[i].Flags&flagMore == 0 {
			all = append(all, recs[begin:i+1])
			begin = i + 1
		}
	}
	return all
}

func sortedOps(m map[uint64]*op) []*op {
	ops := make([]*op, 0, len(m))
	for _, o := range m {
		ops = append(ops, o)
	}
	slices.SortFunc(ops, func(a, b *op) int { return cmp.Compare(a.id, b.id) })
	return ops
}

// recoverPut finds the bytes of a pending generation. lost: it must not be uploaded.
func (u *Uploader) recoverPut(rec *spool.Recovery, o *op, damage error) (lost lostPut, err error) {
	g := o.gen
	if damage != nil {
		u.log.Error("bytes of a pending file are damaged: it is not uploaded", zap.String("key", o.key), zap.Error(damage))
		return lostPut{g, g.size, g.extents, damage.Error()}, nil // the log goes on to name its bytes: they can be exported
	}
	c, unsealed := rec.Unsealed[g.id], false
	if c != nil {
		unsealed = !g.synced || o.is(flagUnflushed)
	} else {
		if c, err = u.spool.Adopt(g.id, g.size, g.extents); err != nil {
			return lost, fmt.Errorf("generation %s of %q: %w", g.id, o.key, err)
		}
	}
	g.content, g.extents = c, nil
	switch {
	case o.is(flagAbandoned):
		return lost, nil
	case unsealed:
		return lostPut{g, c.Size(), c.Seal(), ""}, nil
	case !o.is(flagSealed): // fsynced: sealed as found
		g.size, g.headers = c.Size(), u.stamped(g)
		r := o.record(spool.TypeSeal)
		r.Flags |= flagSealed
		r.Extents = c.Seal()
		if err := u.commit(r); err != nil {
			return lost, err
		}
	}
	g.written, g.changed, g.timeSet = true, true, true
	u.adoptFile(g)
	return lost, nil
}
