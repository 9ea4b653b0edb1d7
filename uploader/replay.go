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
	damaged := map[string]error{}
	for _, d := range rec.Damaged {
		damaged[d.Gen] = d.Err
	}
	for _, o := range sortedOps(u.fold.ops) {
		o.confirmed = time.Time{} // others may have changed it meanwhile
		if o.is(flagStarted) {
			o.unsure = true
		}
		if o.kind != opPut || o.gen.op != o {
			continue
		}
		if err := u.recoverPut(rec, o, damaged[o.gen.id]); err != nil {
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
			if err := u.unblockFor(o.gen); err != nil {
				return err
			}
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

// recoverPut finds the bytes of a pending generation.
func (u *Uploader) recoverPut(rec *spool.Recovery, o *op, damage error) error {
	g := o.gen
	if damage != nil {
		u.log.Error("bytes of a pending file are damaged: it is not uploaded", zap.String("key", o.key), zap.Error(damage))
		return u.quarantine(o, g.size, g.extents) // the log goes on to name its bytes: they can be exported
	}
	c, unsealed := rec.Unsealed[g.id], false
	if c != nil {
		unsealed = !g.synced || o.is(flagUnflushed)
	} else {
		var err error
		if c, err = u.spool.Adopt(g.id, g.size, g.extents); err != nil {
			return fmt.Errorf("generation %s of %q: %w", g.id, o.key, err)
		}
	}
	g.content, g.extents = c, nil
	switch {
	case o.is(flagAbandoned):
		return nil
	case unsealed:
		return u.quarantine(o, c.Size(), c.Seal())
	case !o.is(flagSealed): // fsynced: sealed as found
		g.size = c.Size()
		r := o.record(spool.TypeSeal)
		r.Flags |= flagSealed
		r.Extents = c.Seal()
		if err := u.commit(r); err != nil {
			return err
		}
	}
	g.written, g.changed, g.timeSet = true, true, true
	u.adoptFile(g)
	return nil
}

// quarantine keeps a generation that must not be uploaded, out of everybody's way.
func (u *Uploader) quarantine(o *op, size int64, extents []spool.Extent) error {
	r := o.record(spool.TypeQuarantine)
	r.Size, r.Extents, r.Time = size, extents, time.Now()
	return u.commit(r)
}

func (u *Uploader) recoverQuarantined(rec *spool.Recovery, g *generation) error {
	if g.content != nil {
		return nil
	}
	if c := rec.Unsealed[g.id]; c != nil {
		g.content = c
		return nil
	}
	c, err := u.spool.Adopt(g.id, g.size, g.extents)
	if err != nil {
		u.log.Error("quarantined bytes are damaged", zap.String("gen", g.id), zap.Error(err))
		return nil
	}
	g.content, g.extents = c, nil
	return nil
}
