package fs

import (
	"context"
	"math"
	"syscall"
	"time"

	gofs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// linksTTL is how long the kernel may remember that the links exist: they always do. Where they lead it asks each time.
const linksTTL = time.Hour

// Target tells where a link leads for a user of this machine. It may take its time: ctx ends [InterruptGrace] after the program
// was interrupted, and never before. A syscall.Errno in the error's tree is what the program gets.
type Target func(ctx context.Context, uid uint32, name string) (string, error)

// MountLinks mounts a directory of symlinks that lead elsewhere for each user who follows them. All users see it.
//
// The kernel asks for a symlink's target each time that it is followed, and tells who follows: it is the one answer that it keeps
// for nobody, unless FUSE_CACHE_SYMLINKS is negotiated, which is not. Of the options count FsName, Name and Log.
func MountLinks(mountpoint string, names []string, target Target, o Options) (*Server, error) {
	o = o.withDefaults()
	o.AllowOther, o.ReadOnly = true, true
	dir, err := CheckMountpoint(mountpoint)
	if err != nil {
		return nil, err
	}
	ttl := linksTTL
	root := &linkRoot{names: names, target: target, log: o.Log}
	raw := gofs.NewNodeFS(root, &gofs.Options{
		NullPermissions: true, EntryTimeout: &ttl, AttrTimeout: &ttl, NegativeTimeout: &ttl,
		RootStableAttr: &gofs.StableAttr{Ino: fuse.FUSE_ROOT_ID},
		Logger:         stdLog(o.Log, zap.WarnLevel),
	})
	mo := mountOptions(o)
	mo.EnableSymlinkCaching = false // the one cache that must not be: see above
	s, err := serveAt(dir, raw, &mo, o, &Server{patients: &root.patients})
	if err != nil {
		return nil, err
	}
	go s.serve()
	return s, nil
}

var (
	_ gofs.NodeOnAdder    = (*linkRoot)(nil)
	_ gofs.NodeGetattrer  = (*linkRoot)(nil)
	_ gofs.NodeGetattrer  = (*userLink)(nil)
	_ gofs.NodeReadlinker = (*userLink)(nil)
)

// linkRoot is the directory of the links.
type linkRoot struct {
	gofs.Inode
	patients

	names  []string
	target Target
	log    *zap.Logger
}

// OnAdd makes the links, for as long as the mount lives.
func (r *linkRoot) OnAdd(ctx context.Context) {
	for i, name := range r.names {
		link := r.NewPersistentInode(ctx, &userLink{root: r, name: name}, gofs.StableAttr{Mode: unix.S_IFLNK, Ino: uint64(i) + fuse.FUSE_ROOT_ID + 1})
		r.AddChild(name, link, false)
	}
}

// Getattr is that of a directory that nobody can write to.
func (r *linkRoot) Getattr(_ context.Context, _ gofs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Mode, out.Nlink = 0o555, 2
	return 0
}

// userLink is one link.
type userLink struct {
	gofs.Inode

	root *linkRoot
	name string
}

// Getattr has no size: that is different for each user, and attributes are the same for all. Programs know it from /proc.
func (l *userLink) Getattr(_ context.Context, _ gofs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Mode, out.Nlink = 0o777, 1
	return 0
}

// Readlink asks where the link leads for the caller. A caller whose uid the mount's user namespace does not map has none: it is
// refused, and never taken for somebody else.
func (l *userLink) Readlink(ctx context.Context) ([]byte, syscall.Errno) {
	caller, ok := fuse.FromContext(ctx)
	if !ok || caller.Uid == math.MaxUint32 {
		return nil, syscall.EACCES
	}
	ctx, release := l.root.unhurried(ctx)
	defer release()
	to, err := l.root.target(ctx, caller.Uid, l.name)
	if err != nil {
		errno, known := Errno(err)
		if !known {
			l.root.log.Error("error of no known kind", zap.String("link", l.name), zap.Error(err))
		}
		return nil, errno
	}
	return []byte(to), 0
}
