package fs

import (
	"context"
	"syscall"

	gofs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3levelfs/s3levelfs/fs/vfs"
)

var (
	_ gofs.NodeGetattrer   = (*node)(nil)
	_ gofs.NodeSetattrer   = (*node)(nil)
	_ gofs.NodeAccesser    = (*node)(nil)
	_ gofs.NodeStatfser    = (*node)(nil)
	_ gofs.NodeOnForgetter = (*node)(nil)
)

// blockSize is st_blksize, bytes: what stdio libraries take as their buffer.
const blockSize = 4096

// fillAttr writes a into the kernel's form.
func fillAttr(out *fuse.Attr, a vfs.Attr) {
	out.Ino = a.Ino
	out.Mode = a.Mode
	out.Nlink = a.Nlink
	out.Owner = fuse.Owner{Uid: a.UID, Gid: a.GID}
	out.Size = uint64(a.Size)
	out.Blocks = uint64(a.Blocks)
	out.Blksize = blockSize
	out.SetTimes(&a.Atime, &a.Mtime, &a.Ctime)
}

// fillEntry writes a into the answer of a lookup; entry and attributes are
// believed equally long.
func fillEntry(out *fuse.EntryOut, a vfs.Attr) {
	fillAttr(&out.Attr, a)
	out.SetEntryTimeout(a.TTL)
	out.SetAttrTimeout(a.TTL)
}

// Getattr answers stat and fstat. go-fuse passes any open handle of the node:
// it knows the version that was opened, and that of an unlinked file.
func (n *node) Getattr(ctx context.Context, f gofs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	ctx, release := n.mount.patient(ctx)
	defer release()
	a, errno := n.attr(ctx, f)
	if errno != 0 {
		return errno
	}
	fillAttr(&out.Attr, a)
	out.SetTimeout(a.TTL)
	return 0
}

// attr is the node's attributes, by way of the handle if there is one.
func (n *node) attr(ctx context.Context, f gofs.FileHandle) (vfs.Attr, syscall.Errno) {
	var a vfs.Attr
	if h, ok := f.(*file); ok {
		errno := h.with("stat", func(v *vfs.Handle) (err error) {
			a, err = v.Stat(ctx)
			return err
		})
		return a, errno
	}
	a, err := n.mount.vfs.Stat(ctx, n.ref())
	if err != nil {
		return a, n.errno("stat", err)
	}
	if !n.is(a.Ino, a.Gen) {
		return a, syscall.ESTALE
	}
	return a, 0
}

// Setattr is chmod, chown, truncate, utimens and their forms on descriptors.
func (n *node) Setattr(ctx context.Context, f gofs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	ctx = context.WithoutCancel(ctx)
	change := changeOf(in)
	var a vfs.Attr
	if h, ok := f.(*file); ok {
		errno := h.with("setattr", func(v *vfs.Handle) (err error) {
			a, err = v.SetAttr(ctx, change)
			return err
		})
		if errno != 0 {
			return errno
		}
	} else {
		var err error
		if a, err = n.mount.vfs.SetAttr(ctx, n.ref(), change); err != nil {
			return n.errno("setattr", err)
		}
		if !n.is(a.Ino, a.Gen) { // the name is another file's now, whose size is not this node's
			return syscall.ESTALE
		}
	}
	fillAttr(&out.Attr, a)
	out.Ino = n.StableAttr().Ino
	out.SetTimeout(a.TTL)
	return 0
}

// changeOf reads what the kernel wants changed.
func changeOf(in *fuse.SetAttrIn) vfs.SetAttr {
	var s vfs.SetAttr
	if mode, ok := in.GetMode(); ok {
		s.Mode = &mode
	}
	if uid, ok := in.GetUID(); ok {
		s.UID = &uid
	}
	if gid, ok := in.GetGID(); ok {
		s.GID = &gid
	}
	if size, ok := in.GetSize(); ok {
		n := int64(size)
		s.Size = &n
	}
	if t, ok := in.GetATime(); ok {
		s.Atime = new(t)
	}
	if t, ok := in.GetMTime(); ok {
		s.Mtime = new(t)
	}
	return s
}

// Access answers access(2) and chdir(2) from the level's grants.
func (n *node) Access(ctx context.Context, mask uint32) syscall.Errno {
	ctx, release := n.mount.patient(ctx)
	defer release()
	return n.errno("access", n.mount.vfs.Access(ctx, n.ref(), mask))
}

// Statfs answers statfs(2).
func (n *node) Statfs(ctx context.Context, out *fuse.StatfsOut) syscall.Errno {
	ctx, release := n.mount.patient(ctx)
	defer release()
	s, err := n.mount.vfs.Statfs(ctx)
	if err != nil {
		return n.mount.errno("statfs", "", err)
	}
	out.Bsize, out.Frsize = s.BlockSize, s.BlockSize
	out.Blocks, out.Bfree, out.Bavail = s.Blocks, s.Free, s.Avail
	out.Files, out.Ffree = s.Files, s.FilesFree
	out.NameLen = s.NameLen
	return 0
}

// OnForget tells vfs that the kernel has dropped the node, unless another node of
// the same file has taken its place in the tree.
func (n *node) OnForget() {
	if n.IsRoot() {
		return
	}
	n.mount.known.remove(n)
	id := n.StableAttr()
	if name, parent := n.Parent(); parent != nil {
		if now := parent.GetChild(name); now != nil && now != n.EmbeddedInode() && now.StableAttr() == id {
			return
		}
	}
	n.mount.vfs.Forget(id.Ino, id.Gen)
}
