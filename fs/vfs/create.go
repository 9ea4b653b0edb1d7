package vfs

import (
	"context"
	"errors"
	"strings"
	"syscall"

	"github.com/s3levelfs/s3levelfs/fs/vfs/attrs"
	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// Create makes a file and opens it; without O_EXCL it opens one that is there.
func (v *FS) Create(ctx context.Context, path string, flags, mode uint32) (*Handle, Attr, error) {
	const op = "create"
	t, err := v.makable(op, path)
	if err != nil {
		return nil, Attr{}, err
	}
	n, err := v.findTarget(ctx, op, path, t)
	var h *Handle
	switch {
	case err == nil && flags&syscall.O_EXCL != 0:
		return nil, Attr{}, fail(op, path, syscall.EEXIST)
	case err == nil:
		h, err = v.openNode(ctx, &n, flags, nil)
	case isAbsent(err):
		h, err = v.createNew(ctx, &n, flags, mode)
	}
	if err != nil {
		return nil, Attr{}, err
	}
	n.until = v.fixedUntil()
	a, err := h.Stat(ctx)
	if err != nil {
		return nil, Attr{}, errors.Join(err, h.Release(ctx))
	}
	v.known(h.of)
	return h, a, nil
}

// createNew opens a file that is not there.
func (v *FS) createNew(ctx context.Context, n *node, flags, mode uint32) (*Handle, error) {
	headers, err := v.newHeaders(n.target, mode)
	if err != nil {
		return nil, wrap("create", n.path, err)
	}
	return v.createWith(ctx, n, flags, headers)
}

// createWith opens a new file with these headers. In a level that can not be listed
// nobody knows whether something is there already.
func (v *FS) createWith(ctx context.Context, n *node, flags uint32, h store.Headers) (*Handle, error) {
	if err := v.roomFor("create", n); err != nil {
		return nil, err
	}
	readers := v.keeper(n.target.Key)
	if err := readers.keep(ctx); err != nil {
		return nil, wrap("create", n.path, err)
	}
	v.unlinked(n.target.Key) // who still reads a file of that name, which is gone, reads on without the name
	o := uploader.OpenOptions{Exclusive: flags&syscall.O_EXCL != 0, Truncate: true, Headers: h}
	if n.target.Grants.Any(levels.List | levels.Get) {
		o.Base.State = uploader.Absent
	}
	n.info, n.obj, n.born, n.ticket = nil, nil, v.up.LastOp(), v.crossings.now()
	handle, err := v.openWrite(ctx, n, flags, o)
	readers.done(err == nil)
	if err == nil {
		v.alive(n.target.Parent)
		v.touch(n.target.Parent)
	}
	return handle, err
}

// roomFor refuses a new name that this program may not write, and one below a
// file: a key and the same key with a slash never come from here.
func (v *FS) roomFor(op string, n *node) error {
	if n.target.Foreign {
		return fail(op, n.path, syscall.EINVAL)
	}
	if len(n.target.Key) > maxKey-1 && n.dir {
		return fail(op, n.path, syscall.ENAMETOOLONG)
	}
	above := strings.TrimSuffix(n.target.Parent, "/")
	parent, ok := v.up.Lookup(above)
	pending := ok && parent.Kind == uploader.KindFile
	if pending || v.inodes.live(above) != 0 && v.inodes.live(n.target.Parent) == 0 {
		return fail(op, n.path, syscall.ENOTDIR)
	}
	return nil
}

// newHeaders are those of a new file: the options of its key, and its mode, where that is not the one that the
// level gives anyway. The uploader adds the type that name and content tell.
func (v *FS) newHeaders(t levels.Target, mode uint32) (store.Headers, error) {
	h := v.cfg.Created(t.Key)
	if mode &= permMask; mode == t.Mode(false)&^v.cfg.Umask {
		return h, nil
	}
	p := attrs.Posix{Has: attrs.HasMode, Mode: attrs.TypeRegular | mode}
	return h, p.Encode(&h)
}

// known tells the inode table that the kernel holds the number of an open file.
func (v *FS) known(of *openFile) { v.inodes.keep(of.ino) }
