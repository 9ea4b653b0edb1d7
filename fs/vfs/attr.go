package vfs

import (
	"context"
	"errors"
	"strconv"
	"syscall"
	"time"

	"github.com/s3levelfs/s3levelfs/fs/vfs/attrs"
	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader"
)

const (
	permMask  = 0o7777
	blockUnit = 512 // bytes, of st_blocks
)

// exact says whether attributes at t come from headers (--attrs).
func (v *FS) exact(t levels.Target) bool {
	switch v.cfg.Attrs {
	case AttrsExact:
		return t.Grants.Has(levels.Get)
	case AttrsListing:
		return false
	case AttrsAuto:
	}
	return t.Level.Own() && t.Grants.Has(levels.Get)
}

// attr is the attributes of a node that the kernel is about to know. Where this mount has changed what the name
// stands for since it was found, they are those of what it stands for now: size and
// number must be of one file.
func (v *FS) attr(ctx context.Context, n *node, fetch bool) (Attr, error) {
	for {
		a, _, err := v.describe(ctx, n, fetch)
		if err != nil {
			return a, err
		}
		var stale bool
		if a.Ino, a.Gen, stale = v.number(n, true); !stale {
			return a, nil
		}
		if *n, err = v.find(ctx, "stat", n.path); err != nil {
			return Attr{TTL: max(0, time.Until(n.until))}, err
		}
	}
}

// number gives inode number and generation. known: the kernel will hold them. stale: they are of
// another version than n, which was found before this mount changed what the name stands for.
func (v *FS) number(n *node, known bool) (ino, gen uint64, stale bool) {
	if n.path == "" {
		return RootIno, 1, false
	}
	s := sighting{since: n.since, born: n.born, known: known}
	if n.stored() {
		s.version = versionOf(n.obj)
	}
	return v.inodes.look(n.ikey(), s)
}

// stored: what was found is a version of the store, under its own name.
func (n *node) stored() bool { return n.obj != nil && !n.pending() && !n.moving() && !n.dir }

// versionOf names the bytes of a stored object. Its size is part of the name: a server that looks at an object while it is being replaced
// (the embedded one does, seldom) tells the ETag of one version with the size of the other, and the kernel would show a file of
// the one size with the bytes of the other, zeros behind them.
func versionOf(o *store.Object) string {
	if o.ETag != "" {
		return o.ETag + " " + strconv.FormatInt(o.Size, 10)
	}
	return "modified:" + o.LastModified.UTC().Format(time.RFC3339Nano)
}

// describe fills in all but the numbers. With fetch, what must be asked of the
// store is asked; full tells that nothing more could be known.
func (v *FS) describe(ctx context.Context, n *node, fetch bool) (a Attr, full bool, err error) {
	a = Attr{UID: v.cfg.UID, GID: v.cfg.GID, Nlink: 1, TTL: max(0, time.Until(n.until))}
	switch {
	case n.link:
		a.Mode = syscall.S_IFLNK | 0o777
		a.Size = int64(len(n.target.Link))
		v.times(&a, v.started)
		return a, true, nil
	case n.dir:
		full, err = v.describeDir(ctx, n, fetch, &a)
		return a, full, err
	}
	p, full, err := v.posix(ctx, n, fetch)
	if err != nil {
		return a, false, err
	}
	a.Mode = syscall.S_IFREG | n.target.Mode(false)&^v.cfg.Umask
	a.Size, a.Version = v.fileSize(n)
	v.times(&a, v.modified(n))
	v.apply(&a, n.target, p)
	if p.Link != "" {
		a.Size = int64(len(p.Link))
	}
	a.Blocks = (a.Size + blockUnit - 1) / blockUnit
	return a, full, nil
}

// fileSize is the size in bytes and the identity of a file's content.
func (v *FS) fileSize(n *node) (size int64, version string) {
	if n.pending() {
		return n.info.Size, "local:" + n.info.Gen
	}
	return n.obj.Size, versionOf(n.obj)
}

// modified is the time of the last change as far as no header says it.
func (v *FS) modified(n *node) time.Time {
	if n.pending() {
		return n.info.ModTime
	}
	return n.obj.LastModified
}

// times sets all three from the modification time. The change time follows it,
// because nothing in the bucket keeps another one, and one that jumped at the end
// of an upload would make tar and git see a change.
func (v *FS) times(a *Attr, mod time.Time) {
	if mod.IsZero() {
		mod = v.started
	}
	a.Atime, a.Mtime, a.Ctime = mod, mod, mod
}

