// Package files is a storage provider for s3levelfs that keeps objects as plain files: ROOT/data/KEY has an object's bytes, and its
// extended attribute user.s3levelfs-files what else there is to know of it. It registers itself under the name "files".
//
// Decisions:
//
//   - A file that is changed by another program is a new version: what the attribute says counts only while size and mtime are those that it
//     tells, else the ETag is made of both.
//   - Conditions are judged and files renamed into place under one lock, a flock of ROOT/lock, so that they hold among all programs that use
//     the provider on this machine.
//   - An object is written into ROOT/tmp and gets its name when it is whole. Nothing is synced before Sync, which s3levelfs calls before it
//     forgets its own copy.
//   - Keys that are no paths (empty elements, "." and "..") and a file beside a directory of its name are refused. A key that ends in a
//     slash is a directory: a marker without bytes.
package files

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/store"
)

// Name is what --provider calls it.
const Name = "files"

// Root is its only setting: the directory, an absolute path.
const Root = "root"

func init() { store.Register(Name, New) }

// Files is the provider. It has the seven methods, and beyond them conditions, descriptions for less than a Get, and a sync.
type Files struct {
	root *os.Root // ROOT: no key leads out of it, whatever links are in there
	lock *os.File
}

var (
	_ store.Provider     = (*Files)(nil)
	_ store.Conditional  = (*Files)(nil)
	_ store.Describer    = (*Files)(nil)
	_ store.Configurable = (*Files)(nil)
	_ store.Syncer       = (*Files)(nil)
)

// New makes one that is not configured yet.
func New() store.Provider { return &Files{} }

// ProviderName implements [store.Provider].
func (f *Files) ProviderName() string { return Name }

// Category implements [store.Provider].
func (f *Files) Category() string { return store.CategoryStorage }

// Settings implements [store.Configurable].
func (f *Files) Settings() []store.Setting {
	return []store.Setting{{Name: Root, Usage: "directory of the objects, an absolute path; made on first use", Required: true}}
}

// Configure implements [store.Provider].
func (f *Files) Configure(_ context.Context, o store.Options) error {
	root := o.Extra[Root]
	if !filepath.IsAbs(root) {
		return fmt.Errorf("root %q: must be an absolute path", root)
	}
	for _, dir := range []string{dataDir, tempDir} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o700); err != nil {
			return fmt.Errorf("root: %w", err)
		}
	}
	r, err := os.OpenRoot(root)
	if err != nil {
		return fmt.Errorf("root: %w", err)
	}
	lock, err := r.OpenFile("lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return errors.Join(fmt.Errorf("root: %w", err), r.Close())
	}
	f.root, f.lock = r, lock
	return nil
}

// Close implements [io.Closer]. No call may follow.
func (f *Files) Close() error { return errors.Join(f.root.Close(), f.lock.Close()) }

// Sync implements [store.Syncer]: what was stored survives a power loss.
func (f *Files) Sync(context.Context) error {
	if err := unix.Syncfs(int(f.lock.Fd())); err != nil {
		return os.NewSyscallError("syncfs", err)
	}
	return nil
}

// locked does something while no other writer, of whatever process, does. Each call opens the lock anew, because a flock belongs to the
// open file: two goroutines with the same one would not exclude each other.
func (f *Files) locked(do func() error) error {
	l, err := f.root.OpenFile("lock", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }() // which unlocks it
	for err = unix.EINTR; errors.Is(err, unix.EINTR); {
		err = unix.Flock(int(l.Fd()), unix.LOCK_EX)
	}
	if err != nil {
		return os.NewSyscallError("flock", err)
	}
	return do()
}
