// Package disk keeps blocks of versions of objects on a disk, across restarts
// and kill -9: the second tier of the read cache.
//
// # What it promises
//
// What [Store.Load] gives are the bytes that [Store.Put] was given, or nothing. All that is
// on the disk may be damaged, cut, half written, of another format or of somebody
// else: it is then not there. A failure of the disk is never a reader's error: what cannot be
// read is not there, what cannot be written is dropped and counted. Nothing is synced, for it
// can be fetched again; instead nothing is trusted without its checksum.
//
// # Layout
//
// A log of *segments*, append-only files of a 128th of the store's size (1 MiB to 1 GiB).
// Records, that is blocks with a header, follow each other in them, so that a
// hundred thousand small files are not a hundred thousand inodes, and what was read in a row
// is read again in a row, with one system call. A full segment ends with an index of its records;
// one without it (after kill -9) is read header by header. The names of files and the
// headers tell no object's name: a version is a hash of owner, key, ETag and size. See docs/DESIGN.md
// for the bytes.
//
// # What goes, what stays
//
// Whole segments go, the oldest first. Of the one that goes, what was read since the oldest
// quarter of the log was written is written again at its end (what is carried makes the log move on, too), as long as no more is written so than was put: much as a list in
// the order of last use would do it. Reads from the cache in memory, or from the kernel's, are
// not seen here and count for nothing. What was read when, and what may be carried, is kept in memory and written down by Close; kill -9
// forgets it, and the order of the log is left.
//
// # Memory
//
// About 55 bytes for each block: 24 in the list of its segment, and 16 in a map that is half to
// seven eighths full. Config.MaxBlocks bounds their number, so that small blocks
// in a large store do not cost more than 12 MiB. Besides, Config.Queue bounds the bytes that wait
// to be written.
//
// # Locks and goroutines
//
// Store.mu guards the index, the queue and the lists, and is a leaf: it is held over no
// file operation and no callback. One goroutine writes, removes and closes; readers read files
// that they have marked as being read, and the last one closes a file that was removed meanwhile. Close awaits the writer.
package disk
