package vfs

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"syscall"
	"time"

	"github.com/s3levelfs/s3levelfs/fs/vfs/listing"
	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// node is what a path stands for at one moment: the answer of the overlay.
type node struct {
	path   string
	target levels.Target
	dir    bool
	link   bool           // protected/me
	own    bool           // info is that of an open file: its bytes are here, pending or not
	info   *uploader.Info // what is pending; nil = nothing
	obj    *store.Object  // stored version of a file; nil = none known
	until  time.Time      // how long the answer holds
	since  uint64         // when the search began, by inodes.now
	ticket uint64         // the same by crossings.now
	born   uint64         // of a file that this mount makes: the uploader's last operation before
}

// key is the object's key of a file, the marker's of a directory.
func (n *node) key() string {
	if n.dir {
		return n.target.DirPrefix()
	}
	return n.target.Key
}

// ikey is the name in the inode table. What has no key of its own goes by its
// path behind a byte that no key begins with.
func (n *node) ikey() string {
	if n.target.Kind == levels.Entry {
		return n.key()
	}
	return "\x00" + n.path
}

// pending: the bytes are this mount's, not yet in the store.
func (n *node) pending() bool {
	return n.info != nil && n.info.Kind == uploader.KindFile && !n.moving() && (n.own || !settled(*n.info))
}

// moving: the name is the target of a copy that has not ended; obj is the source.
func (n *node) moving() bool {
	return n.info != nil && n.info.State == uploader.StateMoving && n.info.Source.Key != ""
}

// base is what an operation on the node builds on, where nothing is pending: of what
// was pending when it was found the uploader knows better, or it has been
// committed meanwhile, and is found again.
func (n *node) base() uploader.Base {
	switch {
	case n == nil:
		return uploader.Base{State: uploader.Absent}
	case n.pending(), n.moving():
		return uploader.Base{State: uploader.Pending}
	case n.obj != nil:
		return uploader.Base{
			State: uploader.Present, ETag: n.obj.ETag, Size: n.obj.Size,
			ModTime: n.obj.LastModified, Headers: n.obj.Headers,
		}
	case n.info != nil:
		return n.info.Base
	}
	return uploader.Base{State: uploader.Unknown}
}

// resolve asks the policy and gives its refusals their numbers.
func (v *FS) resolve(op, path string) (levels.Target, error) {
	t, err := v.policy.Resolve(path)
	switch {
	case err == nil:
		return t, nil
	case errors.Is(err, levels.ErrNameTooLong):
		return t, fail(op, path, syscall.ENAMETOOLONG)
	case errors.Is(err, fs.ErrInvalid):
		return t, fail(op, path, syscall.ENOENT) // a name that no key has: nothing can be there
	case errors.Is(err, fs.ErrPermission):
		return t, fail(op, path, syscall.EACCES)
	}
	return t, fail(op, path, syscall.ENOENT)
}

// find gives the node at path, or an error that carries ENOENT. With ENOENT the
// node's until says how long the absence holds.
func (v *FS) find(ctx context.Context, op, path string) (node, error) {
	t, err := v.resolve(op, path)
	if err != nil {
		return node{path: path}, err
	}
	return v.findTarget(ctx, op, path, t)
}

func (v *FS) findTarget(ctx context.Context, op, path string, t levels.Target) (node, error) {
	n := node{path: path, target: t, since: v.inodes.now(), ticket: v.crossings.now()}
	switch t.Kind {
	case levels.Synthetic, levels.Dir:
		n.dir, n.until = true, v.fixedUntil()
		return n, nil
	case levels.Symlink:
		n.link, n.until = true, v.fixedUntil()
		return n, nil
	case levels.Entry:
	}
	for {
		if v.overlay(&n) {
			return n, nil
		}
		// What was committed or removed before is on its way to the listing: so a mount always reads its own writes.
		told, err := v.up.AwaitEvents(ctx, t.DirKey())
		if err != nil {
			return n, wrap(op, path, err)
		}
		if !told {
			break
		}
	}
	if !t.Grants.Has(levels.List) {
		return n, v.findBlind(ctx, op, &n)
	}
	entries, fresh, err := v.listing.Lookup(ctx, t.Parent, t.Name)
	if err == nil && hasDir(entries) && v.checkGone(t.DirPrefix()) {
		v.listing.Forget(t.Parent)
		entries, fresh, err = v.listing.Lookup(ctx, t.Parent, t.Name)
	}
	if err != nil {
		return n, wrap(op, path, err)
	}
	n.until = fresh.Until
	if !choose(&n, slices.DeleteFunc(entries, func(e listing.Entry) bool { return e.Dir && v.hidden(n.info, t.DirPrefix()) })) {
		return n, fail(op, path, syscall.ENOENT)
	}
	return n, nil
}

