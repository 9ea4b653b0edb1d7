package fs

import (
	"context"
	"syscall"

	gofs "github.com/hanwen/go-fuse/v2/fs"
)

var (
	_ gofs.NodeGetxattrer    = (*node)(nil)
	_ gofs.NodeSetxattrer    = (*node)(nil)
	_ gofs.NodeListxattrer   = (*node)(nil)
	_ gofs.NodeRemovexattrer = (*node)(nil)
)

// Getxattr copies the value into dest, or answers ERANGE with the size needed;
// go-fuse makes a mere question for the size of an empty dest.
func (n *node) Getxattr(ctx context.Context, attr string, dest []byte) (uint32, syscall.Errno) {
	ctx, release := n.mount.patient(ctx)
	defer release()
	value, err := n.mount.vfs.GetXattr(ctx, n.ref(), attr)
	if err != nil {
		return 0, n.errno("getxattr", err)
	}
	return copyOut(dest, value)
}

// Setxattr sets a value; flags are XATTR_CREATE and XATTR_REPLACE.
func (n *node) Setxattr(ctx context.Context, attr string, data []byte, flags uint32) syscall.Errno {
	return n.errno("setxattr", n.mount.vfs.SetXattr(context.WithoutCancel(ctx), n.ref(), attr, data, flags))
}

// Listxattr copies the names, each ended by a NUL.
func (n *node) Listxattr(ctx context.Context, dest []byte) (uint32, syscall.Errno) {
	ctx, release := n.mount.patient(ctx)
	defer release()
	names, err := n.mount.vfs.ListXattr(ctx, n.ref())
	if err != nil {
		return 0, n.errno("listxattr", err)
	}
	var list []byte
	for _, name := range names {
		list = append(append(list, name...), 0)
	}
	return copyOut(dest, list)
}

// Removexattr removes a value.
func (n *node) Removexattr(ctx context.Context, attr string) syscall.Errno {
	return n.errno("removexattr", n.mount.vfs.RemoveXattr(context.WithoutCancel(ctx), n.ref(), attr))
}

// copyOut is the size protocol of the two reading calls.
func copyOut(dest, value []byte) (uint32, syscall.Errno) {
	if len(dest) < len(value) {
		return uint32(len(value)), syscall.ERANGE
	}
	return uint32(copy(dest, value)), 0
}
