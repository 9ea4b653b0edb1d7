package vfs

import (
	"context"
	"fmt"

	"github.com/s3levelfs/s3levelfs/cache"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// keeper sees to it that the files which are open under a name, or were so until it
// was removed, keep their bytes when another file gets the name. What is larger than
// Config.Pin is not kept: its handles get what the cache still has, then ESTALE, never other bytes.
type keeper struct {
	v     *FS
	key   string
	kept  map[*openFile]struct{}
	ready []func(replaced bool)
}

func (v *FS) keeper(key string) *keeper {
	return &keeper{v: v, key: key, kept: make(map[*openFile]struct{})}
}

// keep copies the bytes of those who have the file open now and are not kept yet. After an error there
// is nothing left to be done.
func (k *keeper) keep(ctx context.Context) error {
	v := k.v
	for _, of := range v.readers(k.key) {
		if _, ok := k.kept[of]; ok {
			continue
		}
		k.kept[of] = struct{}{}
		if v.keyOf(of) == "" {
			if err := of.part(ctx, v.cache, v.cfg.TempDir, v.cfg.Pin); err != nil && !isVersionGone(err) {
				k.done(false)
				return err
			}
			continue
		}
		install, err := of.prepare(ctx, v.cache, v.cfg.TempDir, v.cfg.Pin)
		if err != nil && !isVersionGone(err) {
			k.done(false)
			return err
		}
		if err == nil {
			k.ready = append(k.ready, install)
		}
	}
	return nil
}

// done: the name is another file's now, or stays what it was.
func (k *keeper) done(replaced bool) {
	for _, f := range k.ready {
		f(replaced)
	}
}

// prepare copies a stored version that is about to lose its name; the copy takes its place once
// that has happened. What is being written is the uploader's to keep.
func (o *openFile) prepare(ctx context.Context, c *cache.Cache, dir string, bound int64) (install func(bool), err error) {
	s := o.source()
	if !s.stored() || s.length() > bound {
		return func(bool) {}, nil
	}
	k, err := newKept(ctx, c, s, dir)
	if err != nil {
		return nil, fmt.Errorf("keep %q: %w", s.obj.Key, err)
	}
	return func(replaced bool) {
		o.mu.Lock()
		defer o.mu.Unlock()
		if replaced && o.kept == nil && o.local == nil && !o.ended {
			o.kept = k
			return
		}
		_ = k.file.Close() // an unnamed temporary file: nothing to lose
	}, nil
}

// part has the handles of a file without a name read and write a copy from now on, so that no
// delete waits for them any more.
func (o *openFile) part(ctx context.Context, c *cache.Cache, dir string, bound int64) error {
	o.switching.Lock()
	defer o.switching.Unlock()
	defer o.letGo()
	s := o.source()
	ours := s.local != nil && s.local.Info().Base.State != uploader.Present
	if s.kept != nil || s.lost || ours || s.length() > bound {
		return nil
	}
	k, err := newKept(ctx, c, s, dir)
	if err != nil {
		return fmt.Errorf("keep %q: %w", s.obj.Key, err)
	}
	o.mu.Lock()
	if o.ended {
		o.mu.Unlock()
		return k.file.Close()
	}
	local, writers := o.local, o.writers
	for range o.owed {
		writers = append(writers, local)
	}
	if o.lent {
		local = nil // there is no read handle besides
	}
	o.kept, o.local, o.lent, o.owed, o.writers, o.parted = k, nil, false, 0, nil, true
	o.mu.Unlock()
	for _, w := range writers {
		_ = w.Release(context.WithoutCancel(ctx), true) // no name: nothing is sealed
	}
	if local != nil {
		_ = local.Release(context.WithoutCancel(ctx), false)
	}
	return nil
}