// fixedUntil is the end of what the policy alone decides.
func (v *FS) fixedUntil() time.Time { return time.Now().Add(v.cfg.AttrTTL) }

// overlay answers from what is pending, without the store. It reports
// whether that settles the matter; a tombstone or pending headers leave the rest
// to the listing.
func (v *FS) overlay(n *node) bool {
	n.info = nil
	info, ok := v.up.Lookup(n.target.DirKey())
	if n.target.Beside { // the store has both: all that matters is which of them it is about to lose
		if ok && (info.FileGone || info.DirGone) {
			n.info = &info
		}
		return false
	}
	if !ok || settled(info) {
		return false
	}
	n.info = &info
	switch info.Kind {
	case uploader.KindFile:
		if n.moving() {
			n.obj = sourceOf(&info)
		}
		n.until = v.fixedUntil()
		return true
	case uploader.KindDir:
		n.dir, n.until = true, v.fixedUntil()
		return true
	case uploader.KindTombstone, uploader.KindAttr:
	}
	return false
}

// settled: an open file whose bytes are all in the store. The listing tells whether they
// are still what is there.
func settled(info uploader.Info) bool {
	return info.Kind == uploader.KindFile && info.State == uploader.StateClean
}

// sourceOf is the object that a file under way is still read from.
func sourceOf(info *uploader.Info) *store.Object {
	return &store.Object{
		Key: info.Source.Key, ETag: info.Source.ETag, Size: info.Size,
		LastModified: info.ModTime, Headers: &info.Headers,
	}
}

// choose picks the entry that the name denotes among a file and a directory
// of the same key element: the directory has the name, the file its beside-name.
func choose(n *node, entries []listing.Entry) bool {
	var file, dir *listing.Entry
	for i := range entries {
		switch e := &entries[i]; {
		case e.Dir:
			dir = e
		case !fileGone(n.info):
			file = e
		}
	}
	switch {
	case n.target.Beside:
		if dir == nil {
			return false
		}
	case dir != nil:
		n.dir, n.info = true, nil
		return true
	}
	if file == nil {
		return false
	}
	n.obj = &file.Object
	return true
}

// findBlind looks where nothing can be listed: what this mount wrote itself is
// known; else a HEAD tells, where it is granted. A refused HEAD says nothing
// (AWS answers 403 for an absent key too): it may still be a directory, whose marker
// is there; else, where names may be created, the name is taken as free, since the
// conditional PUT decides, and elsewhere it is EACCES.
func (v *FS) findBlind(ctx context.Context, op string, n *node) error {
	t := n.target
	n.until = time.Now().Add(v.cfg.MetadataTTL)
	if fileGone(n.info) {
		return fail(op, n.path, syscall.ENOENT)
	}
	if _, ok := v.blind.Get(t.DirPrefix()); ok {
		n.dir = true
		return nil
	}
	if obj, ok := v.blind.Get(t.Key); ok && !t.Grants.Has(levels.Get) {
		n.obj = &obj
		return nil
	}
	if !t.Grants.Has(levels.Get) {
		return fail(op, n.path, syscall.ENOENT)
	}
	obj, err := v.store.Head(ctx, t.Key, store.Cond{})
	switch {
	case err == nil:
		v.attrs.Put(obj)
		n.obj = &obj
		return nil
	case errors.Is(err, store.ErrNotExist):
		return v.findBlindDir(ctx, op, n)
	case !errors.Is(err, store.ErrPermission):
		return wrap(op, n.path, err)
	}
	err = v.findBlindDir(ctx, op, n)
	if isAbsent(err) && !t.Grants.Has(levels.Put) {
		return fail(op, n.path, syscall.EACCES)
	}
	return err
}

// findBlindDir asks for the marker of a directory: only those with one can be
// found without a listing.
func (v *FS) findBlindDir(ctx context.Context, op string, n *node) error {
	_, err := v.store.Head(ctx, n.target.DirPrefix(), store.Cond{})
	switch {
	case err == nil:
		n.dir = true
		return nil
	case errors.Is(err, store.ErrNotExist), errors.Is(err, store.ErrPermission):
		return fail(op, n.path, syscall.ENOENT)
	}
	return wrap(op, n.path, err)
}