// apply lays what headers record over the defaults. Bits that the level
// does not grant to the mount's user are cleared: mode bits never promise what
// an open would refuse.
func (v *FS) apply(a *Attr, t levels.Target, p attrs.Posix) {
	if p.Has&attrs.HasMode != 0 {
		a.Mode = a.Mode&syscall.S_IFMT | v.granted(t, p.Mode&permMask, a.Mode&syscall.S_IFMT == syscall.S_IFDIR)
	}
	if p.Has&attrs.HasUID != 0 {
		a.UID = p.UID
	}
	if p.Has&attrs.HasGID != 0 {
		a.GID = p.GID
	}
	if !p.Mtime.IsZero() {
		v.times(a, p.Mtime)
	}
	if !p.Atime.IsZero() {
		a.Atime = p.Atime
	}
	if p.IsSymlink() {
		a.Mode = syscall.S_IFLNK | 0o777
	}
}

// granted clears the bits of mode that the level does not allow to anybody.
func (v *FS) granted(t levels.Target, mode uint32, dir bool) uint32 {
	most := t.Mode(dir) >> 6
	for shift := uint32(0); shift <= 6; shift += 3 {
		for _, bit := range []uint32{maskRead, maskWrite} {
			if most&bit == 0 {
				mode &^= bit << shift
			}
		}
	}
	return mode
}

// posix is what the headers of a file record.
func (v *FS) posix(ctx context.Context, n *node, fetch bool) (p attrs.Posix, full bool, err error) {
	if n.info != nil && !(n.obj == nil && !n.pending()) {
		o := store.Object{Size: n.info.Size, Headers: &n.info.Headers}
		if !n.pending() {
			o.Size = n.obj.Size
		}
		p := attrs.Decode(o)
		if v.rewritten(n) {
			p.Mtime = time.Time{}
		}
		return p, true, nil
	}
	if n.obj.Headers != nil {
		return attrs.Decode(*n.obj), true, nil
	}
	_, p, fresh, ok := v.attrs.Get(*n.obj)
	if fresh {
		return p, true, nil
	}
	// An empty object may be a symlink: its headers are asked for in every mode.
	if wanted := v.exact(n.target) || n.obj.Size == 0 && n.target.Grants.Has(levels.Get); !wanted {
		return p, true, nil
	}
	if !fetch {
		return p, false, nil
	}
	_, p, err = v.fetchHeaders(ctx, n)
	if err != nil && ok && !errors.Is(err, store.ErrChanged) && !isCancelled(err) {
		return p, false, nil // the last known ones, while the store does not answer
	}
	return p, err == nil, err
}

// rewritten: an open file has been written after the time in its headers, which the
// uploader brings up to date when the file is closed.
func (v *FS) rewritten(n *node) bool {
	if !n.pending() || n.info.State != uploader.StateOpen {
		return false
	}
	of := v.opened(n.target.Key)
	return of == nil || !of.timed.Load()
}

// fetchHeaders asks for the headers of a stored version. Where the version is
// gone the listing is asked once more: n is then what it says.
func (v *FS) fetchHeaders(ctx context.Context, n *node) (store.Headers, attrs.Posix, error) {
	h, p, err := v.attrs.Fetch(ctx, *n.obj)
	if !isVersionGone(err) && !errors.Is(err, store.ErrPermission) {
		return h, p, wrap("stat", n.path, err)
	}
	again, err2 := v.refind(ctx, "stat", n.path)
	switch {
	case err2 != nil:
		return h, p, err2
	case again.dir || again.obj == nil || versionOf(again.obj) == versionOf(n.obj):
		if again.pending() {
			*n = again
			return again.info.Headers, attrs.Decode(store.Object{Size: again.info.Size, Headers: &again.info.Headers}), nil
		}
		return h, p, wrap("stat", n.path, err)
	}
	*n = again
	h, p, err = v.attrs.Fetch(ctx, *n.obj)
	return h, p, wrap("stat", n.path, err)
}

// refind finds a path anew, without the listing that turned out to be old.
func (v *FS) refind(ctx context.Context, op, path string) (node, error) {
	t, err := v.resolve(op, path)
	if err != nil {
		return node{}, err
	}
	if t.Kind == levels.Entry {
		v.listing.Forget(t.Parent)
	}
	return v.findTarget(ctx, op, path, t)
}
