package fs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"syscall"

	gofs "github.com/hanwen/go-fuse/v2/fs"
	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/fs/vfs"
)

// node is a file, directory or symlink as the kernel knows it. Its identity is in
// the embedded inode, its path in go-fuse's tree, everything else in vfs. Only
// what the kernel may ask of a node after it has lost its name is kept: another
// program may remove or replace it between the kernel's lookup and what follows.
type node struct {
	gofs.Inode

	mount  *mount
	last   atomic.Pointer[place]  // where it was seen last; nil for the root
	target atomic.Pointer[string] // of a symlink, once known

	cached dirCache // of a directory
	listed link     // of anything else; guarded by remembered.mu

	busy    atomic.Int32 // operations in flight for which the kernel holds its locks
	awaited atomic.Bool  // notices wait for their end
}

// begin notes an operation for which the kernel holds the file's pages or the directory; end is its end.
func (n *node) begin() { n.busy.Add(1) }

func (n *node) end() {
	if n.busy.Add(-1) == 0 && n.awaited.Load() && n.mount.notifier != nil {
		n.mount.notifier.idle(n)
	}
}

// place is an entry of a directory.
type place struct {
	dir  *node
	name string
}

// mount is what all nodes of one mount share.
type mount struct {
	patients

	vfs       *vfs.FS
	syncNames func(context.Context) error
	notifier  *Notifier // nil = none
	kept      keptSnapshots
	known     *remembered
	log       *zap.Logger
}

// path is the node's path relative to the mount, "" for the root. ok is false
// for a node that has no name any more: it was removed or replaced while the
// kernel held it, and only its number finds it.
func (n *node) path() (path string, ok bool) {
	root := n.Root()
	parts := make([]string, 0, 8)
	for at := n.EmbeddedInode(); at != root; {
		name, parent := at.Parent()
		if parent == nil {
			return "", false
		}
		parts = append(parts, name)
		at = parent
	}
	return joinReversed(parts), true
}

// joinReversed joins the elements of a path that was walked upwards.
func joinReversed(parts []string) string {
	size := 0
	for _, p := range parts {
		size += len(p) + 1
	}
	path := make([]byte, 0, size)
	for i, part := range slices.Backward(parts) {
		path = append(path, part...)
		if i > 0 {
			path = append(path, '/')
		}
	}
	return string(path)
}

// label is the path for messages.
func (n *node) label() string {
	if path, ok := n.path(); ok {
		return path
	}
	return fmt.Sprintf("(removed, inode %d)", n.StableAttr().Ino)
}

// noPath is the path of a node without a name: no name resolves to it, where ""
// would be the root.
const noPath = "\x00"

// errNameless is for those who have to do something about a node without a name.
var errNameless = errors.New("file has no name any more")

// ref names the node's object to vfs.
func (n *node) ref() vfs.Ref {
	id := n.StableAttr()
	path, ok := n.path()
	if !ok {
		path = noPath
	}
	return vfs.Ref{Path: path, Ino: id.Ino, Gen: id.Gen}
}

// is tells whether number and generation are this node's.
func (n *node) is(ino, gen uint64) bool {
	id := n.StableAttr()
	return n.IsRoot() || ino == id.Ino && gen == id.Gen
}

// in is the path of a name in this directory. A directory without a name has
// no entries either.
func (n *node) in(name string) (string, syscall.Errno) {
	dir, ok := n.path()
	if !ok {
		return "", syscall.ENOENT
	}
	return join(dir, name), 0
}

// join appends a name to the path of a directory.
func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}

// child gives the node for an entry of this directory: the known one when type,
// number and generation are the same, else a new one.
func (n *node) child(ctx context.Context, name string, a vfs.Attr) *gofs.Inode {
	id := gofs.StableAttr{Mode: a.Mode & syscall.S_IFMT, Ino: a.Ino, Gen: a.Gen}
	if known := n.GetChild(name); known != nil && known.StableAttr() == id {
		n.remember(known)
		return known
	}
	fresh := &node{mount: n.mount}
	fresh.last.Store(&place{dir: n, name: name})
	made := n.NewInode(ctx, fresh, id)
	n.remember(made)
	return made
}

// remember notes that the kernel is told of a child.
func (n *node) remember(child *gofs.Inode) {
	if nd, ok := child.Operations().(*node); ok && !child.IsDir() {
		n.mount.known.add(nd)
	}
}

// errno is [mount.errno] for an operation on this node. A file that is gone with its name is
// ESTALE rather than ENOENT: another one may have taken its place (it was renamed
// over it), and ESTALE makes the kernel look the name up again.
func (n *node) errno(op string, err error) syscall.Errno {
	if err == nil {
		return 0
	}
	errno := n.mount.errno(op, n.label(), err)
	if errno == syscall.ENOENT && !n.IsRoot() {
		if _, named := n.path(); !named {
			return syscall.ESTALE
		}
	}
	return errno
}

// errno maps err and logs it where the program can not see the cause.
func (m *mount) errno(op, path string, err error) syscall.Errno {
	if err == nil {
		return 0
	}
	errno, known := Errno(err)
	switch {
	case !known:
		m.log.Error("error of no known kind", zap.String("op", op), zap.String("path", path), zap.Error(err))
	case hidesCause(errno) && !errors.Is(err, context.Canceled):
		m.log.Warn("operation failed", zap.String("op", op), zap.String("path", path),
			zap.String("errno", errno.Error()), zap.Error(err))
	}
	return errno
}

// moved runs op on the node's path, and again when the path was not found
// because a directory above was renamed meanwhile. A node without a name gives
// gone.
func (n *node) moved(gone error, op func(path string) error) error {
	path, ok := n.path()
	for ok {
		err := op(path)
		if !errors.Is(err, syscall.ENOENT) {
			return err
		}
		var now string
		if now, ok = n.path(); now == path && ok {
			return err
		}
		path = now
	}
	return gone
}
