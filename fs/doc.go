// Package fs hands the file system of package vfs to the kernel: a thin adapter
// over go-fuse. It is the only package that sees FUSE.
//
// # What it owns
//
//   - the go-fuse node tree, from which a node's path is read
//   - what the kernel may cache and for how long (timeouts, KEEP_CACHE,
//     directories' names, invalidation)
//   - interrupts: go-fuse cancels a request's context at any signal, and Go
//     programs send themselves SIGURG all the time. So mutations, flush, fsync
//     and release never see the cancellation, and everything else waits
//     another [InterruptGrace] before it gives up with EINTR
//   - errors to errno ([Errno]), in one place
//   - mounting and unmounting, as root by mount(2), else by fusermount3
//
// It does not own attributes, bytes, rights or names: those are vfs's. A node
// holds no state of the file; its identity is (type, inode number, generation).
// Package vfs gives a new version of a file, written by somebody else, a new
// generation: here it is a new node, and the kernel keeps no page, size or
// attribute of the old one for it. So the kernel's own invalidation by mtime is
// switched off. An operation that reaches the old node by its path, and finds
// the new version there, answers ESTALE: the kernel then looks the name up
// again and repeats the operation on the new node.
//
// Locks of flock(2) and fcntl(2) are left to the kernel, which keeps them among
// the users of one mount.
//
// # Locks
//
//	file.mu < everything of vfs
//
// file.mu keeps a release from overtaking the operations of its handle. dir.mu
// guards one directory stream; dirCache.mu, what the kernel may have of a directory, is taken within it and
// within keptSnapshots.mu. Notifier.mu is a leaf. No
// lock is held while the kernel is notified: its answer may need an operation
// that is under way here.
package fs
