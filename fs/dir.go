package fs

import (
	"context"
	"math"
	"sync"
	"syscall"

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

// dir is an open directory stream, which gives the entries as vfs finds them. Offsets are positions in it. The latest
// entries are kept; a seek to others in front of them reads the directory again up to there, and rewinddir(3) from the
// begin.
type dir struct {
	node *node

	mu      sync.Mutex
	stream  *vfs.DirStream // guarded by mu; nil until read
	ended   bool           // guarded by mu: there are no entries behind those kept
	skipped int            // guarded by mu: entries in front of those kept
	last    int            // guarded by mu: how many of those kept came with the last batch
	entries []vfs.DirEntry // guarded by mu: the last two batches
	pos     int            // guarded by mu: the next entry, dots included
}

// Readdirent gives the next entry, nil at the end.
func (d *dir) Readdirent(ctx context.Context) (*fuse.DirEntry, syscall.Errno) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stream == nil { // also for the dots: an error is told at once
		if errno := d.fill(ctx); errno != 0 {
			return nil, errno
		}
	}
	if d.pos-dots < d.skipped && d.pos >= dots {
		d.rewind()
	}
	for !d.ended && d.pos-dots >= d.skipped+len(d.entries) {
		if errno := d.fill(ctx); errno != 0 {
			return nil, errno
		}
	}
	if d.pos-dots >= d.skipped+len(d.entries) {
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
	e := &d.entries[pos-dots-d.skipped]
	return fuse.DirEntry{Name: e.Name, Ino: e.Attr.Ino, Mode: e.Attr.Mode}
}

// fill takes a batch more. Called with mu held: a second reader of the same stream waits for it.
func (d *dir) fill(ctx context.Context) syscall.Errno {
	ctx, release := unhurried(ctx)
	defer release()
	if d.stream == nil {
		err := d.node.moved(syscall.ENOENT, func(path string) (err error) {
			d.stream, err = d.node.mount.vfs.OpenDir(ctx, path)
			return err
		})
		if err != nil {
			return d.node.errno("readdir", err)
		}
	}
	batch, err := d.stream.Next(ctx)
	if err != nil {
		d.rewind() // who goes on all the same reads it again up to here
		return d.node.errno("readdir", err)
	}
	if len(batch) == 0 {
		d.ended = true
		return 0
	}
	drop := len(d.entries) - d.last
	d.skipped += drop
	d.entries = append(d.entries[drop:len(d.entries):len(d.entries)], batch...)
	d.last = len(batch)
	return 0
}

// rewind has the directory read from its begin. Called with mu held.
func (d *dir) rewind() {
	if d.stream != nil {
		d.stream.Close()
	}
	d.stream, d.ended, d.skipped, d.last, d.entries = nil, false, 0, 0, nil
}

// Releasedir is closedir(3).
func (d *dir) Releasedir(context.Context, uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rewind()
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
	for i := min(d.pos-dots-d.skipped, len(d.entries)) - 1; i >= 0; i-- {
		if e := &d.entries[i]; e.Name == name {
			return e.Full
		}
	}
	return false
}

// Seekdir moves to an offset that Readdirent gave; 0 is rewinddir(3), which
// reads the directory anew.
func (d *dir) Seekdir(_ context.Context, off uint64) syscall.Errno {
	d.mu.Lock()
	defer d.mu.Unlock()
	if off == 0 {
		d.rewind()
	}
	d.pos = int(min(off, math.MaxInt32))
	return 0
}

// Fsyncdir makes the entries made and removed so far durable.
func (d *dir) Fsyncdir(ctx context.Context, _ uint32) syscall.Errno {
	return d.node.errno("fsyncdir", d.node.mount.syncNames(context.WithoutCancel(ctx)))
}
