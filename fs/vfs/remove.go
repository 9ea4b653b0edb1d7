package vfs

import (
	"context"
	"errors"
	"strings"
	"syscall"

	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// Unlink removes a file or symlink. An open file goes on working: a pending one in
// the spool, a stored one because its delete is held back until the last close.
func (v *FS) Unlink(ctx context.Context, path string) error {
	for {
		n, err := v.find(ctx, "unlink", path)
		if err != nil {
			return err
		}
		if err := v.unlink(ctx, &n); !errors.Is(err, uploader.ErrSettled) {
			return err
		}
	}
}

// unlink removes what was found. ErrSettled: it has to be found again.
func (v *FS) unlink(ctx context.Context, n *node) (err error) {
	const op = "unlink"
	path := n.path
	if n.dir {
		return fail(op, path, syscall.EISDIR)
	}
	if err := v.removable(op, n); err != nil {
		return err
	}
	// Who opens the file from here on opens it again, and does not find it: nobody comes too late to be kept.
	defer v.crossings.begin(n.target.Key, n.target.Key, v.up.LastOp())()
	o := uploader.RemoveOptions{Wait: v.firstRemove(n.target)}
	of := v.opened(n.target.Key)
	removed := func(bool) {}
	if of != nil && (n.obj != nil || n.info.Base.State == uploader.Present) {
		kept := false
		if o.Wait {
			if removed, kept, err = v.keepForProof(ctx, of); err != nil {
				return wrap(op, path, err)
			}
		}
		if !kept {
			o.Hold, o.Wait = uploader.NewHold(), false
		}
	}
	err = v.up.Remove(ctx, n.target.Key, n.base(), o)
	removed(err == nil)
	if err != nil {
		if o.Hold != nil {
			v.up.Release(o.Hold)
		}
		return v.removeFailed(op, path, err)
	}
	if o.Hold != nil {
		of.holdDelete(func() { v.up.Release(o.Hold) })
	}
	if o.Wait {
		v.removedHere(n.target)
	}
	v.dropName(n)
	return nil
}

// dropName forgets a file whose name is gone.
func (v *FS) dropName(n *node) {
	key := n.target.Key
	v.unlinked(key)
	v.alive(n.target.Parent)
	v.listing.Removed(key)
	v.blind.Remove(key)
	v.touch(n.target.Parent)
}

// removable refuses what the level or the mount does not allow to be removed.
func (v *FS) removable(op string, n *node) error {
	if n.target.Kind != levels.Entry {
		if n.path == "" || n.dir {
			return fail(op, n.path, syscall.EBUSY)
		}
		return fail(op, n.path, syscall.EACCES)
	}
	if err := v.writable(op, n.path); err != nil {
		return err
	}
	return v.need(op, n.path, n.target, levels.Delete)
}

// removeFailed: a version that the remover did not know of is not removed.
func (v *FS) removeFailed(op, path string, err error) error {
	if isVersionGone(err) {
		return errors.Join(fail(op, path, syscall.ESTALE), err)
	}
	return refused(op, path, err)
}

// Rmdir removes an empty directory. Whether it is empty is asked of the store:
// what others put there meanwhile is never lost.
func (v *FS) Rmdir(ctx context.Context, path string) error {
	const op = "rmdir"
	n, err := v.find(ctx, op, path)
	if err != nil {
		return err
	}
	if !n.dir {
		return fail(op, path, syscall.ENOTDIR)
	}
	if err := v.removable(op, &n); err != nil {
		return err
	}
	if err := v.vacant(ctx, op, &n); err != nil {
		return err
	}
	return v.removeDir(ctx, op, &n)
}

// removeDir removes the marker of a directory that is known to be empty.
func (v *FS) removeDir(ctx context.Context, op string, n *node) error {
	dir := n.target.DirPrefix()
	if err := v.up.Rmdir(ctx, n.target.DirKey(), v.markerBase(n)); err != nil {
		return v.removeFailed(op, n.path, err)
	}
	v.unlinked(dir)
	v.dirGone(dir)
	v.dirs.Remove(dir)
	v.blind.Remove(dir)
	v.touch(n.target.Parent)
	return nil
}

// markerBase is what is known of a directory's marker.
func (v *FS) markerBase(n *node) uploader.Base {
	if n.info != nil {
		return n.info.Base
	}
	facts, _ := v.dirs.Get(n.target.DirPrefix())
	if facts.marker && facts.obj.ETag != "" {
		return uploader.Base{State: uploader.Present, ETag: facts.obj.ETag, ModTime: facts.obj.LastModified}
	}
	return uploader.Base{State: uploader.Unknown}
}

// vacant gives ENOTEMPTY for a directory with anything in it: pending, or in
// the store and not about to be removed. A level that can not be listed can not prove
// that a directory is empty: EACCES.
func (v *FS) vacant(ctx context.Context, op string, n *node) error {
	dir := n.target.DirPrefix()
	for _, info := range v.up.Children(dir) {
		if info.Kind == uploader.KindFile || info.Kind == uploader.KindDir {
			return fail(op, n.path, syscall.ENOTEMPTY)
		}
	}
	if err := v.need(op, n.path, n.target, levels.List); err != nil {
		return err
	}
	// What was removed while a listing was under way is told apart, but not what a crash has made nobody's: only a second
	// one that shows it still is a proof.
	for range 2 {
		empty, err := v.onlyTombstones(ctx, dir)
		switch {
		case err != nil:
			return wrap(op, n.path, err)
		case empty:
			return nil
		}
	}
	return fail(op, n.path, syscall.ENOTEMPTY)
}

// onlyTombstones: all that the store has below dir is about to be removed.
func (v *FS) onlyTombstones(ctx context.Context, dir string) (bool, error) {
	return v.listing.Vacated(ctx, dir, v.removing, func(ctx context.Context) error {
		_, err := v.up.AwaitEvents(ctx, strings.TrimSuffix(dir, "/"))
		return err
	})
}

// removing: a key of the store has been removed here, and the store does not know yet.
func (v *FS) removing(key string) bool {
	name, marker := strings.CutSuffix(key, "/")
	info, _ := v.up.Lookup(name)
	if marker {
		return info.DirGone
	}
	return info.FileGone
}
