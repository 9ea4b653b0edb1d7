// Package spool keeps what has been written and not yet stored: the bytes of
// generations (segments for small ones, an own sparse data file for large ones)
// and the namespace log that orders every operation on names.
//
// It owns the files below Config.Dir, their formats, their sync, their removal and their recovery after a
// crash. It does not own the meaning of the records: package uploader folds them, with two exceptions that
// recovery needs (see [Type]): which records list the bytes of a generation, and which end one.
//
// # Rules for the caller
//
//   - Records that make storage superfluous (Commit, Drop) are appended before [Content.Release] is called: the
//     files go at the next group sync, when the record is on stable storage.
//   - A generation's Create is appended before its first byte is written, its Seal after the last
//     one: what has bytes and no record is deleted at the next start, as long as nothing is missing in the log.
//   - A Create of a generation on top of another one lists its extents ([Content.Extents] of the clone).
//   - Nobody appends between the building of a snapshot and the return of [Spool.Checkpoint].
//   - Where [Spool.Compact] is used, a list of extents that is logged was made since the last Checkpoint: under the lock
//     that keeps the two apart.
//
// # Locks
//
// In this order, any of them may be skipped: Content.io (shared by reads and writes of local bytes, exclusive for
// Truncate, PunchHole, FillBase, Clone, Seal) < Content.mu (the extent map) < Spool.syncMu (one group sync or checkpoint
// at a time) < segments.mu (appending to the active segment) < namespaceLog.mu < Spool.mu (table of storage, dirty and
// dead sets) < files.mu (open descriptors). room.mu (what the disk has left) is a leaf. No lock is held over a [BaseFunc].
//
// # Invariants
//
//   - An extent map is total over [0, size): sorted, without gaps or overlaps.
//   - No byte that a sealed generation or a clone refers to is written again.
//   - A storage's references are the contents whose map names it, plus reads in flight.
//   - A file is removed only after a group sync that began when nothing referred to it any more.
//   - A SYNC frame names the log position up to which all data was on stable storage
//     before the frame was written: a later Seal is not covered by it, even if it precedes it in the file.
package spool
