package fs

import (
	"context"
	"errors"
	"syscall"

	gofs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3levelfs/s3levelfs/fs/vfs"
)

var (
	_ gofs.NodeOpener         = (*node)(nil)
	_ gofs.NodeCreater        = (*node)(nil)
	_ gofs.NodeReadlinker     = (*node)(nil)
	_ gofs.NodeCopyFileRanger = (*node)(nil)
)

// kernelFlags are the open flags that the kernel carries out itself. It turns
// O_APPEND into offsets, under its own lock of the inode, so that appends of all
// programs on this mount are atomic; and it writes dirty pages of a map through
// any handle, at their own offsets: a handle that appended would misplace them.
const kernelFlags = syscall.O_APPEND

// Open opens the node's file. Where the name stands for another version by now, which somebody else has
// written, the answer is ESTALE, and the kernel opens that one's node.
func (n *node) Open(ctx context.Context, flags uint32) (gofs.FileHandle, uint32, syscall.Errno) {
	release := func() {}
	if flags&syscall.O_TRUNC != 0 {
		ctx = context.WithoutCancel(ctx)
	} else {
		ctx, release = n.mount.patient(ctx)
	}
	defer release()
	h, err := n.openOwn(ctx, flags)
	switch {
	case errors.Is(err, errNameless):
		return n.openSuccessor(ctx, flags)
	case err != nil:
		return nil, 0, n.errno("open", err)
	}
	switch f := n.newFile(h); {
	case !n.is(h.Ino(), h.Gen()):
		return n.successor(ctx, f)
	case h.KeepCache():
		return f, fuse.FOPEN_KEEP_CACHE | f.openFlags(), 0
	default:
		return f, f.openFlags(), 0
	}
}

// openFlags spares a round trip at close(2): a handle that changes nothing has nothing to flush. It is called before the kernel
// knows of f.
func (f *file) openFlags() uint32 {
	if f.handle.Changes() {
		return 0
	}
	return fuse.FOPEN_NOFLUSH
}

// openOwn opens what the node's name stands for. Where that is another file by now, which a program on this mount has
// put there since the kernel looked the name up, the node's own file is opened if it can be had: under the name that it has
// got, or, without one, for readers as long as somebody has it open. It is as if the open had been a little earlier.
func (n *node) openOwn(ctx context.Context, flags uint32) (h *vfs.Handle, err error) {
	var at string
	open := func(path string) (err error) {
		at = path
		h, err = n.mount.vfs.OpenIf(ctx, path, flags&^kernelFlags, n.accepts(ctx))
		return err
	}
	id := n.StableAttr()
	for err = n.moved(errNameless, open); err != nil || !n.is(h.Ino(), h.Gen()); err = open(at) {
		now := n.mount.vfs.Now(id.Ino, id.Gen)
		switch {
		case err == nil && h.Ino() == id.Ino:
			return h, nil // a newer version of somebody else's
		case now == "" || now == at:
			own := n.mount.vfs.Reopen(id.Ino, id.Gen, flags&^kernelFlags)
			if own == nil {
				return h, err
			}
			n.discard(ctx, h, err)
			return own, nil
		}
		n.discard(ctx, h, err)
		at = now
	}
	return h, nil
}

// discard gives a handle back, if there is one: it is not the answer, whatever its release says.
func (n *node) discard(ctx context.Context, h *vfs.Handle, err error) {
	if err == nil {
		_ = h.Release(context.WithoutCancel(ctx))
	}
}

// openSuccessor opens what has taken the name of a node that has none any more.
func (n *node) openSuccessor(ctx context.Context, flags uint32) (gofs.FileHandle, uint32, syscall.Errno) {
	at := n.last.Load()
	if at == nil || n.isOpen(ctx) {
		return nil, 0, syscall.ESTALE
	}
	path, errno := at.dir.in(at.name)
	if errno != 0 {
		return nil, 0, errno
	}
	h, err := n.mount.vfs.OpenIf(ctx, path, flags&^kernelFlags, n.accepts(ctx))
	if err != nil {
		return nil, 0, n.mount.errno("open", path, err)
	}
	return n.successor(ctx, n.newFile(h))
}

