package uploader

import (
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// A file that stays open for weeks (a database, a log, the image of a machine) gets into the bucket at checkpoints: what an
// fsync has confirmed is sealed as a generation of its own when the file is still open 2 s later, and goes the way of
// any closed one. Sealing copies nothing: the next write opens the generation above.
//
// Only what an fsync has confirmed may be sealed, and a generation has no memory of it once it is written to again. So the first
// write after an fsync that has a checkpoint to its name seals first. One that must not have one yet (the rate,
// another one on its way, parts in the store that would have to be sent again) goes on, and the next fsync counts.

const (
	checkpointOpen  = 2 * time.Second  // a file that is still open so long after an fsync is uploaded,
	checkpointEvery = 30 * time.Second // but no more often than this
	checkpointLook  = 2 * time.Second  // between two looks whether the one before has ended
)

// errCheckpoint: the open generation has to be sealed before it is written to.
var errCheckpoint = errors.New("a checkpoint is due")

// checkpoint is what a File knows of those behind it and of the next one. Guarded by Uploader.mu.
type checkpoint struct {
	since   time.Time   // the first fsync since the last seal that had something to confirm; zero = none
	clean   bool        // and nothing was written after the last one
	changed time.Time   // the first change since the last seal, with Config.Checkpoint only; zero = none
	last    time.Time   // when the last checkpoint was sealed
	sealing bool        // it is being sealed: writes wait for that
	timer   *time.Timer // of the next look; nil = there was none yet
}

// byFsync: since when an fsync asks for a checkpoint; zero: none does, or what it confirmed can not be had any more.
func (c *checkpoint) byFsync() time.Time {
	if !c.clean || c.since.IsZero() {
		return time.Time{}
	}
	return c.since.Add(checkpointOpen)
}

// byTime: since when changes without an fsync ask for one; zero: they do not.
func (c *checkpoint) byTime(every time.Duration) time.Time {
	if every <= 0 || c.changed.IsZero() {
		return time.Time{}
	}
	return c.changed.Add(every)
}

// next is when the next checkpoint is due; ok is false if none is.
func (c *checkpoint) next(every time.Duration) (at time.Time, ok bool) {
	at = c.byFsync()
	if t := c.byTime(every); at.IsZero() || !t.IsZero() && t.Before(at) {
		at = t
	}
	if at.IsZero() {
		return at, false
	}
	if first := c.last.Add(checkpointEvery); !c.last.IsZero() && at.Before(first) {
		at = first
	}
	return at, true
}

// fsynced notes that all that is in the open generation of a file was synced. Called with mu held.
func (u *Uploader) fsynced(g *generation) {
	f := g.file
	if f == nil || f.gone || f.top != g || !g.written {
		return
	}
	c := &f.checkpoint
	if c.clean = true; c.since.IsZero() {
		c.since = time.Now()
	}
	u.lookAgain(f)
}

// changing notes that the open generation is about to be changed; errCheckpoint: it has to be sealed before. Called with mu held.
func (u *Uploader) changing(f *File) error {
	if u.sealsFirst(f) {
		f.checkpoint.sealing = true
		return errCheckpoint
	}
	c := &f.checkpoint
	c.clean = false
	if u.cfg.Checkpoint > 0 && c.changed.IsZero() {
		c.changed = time.Now()
		u.lookAgain(f)
	}
	return nil
}

// sealsFirst: what the last fsync confirmed is to be uploaded, and a write would end it. Called with mu held.
func (u *Uploader) sealsFirst(f *File) bool {
	c, now := &f.checkpoint, time.Now()
	asked := c.byFsync()
	switch {
	case !u.unsealed(f):
		return false
	case c.sealing:
		return true
	case asked.IsZero() || !c.last.IsZero() && now.Sub(c.last) < checkpointEvery || u.pendingBelow(f):
		return false
	}
	// A program that syncs on its way, and closes soon, is spared to send again what was sent while it wrote.
	return f.top.op.upload == nil || !now.Before(asked)
}

// unsealed: the file has an open generation that goes to the bucket one day. Called with mu held.
func (u *Uploader) unsealed(f *File) bool {
	g := f.top
	return !f.gone && g != nil && g.op != nil && g.written && !g.op.is(flagSealed|flagAbandoned)
}

// pendingBelow: a sealed generation of the file is not in the store yet. Called with mu held.
func (u *Uploader) pendingBelow(f *File) bool {
	for _, o := range u.fold.queues[f.key] {
		if o.kind == opPut && o.gen.file == f && o.is(flagSealed) && !o.is(flagAbandoned) {
			return true
		}
	}
	return false
}

// lookAgain sets the timer of a file to its next checkpoint. Called with mu held.
func (u *Uploader) lookAgain(f *File) {
	if at, ok := f.checkpoint.next(u.cfg.Checkpoint); ok {
		u.lookIn(f, time.Until(at))
	}
}

// lookIn has a file looked at after a while. Called with mu held.
func (u *Uploader) lookIn(f *File, d time.Duration) {
	c := &f.checkpoint
	if c.timer == nil {
		c.timer = time.AfterFunc(d, func() { u.lookAtFile(f) })
		return
	}
	c.timer.Reset(d)
}

// forget: nobody writes to the file any more. Called with mu held.
func (c *checkpoint) forget() {
	if c.timer != nil {
		c.timer.Stop()
	}
	*c = checkpoint{last: c.last}
}

// lookAtFile begins a checkpoint that is due.
func (u *Uploader) lookAtFile(f *File) {
	u.mu.Lock()
	defer u.mu.Unlock()
	at, ok := f.checkpoint.next(u.cfg.Checkpoint)
	switch wait := time.Until(at); {
	case !ok || u.closed || f.writers == 0 || f.checkpoint.sealing || !u.unsealed(f):
	case wait > 0:
		u.lookIn(f, wait)
	case u.pendingBelow(f):
		u.lookIn(f, checkpointLook)
	default:
		g := f.top
		u.wg.Go(func() { u.takeCheckpoint(f, g) })
	}
}

// takeCheckpoint seals the open generation of a file, if nothing has come in between.
func (u *Uploader) takeCheckpoint(f *File, g *generation) {
	if err := u.flushPin(u.ctx, g); err != nil {
		return // its base is lost, that is told
	}
	u.mu.Lock()
	at, ok := f.checkpoint.next(u.cfg.Checkpoint)
	ok = ok && f.top == g && f.writers > 0 && u.unsealed(f) && !time.Now().Before(at)
	f.checkpoint.sealing = f.checkpoint.sealing || ok
	u.mu.Unlock()
	if !ok {
		return
	}
	if err := u.sealCheckpoint(f, g); err != nil {
		u.log.Warn("a checkpoint of an open file could not be logged, will be tried again", zap.String("gen", g.id), zap.Error(err))
	}
}

// sealCheckpoint is what changing asks for.
func (u *Uploader) sealCheckpoint(f *File, g *generation) error {
	_, err := u.seal(g)
	u.mu.Lock()
	defer u.mu.Unlock()
	f.checkpoint.sealing = false // also where somebody else has sealed or dropped it
	if err != nil {
		u.sealLater(g, err)
	}
	return err
}

// sealed notes that a generation of the file was sealed, and when it may be sent if that was for a checkpoint. Called with mu held.
func (c *checkpoint) sealed(settled time.Time) (at time.Time) {
	at = settled
	if c.sealing {
		c.last = time.Now()
		if at = c.byFsync(); at.Before(c.last) {
			at = c.last
		}
	}
	c.since, c.clean, c.changed, c.sealing = time.Time{}, false, time.Time{}, false
	return at
}

// logFsynced lists the bytes of an open generation as they are, so that a crash keeps them.
func (u *Uploader) logFsynced(g *generation) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if g.op == nil || g.op.is(flagSealed) || !g.written && !g.unwritten() {
		return nil
	}
	g.size = g.content.Size()
	r := g.op.record(spool.TypeSynced)
	r.Flags &^= flagEmpty | flagUnflushed
	r.Extents = g.content.Extents()
	if err := u.commit(r); err != nil {
		return err
	}
	u.fsynced(g)
	return nil
}
