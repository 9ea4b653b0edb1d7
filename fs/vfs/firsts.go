package vfs

import (
	"context"

	"github.com/s3levelfs/s3levelfs/levels"
)

// The first removal in a level waits for the store's answer, so that a right that is not there is told by
// unlink(2) itself; later ones are journalled (promise 7).

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