// successor judges f, opened by the node's name, which another file has taken: a
// program on this mount renamed that one over it, or removed this one, between
// the kernel's lookup and its open. A reader of a file that is replaced atomically,
// again and again, must not see an error from that; ESTALE would make the
// kernel look the name up again, but only once. The node is the old file's, so the
// new one's bytes may not enter its page cache: direct I/O.
//
// A node that is still open somewhere may have been opened by way of its descriptor
// (/proc/self/fd), and has pages and a size of its own, which the kernel would take from any of its handles: another file
// would be the wrong answer to that. That is for writers; readers have got the file itself.
func (n *node) successor(ctx context.Context, f *file) (gofs.FileHandle, uint32, syscall.Errno) {
	a, errno := n.attr(ctx, f)
	switch {
	case errno != 0:
	case a.Ino == n.StableAttr().Ino:
		errno = syscall.ESTALE // a newer version
	case n.isOpen(ctx):
		errno = syscall.ESTALE
	case a.Mode&syscall.S_IFMT != syscall.S_IFREG:
		errno = syscall.ELOOP // a symlink now, which only the kernel follows
	default:
		return f, fuse.FOPEN_DIRECT_IO | f.openFlags(), 0
	}
	_ = f.Release(ctx) // the answer is another error already
	return nil, 0, errno
}

// accepts refuses, before O_TRUNC empties it, what an open of this node would refuse afterwards.
func (n *node) accepts(ctx context.Context) func(vfs.Attr) error {
	return func(a vfs.Attr) error {
		id := n.StableAttr()
		switch {
		case a.Ino == id.Ino && a.Gen == id.Gen:
			return nil
		case a.Ino == id.Ino, n.isOpen(ctx):
			return syscall.ESTALE
		case a.Mode&syscall.S_IFMT != syscall.S_IFREG:
			return syscall.ELOOP
		}
		return nil
	}
}

// isOpen tells whether somebody has the node's own file open, named or not.
func (n *node) isOpen(ctx context.Context) bool {
	a, err := n.mount.vfs.Stat(ctx, n.ref())
	return err == nil && a.Ino == n.StableAttr().Ino
}

// Create makes a file and opens it.
func (n *node) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut,
) (*gofs.Inode, gofs.FileHandle, uint32, syscall.Errno) {
	var h *vfs.Handle
	inode, errno := n.made(ctx, "create", name, out, func(ctx context.Context, path string) (a vfs.Attr, err error) {
		h, a, err = n.mount.vfs.Create(ctx, path, flags&^kernelFlags, mode)
		return a, err
	})
	if errno != 0 {
		return nil, nil, 0, errno
	}
	return inode, n.newFile(h), 0, 0
}

// Readlink reads a symlink's target. One that was removed, or replaced by a file,
// keeps the target it had.
func (n *node) Readlink(ctx context.Context) ([]byte, syscall.Errno) {
	ctx, release := n.mount.patient(ctx)
	defer release()
	target, err := n.mount.vfs.Readlink(ctx, n.ref())
	if err != nil {
		last := n.target.Load()
		if last != nil && (errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.EINVAL)) {
			return []byte(*last), 0
		}
		return nil, n.errno("readlink", err)
	}
	n.target.Store(&target)
	return []byte(target), 0
}

// CopyFileRange tells the kernel, once for the mount, to copy by reading and
// writing.
func (n *node) CopyFileRange(context.Context, gofs.FileHandle, uint64, *gofs.Inode, gofs.FileHandle, uint64, uint64, uint64,
) (uint32, syscall.Errno) {
	return 0, syscall.ENOSYS
}
