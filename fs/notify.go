package fs

import (
	"strings"
	"sync/atomic"
	"syscall"

	gofs "github.com/hanwen/go-fuse/v2/fs"
	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/fs/vfs"
)

// Notifier makes the kernel forget what changed behind its back. It exists
// before the mount does, because vfs is told of it when it is made:
//
//	n := fs.NewNotifier(log)
//	v, err := vfs.New(deps, vfs.Config{Notify: n.Invalidate})
//	s, err := fs.Mount(dir, v, fs.Options{Notifier: n})
type Notifier struct {
	root   atomic.Pointer[node] // nil while not mounted
	closed atomic.Bool
	log    *zap.Logger
}

// NewNotifier makes a notifier that does nothing until it is given to [Mount].
func NewNotifier(log *zap.Logger) *Notifier {
	if log == nil {
		log = zap.NewNop()
	}
	return &Notifier{log: log}
}

// Invalidate is vfs.Config.Notify. It may block until operations of programs
// on the same file or directory are over, so it must come from a goroutine of
// its own and never from within an operation.
func (n *Notifier) Invalidate(i vfs.Invalidation) {
	root := n.root.Load()
	if root == nil || n.closed.Load() {
		return
	}
	dir := descend(root.EmbeddedInode(), i.Parent)
	if dir == nil {
		return // the kernel never looked it up, or has forgotten it
	}
	child := dir.GetChild(i.Name)
	if i.Content && child != nil && (i.Ino == 0 || child.StableAttr().Ino == i.Ino) {
		const everything = 0 // length: up to the end
		n.check("content", i, child.NotifyContent(0, everything))
	}
	if i.Deleted && child != nil {
		n.check("delete", i, dir.NotifyDelete(i.Name, child))
		return
	}
	n.check("entry", i, dir.NotifyEntry(i.Name))
}

// Close makes Invalidate do nothing from now on. One that is under way is not
// waited for: it ends with the mount.
func (n *Notifier) Close() { n.closed.Store(true) }

// check logs what went wrong; ENOENT means that the kernel has nothing to drop.
// Timeouts mend the rest.
func (n *Notifier) check(what string, i vfs.Invalidation, errno syscall.Errno) {
	switch errno {
	case 0, syscall.ENOENT, syscall.ENODEV, syscall.ENOTCONN: // the last two: unmounted meanwhile
		return
	}
	n.log.Warn("kernel did not take the invalidation", zap.String("what", what),
		zap.String("dir", i.Parent), zap.String("name", i.Name), zap.String("errno", errno.Error()))
}

// descend walks the known tree, nil when it ends before path does.
func descend(at *gofs.Inode, path string) *gofs.Inode {
	if path == "" {
		return at
	}
	for name := range strings.SplitSeq(path, "/") {
		if at = at.GetChild(name); at == nil {
			return nil
		}
	}
	return at
}
