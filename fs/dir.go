package fs

import (
	"context"
	"sync"
	"syscall"
	"time"

	gofs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3levelfs/s3levelfs/fs/vfs"
)

var (
	_ gofs.FileReaddirenter = (*dir)(nil)
	_ gofs.FileLookuper     = (*dir)(nil)
	_ gofs.FileSeekdirer    = (*dir)(nil)
	_ gofs.FileFsyncdirer   = (*dir)(nil)
	_ gofs.FileReleasedirer = (*dir)(nil)
)

// dots is the number of entries in front of vfs's: "." and "..".
const dots = 2

// dir is an open directory stream: a snapshot of the entries, taken at the
// first read and again after rewinddir(3). Offsets are positions in it. A stream whose beginning the kernel has cached goes on in the
// snapshot that the beginning came from.
type dir struct {
	node   *node
	caches bool      // the kernel caches what the stream gives. Constant
	base   *snapshot // what the kernel has cached; nil = nothing. Constant

	mu      sync.Mutex
	entries []entry // guarded by mu; nil until read
	read    bool    // guarded by mu
	pos     int     // guarded by mu: the next entry, dots included
}

// Readdirent gives the next entry, nil at the end.
func (d *dir) Readdirent(ctx context.Context) (*fuse.DirEntry, syscall.Errno) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if errno := d.fill(ctx); errno != 0 {
		return nil, errno
	}
	if d.pos >= dots+len(d.entries) {
		return nil, 0
	}
	at := d.pos
	d.pos++
	e := d.at(at)
	e.Off = uint64(at + 1)
	return &e, 0
}

// at is the entry at a position. Called with mu held.
func (d *dir) at(pos int) fuse.DirEntry {
	switch pos {
	case 0:
		return fuse.DirEntry{Name: ".", Ino: d.node.StableAttr().Ino, Mode: syscall.S_IFDIR}
	case 1:
		up := fuse.DirEntry{Name: "..", Ino: d.node.StableAttr().Ino, Mode: syscall.S_IFDIR}
		if _, parent := d.node.Parent(); parent != nil {
			up.Ino = parent.StableAttr().Ino
		}
		return up
	}
	e := &d.entries[pos-dots]
	return fuse.DirEntry{Name: e.name, Ino: e.ino, Mode: e.mode}
}

// fill takes the snapshot. Called with mu held: a second reader of the same
// stream waits for it.
func (d *dir) fill(ctx context.Context) syscall.Errno {
	switch {
	case d.read:
		return 0
	case d.node.cached.holds(d.base, time.Now()): // the kernel's pages have gone
		d.entries, d.read = d.base.entries, true
		return 0
	}
	d.node.begin()
	defer d.node.end()
	ctx, release := unhurried(ctx)
	defer release()
	began, changes := time.Now(), d.node.cached.now()
	var list []vfs.DirEntry
	err := d.node.moved(syscall.ENOENT, func(path string) (err error) {
		list, err = d.node.mount.vfs.ReadDir(ctx, path)
		return err
	})
	if err != nil {
		return d.node.errno("readdir", err)
	}
	s := snapshotOf(list, changes, began)
	d.entries, d.read = s.entries, true
	if d.caches && d.node.cached.filled(s) {
		d.node.mount.kept.add(&d.node.cached, s)
	}
	return 0
}

// Lookup answers for READDIRPLUS. Only entries whose attributes are all known
// get a node; for the others the kernel asks when somebody wants to know, so
// that a readdir never waits for a HEAD an entry. The error just leaves the
// attributes out.
func (d *dir) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*gofs.Inode, syscall.Errno) {
	if !d.known(name) {
		return nil, syscall.EAGAIN
	}
	return d.node.Lookup(ctx, name, out)
}

// known tells whether the last read entry of that name came with all of its
// attributes. It is nearly always the last one read; after an interrupted read
// go-fuse asks for some before it.
func (d *dir) known(name string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := min(d.pos-dots, len(d.entries)) - 1; i >= 0; i-- {
		if e := &d.entries[i]; e.name == name {
			return e.full
		}
	}
	return false
}

// Seekdir moves to an offset that Readdirent gave; 0 is rewinddir(3), which
// reads the directory anew.
func (d *dir) Seekdir(_ context.Context, off uint64) syscall.Errno {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case off == 0:
		d.entries, d.read = nil, false
	case !d.read && d.base != nil:
		d.entries, d.read = d.base.entries, true
	}
	d.pos = int(min(off, uint64(dots+len(d.entries))))
	return 0
}

// Fsyncdir makes the entries made and removed so far durable.
func (d *dir) Fsyncdir(ctx context.Context, _ uint32) syscall.Errno {
	return d.node.errno("fsyncdir", d.node.mount.syncNames(context.WithoutCancel(ctx)))
}

// Releasedir ends the stream.
func (d *dir) Releasedir(context.Context, uint32) {
	if d.caches {
		d.node.cached.close()
	}
}
