// Package vfs is the file system without a kernel: paths in, attributes,
// entries and bytes out. The go-fuse adapter in package fs is a thin layer
// on top of it, and the same operations run in tests without any mount.
//
// # What it owns
//
//   - the overlay rule: pending file > tombstone > rename intent > fresh
//     listing > store (docs/DESIGN.md, docs/SEMANTICS.md promise 5)
//   - rights: what a level's grants refuse is refused here with EACCES before
//     any request, at open, create, unlink, rename and mkdir (promise 7)
//   - inode numbers and generations, and the versions that open handles are
//     pinned to (promise 3)
//   - the mapping of object headers to POSIX attributes and extended
//     attributes, by way of package attrs
//
// It does not own bytes: pending ones are the uploader's, stored ones the
// cache's. It sends LIST by way of package listing, HEAD by way of package
// attrs, and never a write: each of those is the uploader's.
//
// # Wiring
//
// The uploader tells its events to [FS.Event], reads base bytes through
// [NewBase], and takes [WriteLevels] and [Stamp]; attrs.Config.Own is [OwnKeys]. [New]
// is called before Uploader.Start, so that what an earlier mount left in the spool is known
// before anything of it is sent.
//
// # Between overlay and listing
//
// The uploader forgets an operation when the store has confirmed it and tells so a
// moment later. In between, neither the overlay nor the listing knows. But its event is queued in the same moment: a lookup
// that finds nothing pending waits until the events of the name that are queued by then have been told
// (uploader.AwaitEvents). The other way round, listings show for a moment what
// was removed here: single keys have tombstones in the overlay, directories are
// remembered until their keys are gone (gonedir.go).
//
// # Between tables and overlay
//
// A rename changes the overlay and then the tables of inodes and open files. Who looks in between waits for its end
// (crossing.go), and what was found before it is never entered into the tables afterwards: the bytes of one file
// would be found under the number of another. Likewise a version that was found before this mount committed another
// one says nothing of foreign changes (inodes.look), and a commit says nothing of a file that has got the name
// since (the numbers of operations: Event.Op, born).
//
// # Locks
//
//	Handle.mu < openFile.mu < FS.mu
//
// A lock on the left may be held while one on its right is taken, never the
// other way round. FS.mu guards the tables (inodes, open files, unlinked
// versions held back) and is held for map operations only. siblings.mu is a leaf. No lock but
// Handle.mu is ever held over a call into the store, the cache or the
// uploader, and Handle.mu is a handle's own: it orders the positions of one
// descriptor, never another's.
//
// # Invariants
//
//   - A key that leaves this package comes from levels.Policy.Resolve, and its
//     grants were checked by need (see access.go).
//   - "Absent" is said only when a complete listing or a tombstone says so; a
//     failed request is an error (promise 9).
//   - Bytes of two versions never reach one handle: a handle that has returned
//     a byte gets bytes of that version, local writes, or ESTALE.
//   - An inode number is never 0 or 1 (the root), and two live keys never share
//     one.
package vfs
