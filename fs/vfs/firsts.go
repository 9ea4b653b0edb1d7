package vfs

import (
	"context"
	"errors"
	"syscall"
	"time"

	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
)

// The first removal and the first mkdir in a level wait for the store's answer, so that a right
// that is not there is told by the call itself; later ones are journalled (promise 7).

// firstWait bounds how long the first mkdir in a level waits. A store that is silent for longer
// does not hold up work: the next mkdir waits again.
const firstWait = 5 * time.Second

// firstRemove tells whether nothing has been removed in the level yet: then the
// store's answer is waited for.
func (v *FS) firstRemove(t levels.Target) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return !v.first[t.Prefix].removed
}

func (v *FS) removedHere(t levels.Target) {
	v.mu.Lock()
	defer v.mu.Unlock()
	seen := v.first[t.Prefix]
	seen.removed = true
	v.first[t.Prefix] = seen
}

// keepForProof copies what the readers of a file have open, so that its delete need not wait for
// them and can prove the right to remove. kept is false for what is being written, whose base the
// uploader needs, and for what is larger than Config.Pin: those deletes are held back until the
// last close, and leave the proof to another one.
func (v *FS) keepForProof(ctx context.Context, of *openFile) (done func(removed bool), kept bool, err error) {
	nothing := func(bool) {}
	s := of.source()
	if !s.stored() || of.written() || s.length() > v.cfg.Pin {
		return nothing, false, nil
	}
	done, err = of.prepare(ctx, v.cache, v.cfg.TempDir, v.cfg.Pin)
	switch {
	case isVersionGone(err): // nothing to keep: the delete will find that out as well
		return nothing, true, nil
	case err != nil:
		return nothing, false, err
	}
	return done, true, nil
}

// proveMkdir waits for the marker of a level's first directory. One that is refused is taken back.
func (v *FS) proveMkdir(ctx context.Context, n *node) error {
	const op = "mkdir"
	t := n.target
	v.mu.Lock()
	made := v.first[t.Prefix].made
	v.mu.Unlock()
	if made {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, firstWait)
	defer cancel()
	left, err := v.up.Wait(ctx, t.DirPrefix())
	if err != nil {
		return nil //nolint:nilerr // no answer in time says nothing: the marker waits in the spool
	}
	info, _ := v.up.Lookup(t.Key)
	if left.Failed > 0 && errors.Is(info.Err, store.ErrPermission) {
		refusal := errors.Join(fail(op, n.path, syscall.EACCES), info.Err)
		return errors.Join(refusal, v.removeDir(context.WithoutCancel(ctx), op, n))
	}
	if left.Ops == 0 {
		v.mu.Lock()
		seen := v.first[t.Prefix]
		seen.made = true
		v.first[t.Prefix] = seen
		v.mu.Unlock()
	}
	return nil
}
