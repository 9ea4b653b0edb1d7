package vfs

import (
	"context"
	"errors"
	"syscall"
	"time"

	"github.com/s3levelfs/s3levelfs/fs/vfs/attrs"
	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
)

// dirFacts are what is known of a directory's marker, the empty object whose
// headers hold the directory's attributes.
type dirFacts struct {
	marker  bool         // there is one
	obj     store.Object // if so, with Headers
	changed time.Time    // last time that this mount changed an entry; zero = never
	until   time.Time    // when the store is asked again
}

// describeDir fills in a directory's attributes. Where they come from headers
// the marker is asked for, once in Config.AttrTTL; a directory without one, or
// whose marker can not be read now, has the level's defaults.
func (v *FS) describeDir(ctx context.Context, n *node, fetch bool, a *Attr) (full bool, err error) {
	a.Mode = syscall.S_IFDIR | n.target.Mode(true)&^v.cfg.Umask
	facts, full, err := v.dirFacts(ctx, n, fetch)
	if err != nil {
		return false, err
	}
	v.times(a, facts.obj.LastModified)
	if facts.marker {
		v.apply(a, n.target, attrs.Decode(facts.obj))
	}
	if n.marking() {
		if !n.info.ModTime.IsZero() {
			v.times(a, n.info.ModTime)
		}
		v.apply(a, n.target, attrs.Decode(store.Object{Headers: &n.info.Headers}))
	}
	a.Mode = a.Mode&^syscall.S_IFMT | syscall.S_IFDIR
	if facts.changed.After(a.Mtime) {
		v.times(a, facts.changed)
	}
	return full, nil
}

// marking: the marker, or a change of its headers, is pending; entries that are
// pending below tell nothing of the directory's own attributes.
func (n *node) marking() bool { return n.info != nil && n.info.Marker }

// dirFacts gives what is known of the marker, and asks the store where that is
// wanted and nothing is known.
func (v *FS) dirFacts(ctx context.Context, n *node, fetch bool) (facts dirFacts, full bool, err error) {
	if n.target.Kind != levels.Entry {
		facts, _ = v.dirs.Get(n.ikey())
		return facts, true, nil
	}
	dir := n.target.DirPrefix()
	facts, ok := v.dirs.Get(dir)
	switch {
	case n.marking(), !v.exact(n.target), ok && time.Now().Before(facts.until):
		return facts, true, nil
	case !fetch:
		return facts, false, nil
	}
	obj, err := v.store.Head(ctx, dir, store.Cond{})
	switch {
	case err == nil:
		facts.marker, facts.obj = true, obj
	case errors.Is(err, store.ErrNotExist), errors.Is(err, store.ErrPermission):
		facts.marker, facts.obj = false, store.Object{}
	case isCancelled(err):
		return facts, false, wrap("stat", n.path, err)
	default:
		return facts, false, nil // the defaults do, while the store does not answer
	}
	facts.until = time.Now().Add(v.cfg.AttrTTL)
	v.dirs.Add(dir, facts)
	return facts, true, nil
}

// touch notes that this mount changed an entry of a directory: its mtime moves.
func (v *FS) touch(dir string) {
	facts, _ := v.dirs.Get(dir)
	facts.changed = time.Now()
	v.dirs.Add(dir, facts)
}

// settleDir notes what is in the store as a directory's marker. Events come behind
// what they tell of: headers that this mount has set since stay.
func (v *FS) settleDir(dir string, obj store.Object) {
	facts, known := v.dirs.Get(dir)
	if known && facts.marker && facts.obj.Headers != nil && time.Now().Before(facts.until) {
		obj.Headers = facts.obj.Headers
	}
	facts.marker, facts.obj, facts.until = true, obj, time.Now().Add(v.cfg.AttrTTL)
	v.dirs.Add(dir, facts)
}
