package vfs

import (
	"context"
	"fmt"

	"github.com/s3levelfs/s3levelfs/cache"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// keepReaders sees to it that the files which are open under a name, or were so until it
// was removed, keep their bytes when another file gets the name. The caller tells whether that
// came to pass. What is larger than Config.Pin is not kept: its handles get what
// the cache still has, then ESTALE, never other bytes.
func (v *FS) keepReaders(ctx context.Context, key string) (done func(replaced bool), err error) {
	var ready []func(bool)
	done = func(replaced bool) {
		for _, f := range ready {
			f(replaced)
		}
	}
	for _, of := range v.readers(key) {
		if v.keyOf(of) == "" {
			if err := of.part(ctx, v.cache, v.cfg.TempDir, v.cfg.Pin); err != nil && !isVersionGone(err) {
				done(false)
				return nil, err
			}
			continue
		}
		install, err := of.prepare(ctx, v.cache, v.cfg.TempDir, v.cfg.Pin)
		if err != nil && !isVersionGone(err) {
			done(false)
			return nil, err
		}
		if err == nil {
			ready = append(ready, install)
		}
	}
	return done, nil
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
