package fs

import (
	"context"
	"errors"
	"syscall"
	"time"

	gofs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3levelfs/s3levelfs/fs/vfs"
)

var (
	_ gofs.NodeLookuper       = (*node)(nil)
	_ gofs.NodeOpendirHandler = (*node)(nil)
	_ gofs.NodeMkdirer        = (*node)(nil)
	_ gofs.NodeMknoder        = (*node)(nil)
	_ gofs.NodeSymlinker      = (*node)(nil)
	_ gofs.NodeLinker         = (*node)(nil)
	_ gofs.NodeUnlinker       = (*node)(nil)
	_ gofs.NodeRmdirer        = (*node)(nil)
	_ gofs.NodeRenamer        = (*node)(nil)
	_ gofs.NodeTmpfiler       = (*node)(nil)
)

// Lookup finds an entry of the directory. With ENOENT the entry timeout is how
// long vfs believes that; see [negative].
func (n *node) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*gofs.Inode, syscall.Errno) {
	n.begin()
	defer n.end()
	ctx, release := n.mount.patient(ctx)
	defer release()
	var a vfs.Attr
	err := n.moved(syscall.ENOENT, func(dir string) (err error) {
		a, err = n.mount.vfs.Lookup(ctx, join(dir, name))
		return err
	})
	if err != nil {
		if errors.Is(err, syscall.ENOENT) {
			out.SetEntryTimeout(a.TTL)
		}
		return nil, n.mount.errno("lookup", join(n.label(), name), err)
	}
	fillEntry(out, a)
	return n.child(ctx, name, a), 0
}

// made is the end of every call that makes an entry.
func (n *node) made(ctx context.Context, op, name string, out *fuse.EntryOut,
	run func(ctx context.Context, path string) (vfs.Attr, error),
) (*gofs.Inode, syscall.Errno) {
	n.begin()
	defer n.end()
	path, errno := n.in(name)
	if errno != 0 {
		return nil, errno
	}
	ctx = context.WithoutCancel(ctx)
	defer n.cached.changed()
	a, err := run(ctx, path)
	if err != nil {
		return nil, n.mount.errno(op, path, err)
	}
	fillEntry(out, a)
	return n.child(ctx, name, a), 0
}

// Mkdir makes a directory.
func (n *node) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*gofs.Inode, syscall.Errno) {
	return n.made(ctx, "mkdir", name, out, func(ctx context.Context, path string) (vfs.Attr, error) {
		return n.mount.vfs.Mkdir(ctx, path, mode)
	})
}

// Mknod makes a regular file; vfs refuses devices, pipes and sockets.
func (n *node) Mknod(ctx context.Context, name string, mode, _ uint32, out *fuse.EntryOut) (*gofs.Inode, syscall.Errno) {
	return n.made(ctx, "mknod", name, out, func(ctx context.Context, path string) (vfs.Attr, error) {
		return n.mount.vfs.Mknod(ctx, path, mode)
	})
}

// Symlink makes a symbolic link.
func (n *node) Symlink(ctx context.Context, target, name string, out *fuse.EntryOut) (*gofs.Inode, syscall.Errno) {
	inode, errno := n.made(ctx, "symlink", name, out, func(ctx context.Context, path string) (vfs.Attr, error) {
		return n.mount.vfs.Symlink(ctx, target, path)
	})
	if errno == 0 {
		if link, ok := inode.Operations().(*node); ok {
			link.target.Store(&target)
		}
	}
	return inode, errno
}

// Link is refused: an object has one name.
func (n *node) Link(ctx context.Context, target gofs.InodeEmbedder, name string, _ *fuse.EntryOut) (*gofs.Inode, syscall.Errno) {
	from, ok := target.(*node)
	if !ok {
		return nil, syscall.EXDEV
	}
	path, errno := n.in(name)
	if errno != 0 {
		return nil, errno
	}
	errno = n.mount.errno("link", path, n.mount.vfs.Link(context.WithoutCancel(ctx), from.ref().Path, path))
	if errno == 0 {
		errno = syscall.EPERM // vfs has no links: there is no node to answer with
	}
	return nil, errno
}

// Tmpfile tells the kernel, once for the mount, that O_TMPFILE is not supported:
// programs get EOPNOTSUPP.
func (n *node) Tmpfile(context.Context, uint32, uint32, *fuse.EntryOut) (*gofs.Inode, gofs.FileHandle, uint32, syscall.Errno) {
	return nil, nil, 0, syscall.ENOSYS
}

// Unlink removes a file or symlink.
func (n *node) Unlink(ctx context.Context, name string) syscall.Errno {
	return n.gone("unlink", name, func(path string) error {
		return n.mount.vfs.Unlink(context.WithoutCancel(ctx), path)
	})
}

// Rmdir removes an empty directory.
func (n *node) Rmdir(ctx context.Context, name string) syscall.Errno {
	return n.gone("rmdir", name, func(path string) error {
		return n.mount.vfs.Rmdir(context.WithoutCancel(ctx), path)
	})
}

// gone is the frame of the two removing calls.
func (n *node) gone(op, name string, run func(path string) error) syscall.Errno {
	n.begin()
	defer n.end()
	path, errno := n.in(name)
	if errno != 0 {
		return errno
	}
	defer n.cached.changed()
	return n.mount.errno(op, path, run(path))
}

// Rename renames within the mount; flags are those of renameat2(2), judged by vfs.
func (n *node) Rename(ctx context.Context, name string, newParent gofs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	to, ok := newParent.(*node)
	if !ok {
		return syscall.EXDEV
	}
	n.begin()
	defer n.end()
	to.begin()
	defer to.end()
	defer n.cached.changed()
	defer to.cached.changed()
	oldPath, errno := n.in(name)
	if errno != 0 {
		return errno
	}
	newPath, errno := to.in(newName)
	if errno != 0 {
		return errno
	}
	if err := n.mount.vfs.Rename(context.WithoutCancel(ctx), oldPath, newPath, flags); err != nil {
		return n.mount.errno("rename", oldPath, err)
	}
	if child := n.GetChild(name); child != nil {
		if moved, ok := child.Operations().(*node); ok {
			moved.last.Store(&place{dir: to, name: newName})
		}
	}
	return 0
}

// OpendirHandle opens a directory stream. The right to list is asked here, the
// entries only when they are read: an fsync of a directory opens it too.
func (n *node) OpendirHandle(ctx context.Context, _ uint32) (gofs.FileHandle, uint32, syscall.Errno) {
	ctx, release := n.mount.patient(ctx)
	defer release()
	const read = 4 // R_OK
	if err := n.mount.vfs.Access(ctx, n.ref(), read); err != nil {
		return nil, 0, n.errno("opendir", err)
	}
	flags, base := n.cached.open(time.Now())
	if flags == fuse.FOPEN_CACHE_DIR {
		// Without FOPEN_KEEP_CACHE the kernel was seen (Linux 6.18) to go on with the names that it has. No request is waited for
		// with a directory's pages locked: this is no notice that could wait for an operation.
		const everything = 0
		_ = n.NotifyContent(0, everything) // a kernel that does not know the node has nothing to drop
	}
	return &dir{node: n, caches: flags != 0, base: base}, flags, 0
}
