package fs

import (
	"strings"
	"sync"
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

	again sync.WaitGroup // notices that had to wait
	mu    sync.Mutex
	late  map[*node]map[vfs.Invalidation]struct{} // by the node whose operations they wait for: at most one each a name
}

// NewNotifier makes a notifier that does nothing until it is given to [Mount].
func NewNotifier(log *zap.Logger) *Notifier {
	if log == nil {
		log = zap.NewNop()
	}
	return &Notifier{log: log, late: make(map[*node]map[vfs.Invalidation]struct{})}
}

// Invalidate is vfs.Config.Notify. The kernel takes a notice when it has the locks of the file or directory, which the operations of
// programs have: a notice of a node with an operation in flight waits for its end, aside, so that it keeps neither the
// other notices waiting, nor, by way of what the operation may wait for, itself. One that begins in between is waited for in the
// kernel: Invalidate must come from a goroutine of its own and never from within an operation.
func (n *Notifier) Invalidate(i vfs.Invalidation) {
	root := n.root.Load()
	if root == nil || n.closed.Load() {
		return
	}
	dir := descend(root.EmbeddedInode(), i.Parent)
	if dir == nil {
		return // the kernel never looked it up, or has forgotten it
	}
	if nd, ok := dir.Operations().(*node); ok {
		nd.cached.drop(nil) // a name that the kernel does not know makes it drop nothing by itself
	}
	child := dir.GetChild(i.Name)
	if i.Content && child != nil && (i.Ino == 0 || child.StableAttr().Ino == i.Ino) {
		if n.wait(child, i) {
			return
		}
		const everything = 0 // length: up to the end
		n.check("content", i, child.NotifyContent(0, everything))
	}
	i.Content = false // that is done
	if n.wait(dir, i) {
		return
	}
	if i.Deleted && child != nil {
		n.check("delete", i, dir.NotifyDelete(i.Name, child))
		return
	}
	n.check("entry", i, dir.NotifyEntry(i.Name))
}

// wait puts a notice aside while the node is busy; false = it is not.
func (n *Notifier) wait(at *gofs.Inode, i vfs.Invalidation) bool {
	nd, ok := at.Operations().(*node)
	if !ok || nd.busy.Load() == 0 {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.late[nd] == nil {
		n.late[nd] = make(map[vfs.Invalidation]struct{})
	}
	n.late[nd][i] = struct{}{}
	nd.awaited.Store(true)
	if nd.busy.Load() > 0 {
		return true // whoever ends last sees awaited
	}
	delete(n.late[nd], i)
	return false
}

// idle gives the notices that waited for a node.
func (n *Notifier) idle(nd *node) {
	n.mu.Lock()
	list := n.late[nd]
	delete(n.late, nd)
	nd.awaited.Store(false)
	n.mu.Unlock()
	if len(list) == 0 || n.closed.Load() {
		return
	}
	n.again.Go(func() {
		for i := range list {
			n.Invalidate(i)
		}
	})
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
