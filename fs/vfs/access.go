package vfs

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"syscall"

	"github.com/s3levelfs/s3levelfs/levels"
)

// Bits of access(2)'s mask.
const (
	maskRead    = 4
	maskWrite   = 2
	maskExecute = 1
)

// need refuses with EACCES what the level does not grant, before any request.
func (v *FS) need(op, path string, t levels.Target, want levels.Perm) error {
	if t.Kind == levels.Symlink || t.Kind == levels.Synthetic {
		if want.Any(levels.Put | levels.Delete) {
			return fail(op, path, syscall.EACCES)
		}
		return nil
	}
	if !t.Grants.Has(want) {
		return fail(op, path, syscall.EACCES)
	}
	return nil
}

// writable refuses every change of a read-only mount.
func (v *FS) writable(op, path string) error {
	if v.cfg.ReadOnly {
		return fail(op, path, syscall.EROFS)
	}
	return nil
}

// makable resolves the path of something that is about to be made: an entry of
// a level that grants Put, with a name that this program may write.
func (v *FS) makable(op, path string) (levels.Target, error) {
	t, err := v.resolve(op, path)
	switch {
	case isAbsent(err) && v.inFixed(path):
		return t, fail(op, path, syscall.EACCES) // the directory is there, but the name is not to be had in it
	case err != nil:
		return t, err
	}
	if t.Kind != levels.Entry {
		return t, nil // it exists; the caller's find says so
	}
	if err := v.writable(op, path); err != nil {
		return t, err
	}
	return t, v.need(op, path, t, levels.Put)
}

// inFixed tells whether a path is in a directory that is there whatever is stored: the root, where only the policy makes
// entries, or a level, which hides names that are another's.
func (v *FS) inFixed(path string) bool {
	if _, err := v.policy.Resolve(path); !errors.Is(err, fs.ErrNotExist) {
		return false // no key has such a name
	}
	parent, err := v.policy.Resolve(path[:max(0, strings.LastIndexByte(path, '/'))])
	return err == nil && (parent.Kind == levels.Synthetic || parent.Kind == levels.Dir)
}

// Access answers access(2) for the mount's user: what the level grants and the
// mode says. The mask's X_OK on a directory is the right to look up names.
func (v *FS) Access(ctx context.Context, r Ref, mask uint32) error {
	n, of, err := v.byRef(ctx, "access", r)
	if err != nil || of != nil {
		return err
	}
	if mask&maskWrite != 0 && v.cfg.ReadOnly {
		return fail("access", r.Path, syscall.EROFS)
	}
	if n.link {
		return nil
	}
	have := n.target.Mode(n.dir) >> 6
	if !n.dir && mask&maskExecute != 0 {
		a, err := v.attr(ctx, &n, true)
		if err != nil {
			return err
		}
		if a.Mode&0o111 != 0 {
			have |= maskExecute
		}
	}
	if mask&^have&(maskRead|maskWrite|maskExecute) != 0 {
		return fail("access", r.Path, syscall.EACCES)
	}
	return nil
}
