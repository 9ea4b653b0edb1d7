package fs

import (
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3levelfs/s3levelfs/fs/vfs"
)

// listed is a snapshot that is believed for a second from now.
func listed(c *dirCache, now time.Time, names ...string) *snapshot {
	var list []vfs.DirEntry
	for _, name := range names {
		list = append(list, vfs.DirEntry{Name: name, Attr: vfs.Attr{TTL: time.Second}})
	}
	s := newSnapshot(c.now(), now)
	s.add(list, entriesOf(list))
	return s
}

const (
	keep  = fuse.FOPEN_CACHE_DIR | fuse.FOPEN_KEEP_CACHE
	anew  = fuse.FOPEN_CACHE_DIR
	never = 0
)

// TestOneSnapshotIsCached: a stream has the kernel keep its cache only for a snapshot that nothing has changed since, and only one stream
// fills it.
func TestOneSnapshotIsCached(t *testing.T) {
	now := time.Now()
	later := now.Add(time.Second)
	for name, tc := range map[string]struct {
		do   func(c *dirCache)
		at   time.Time
		want uint32
	}{
		"nothing is cached":            {func(*dirCache) {}, now, anew},
		"another one fills it":         {func(c *dirCache) { c.open(now) }, now, never},
		"filled, still open":           {func(c *dirCache) { c.open(now); c.filled(listed(c, now, "a")) }, now, keep},
		"filled":                       {func(c *dirCache) { c.open(now); c.filled(listed(c, now, "a")); c.close() }, now, keep},
		"filled, its time is over":     {func(c *dirCache) { c.open(now); c.filled(listed(c, now, "a")); c.close() }, later, anew},
		"filled, over and still open":  {func(c *dirCache) { c.open(now); c.filled(listed(c, now, "a")) }, later, never},
		"filled, changed since":        {func(c *dirCache) { c.open(now); c.filled(listed(c, now, "a")); c.close(); c.changed() }, now, anew},
		"filled, told of a change":     {func(c *dirCache) { c.open(now); c.filled(listed(c, now, "a")); c.close(); c.drop(nil) }, now, anew},
		"filled, another one dropped":  {func(c *dirCache) { c.open(now); c.filled(listed(c, now, "a")); c.drop(listed(c, now, "a")) }, now, keep},
		"an empty one is not believed": {func(c *dirCache) { c.open(now); c.filled(listed(c, now)); c.close() }, now, anew},
		"changed while it was read": {func(c *dirCache) {
			c.open(now)
			s := listed(c, now, "a")
			c.changed()
			c.filled(s)
			c.close()
		}, now, anew},
		"two that cache, filled anew": {func(c *dirCache) {
			c.open(now)
			c.filled(listed(c, now, "a"))
			c.open(now)
			c.filled(listed(c, now, "b")) // entries of the other one may be between
			c.close()
			c.close()
		}, now, anew},
	} {
		t.Run(name, func(t *testing.T) {
			var c dirCache
			tc.do(&c)
			flags, base := c.open(tc.at)
			if flags != tc.want || (base != nil) != (flags == keep) {
				t.Errorf("flags %#x, want %#x; a snapshot to go on from: %v", flags, tc.want, base != nil)
			}
		})
	}
}

// TestKeptSnapshotsAreBounded: the oldest are dropped, by number and by names, and a huge one at once.
func TestKeptSnapshotsAreBounded(t *testing.T) {
	now := time.Now()
	var k keptSnapshots
	fill := func(names int) *dirCache {
		c := &dirCache{}
		c.open(now)
		s := &snapshot{entries: make([]entry, names), until: now.Add(time.Hour)}
		if c.filled(s) {
			k.add(c, s)
		}
		c.close()
		return c
	}
	kept := func(c *dirCache) bool { return c.snap != nil }
	first := fill(1)
	for range keptDirs - 1 {
		fill(1)
	}
	if !kept(first) {
		t.Error("dropped too early")
	}
	second := fill(keptNames - keptDirs)
	if kept(first) || !kept(second) || k.names > keptNames {
		t.Errorf("first %v, second %v, %d names", kept(first), kept(second), k.names)
	}
	if huge := fill(keptNames + 1); kept(huge) || kept(second) || k.names != 0 {
		t.Errorf("huge %v, second %v, %d names", kept(huge), kept(second), k.names)
	}
}
