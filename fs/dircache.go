package fs

import (
	"sync"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3levelfs/s3levelfs/fs/vfs"
)

// The kernel keeps the names of directories that were read to their ends (FOPEN_CACHE_DIR): to list one again costs an open. It takes the
// offsets of entries for cookies that mean the same in each stream, and puts entries of all streams into its cache by them; ours are
// positions in a snapshot. So a directory has the kernel cache one snapshot at a time: a stream either has the snapshot that is cached, or it
// is the only one that caches, or it does not cache.

// Bounds of the snapshots that are kept for streams to come: without one the kernel is told to begin anew.
const (
	keptNames = 100_000 // of all directories, about 50 bytes each
	keptDirs  = 256
)

// entry is what a directory stream tells of a name.
type entry struct {
	name string
	ino  uint64
	mode uint32
	full bool // a lookup of it would send no request
}

// snapshot is a directory as it was read once; constant from then on.
type snapshot struct {
	entries []entry
	began   time.Time
	until   time.Time // it is believed so long
	changes uint64    // node.changes before it was read
}

// dirCache is what the kernel may have cached of a directory. The zero value is nothing.
type dirCache struct {
	mu      sync.Mutex
	snap    *snapshot // what is cached, if anything is; nil = the next stream begins anew
	changes uint64    // made by programs on this mount
	streams int       // open ones that cache
}

// open is the begin of a stream: its flags, and the snapshot that the kernel goes on from, nil if from none.
func (c *dirCache) open(now time.Time) (flags uint32, base *snapshot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.snap != nil && c.believed(c.snap, now):
		c.streams++
		return fuse.FOPEN_CACHE_DIR | fuse.FOPEN_KEEP_CACHE, c.snap
	case c.streams == 0:
		c.snap = nil
		c.streams++
		return fuse.FOPEN_CACHE_DIR, nil
	}
	c.snap = nil
	return 0, nil // what the kernel has is not looked at, and dropped by the next one that caches
}

// believed: nothing has changed by this mount, and the time is not over. Called with mu held.
func (c *dirCache) believed(s *snapshot, now time.Time) bool {
	return now.Before(s.until) && s.changes == c.changes
}

// holds tells whether a snapshot is still what is cached and believed.
func (c *dirCache) holds(s *snapshot, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return s != nil && c.snap == s && c.believed(s, now)
}

// close is the end of a stream that cached.
func (c *dirCache) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.streams--
}

// filled takes in what a stream that caches has read anew, and tells whether it is kept: not if entries of another stream's
// snapshot may come between.
func (c *dirCache) filled(s *snapshot) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.snap = nil
	if c.streams == 1 {
		c.snap = s
	}
	return c.snap != nil
}

// drop forgets a snapshot, if it is still that one; nil = whichever it is.
func (c *dirCache) drop(s *snapshot) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s == nil || c.snap == s {
		c.snap = nil
	}
}

// changed notes a change of the entries by a program on this mount. The kernel knows of it.
func (c *dirCache) changed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
}

func (c *dirCache) now() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.changes
}

// newSnapshot is of a directory whose reading begins now. An empty one is not believed at all.
func newSnapshot(changes uint64, now time.Time) *snapshot {
	return &snapshot{began: now, until: now, changes: changes}
}

// add takes entries in, which are believed as long as the one that is believed shortest; more are those that streams need. It tells
// whether the kernel may still cache them all.
func (s *snapshot) add(batch []vfs.DirEntry, more []entry) bool {
	for i := range batch {
		if until := s.began.Add(batch[i].Attr.TTL); len(s.entries)+i == 0 || until.Before(s.until) {
			s.until = until
		}
	}
	s.entries = append(s.entries, more...)
	return len(s.entries) <= keptNames
}

// entriesOf is what streams need of entries.
func entriesOf(list []vfs.DirEntry) []entry {
	entries := make([]entry, len(list))
	for i := range list {
		e := &list[i]
		entries[i] = entry{e.Name, e.Attr.Ino, e.Attr.Mode, e.Full}
	}
	return entries
}

// keptSnapshots bounds the snapshots of a mount, the oldest dropped first. The zero value is ready.
type keptSnapshots struct {
	mu    sync.Mutex
	order []keptSnapshot
	names int
}

type keptSnapshot struct {
	of   *dirCache
	snap *snapshot
}

func (k *keptSnapshots) add(of *dirCache, s *snapshot) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.order = append(k.order, keptSnapshot{of, s})
	k.names += len(s.entries)
	for len(k.order) > keptDirs || k.names > keptNames && len(k.order) > 0 {
		oldest := k.order[0]
		k.order = append(k.order[:0:0], k.order[1:]...)
		k.names -= len(oldest.snap.entries)
		oldest.of.drop(oldest.snap)
	}
}
