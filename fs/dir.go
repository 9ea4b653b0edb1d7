package fs

import (
	"context"
	"math"
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

// dir is an open directory stream, which gives the entries as vfs finds them. Offsets are positions in it. The latest
// entries are kept, and all of them as long as the kernel may cache the whole directory; a seek to others in front of them reads the
// directory again up to there, and rewinddir(3) from the begin. A stream whose beginning the kernel has cached goes on in
// the snapshot that the beginning came from.
type dir struct {
	node   *node
	caches bool      // the kernel caches what the stream gives. Constant
	base   *snapshot // what the kernel has cached; nil = nothing. Constant

	mu      sync.Mutex
	begun   bool           // guarded by mu
	stream  *vfs.DirStream // guarded by mu; nil until begun, and in a snapshot
	ended   bool           // guarded by mu: there are no entries behind those kept
	skipped int            // guarded by mu: entries in front of those kept
	last    int            // guarded by mu: how many of those kept came with the last batch
	entries []entry        // guarded by mu: the last two batches, or all
	batch   []vfs.DirEntry // guarded by mu: the last batch, as it was found
	snap    *snapshot      // guarded by mu: will have all entries when the stream has ended; nil = it is too long, or need not
	pos     int            // guarded by mu: the next entry, dots included
}

// Readdirent gives the next entry, nil at the end.
func (d *dir) Readdirent(ctx context.Context) (*fuse.DirEntry, syscall.Errno) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.begun { // also for the dots: an error is told at once
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
	return fuse.DirEntry{Name: e.name, Ino: e.ino, Mode: e.mode}
}

// fill takes a batch more. Called with mu held: a second reader of the same stream waits for it.
func (d *dir) fill(ctx context.Context) syscall.Errno {
	d.node.begin()
	defer d.node.end()
	ctx, release := d.node.mount.unhurried(ctx)
	defer release()
	if !d.begun {
		if err := d.begin(ctx); err != nil {
			return d.node.errno("readdir", err)
		}
	}
	if d.ended {
		return 0
	}
	batch, err := d.stream.Next(ctx)
	if err != nil {
		d.rewind() // who goes on all the same reads it again up to here
		return d.node.errno("readdir", err)
	}
	d.take(batch)
	return 0
}

// begin opens the stream, or goes on in the snapshot whose pages the kernel has dropped. Called with mu held.
func (d *dir) begin(ctx context.Context) error {
	now := time.Now()
	if d.node.cached.holds(d.base, now) {
		d.resume()
		return nil
	}
	if d.caches {
		d.snap = newSnapshot(d.node.cached.now(), now)
	}
	err := d.node.moved(syscall.ENOENT, func(path string) (err error) {
		d.stream, err = d.node.mount.vfs.OpenDir(ctx, path)
		return err
	})
	d.begun = err == nil
	return err
}

// resume goes on in the snapshot. Called with mu held.
func (d *dir) resume() {
	d.entries, d.begun, d.ended = d.base.entries, true, true
}

// take keeps a batch, an empty one at the end, and lets the ones before the last go unless all are to be cached. Called with
// mu held.
func (d *dir) take(batch []vfs.DirEntry) {
	more := entriesOf(batch)
	if d.ended = len(batch) == 0; d.ended {
		if d.snap != nil && d.node.cached.filled(d.snap) {
			d.node.mount.kept.add(&d.node.cached, d.snap)
		}
		return
	}
	d.batch = batch
	if d.snap != nil && !d.snap.add(batch, more) {
		d.snap, d.last = nil, 0
	}
	if d.snap != nil {
		d.entries, d.last = d.snap.entries, len(batch)
		return
	}
	drop := len(d.entries) - d.last
	d.skipped += drop
	d.entries = append(d.entries[drop:len(d.entries):len(d.entries)], more...)
	d.last = len(batch)
}

// rewind has the directory read from its begin. Called with mu held.
func (d *dir) rewind() {
	if d.stream != nil {
		d.stream.Close()
	}
	d.stream, d.begun, d.ended, d.skipped, d.last, d.entries, d.batch, d.snap = nil, false, false, 0, 0, nil, nil, nil
}

// Releasedir is closedir(3).
func (d *dir) Releasedir(context.Context, uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rewind()
	if d.caches {
		d.node.cached.close()
	}
}

// Lookup answers for READDIRPLUS. Only entries whose attributes are all known
// get a node; for the others the kernel asks when somebody wants to know, so
// that a readdir never waits for a HEAD an entry, and that nobody remembers a million names that are only listed. The error just leaves the
// attributes out.
func (d *dir) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*gofs.Inode, syscall.Errno) {
	e, known := d.known(name)
	if !known || d.node.mount.known.full() && d.node.GetChild(name) == nil {
		return nil, syscall.EAGAIN
	}
	if e != nil {
		if a, same := d.node.mount.vfs.Again(ctx, e); same {
			fillEntry(out, a)
			return d.node.child(ctx, name, a), 0
		}
	}
	return d.node.Lookup(ctx, name, out)
}

// known tells whether the last read entry of that name came with all of its
// attributes, and gives it where it is of the last batch. It is nearly always the last one read; after an interrupted read
// go-fuse asks for some before it.
func (d *dir) known(name string) (e *vfs.DirEntry, full bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := min(d.pos-dots-d.skipped, len(d.entries)) - 1; i >= 0; i-- {
		if d.entries[i].name != name {
			continue
		}
		if at := i - (len(d.entries) - len(d.batch)); at >= 0 && d.batch[at].Name == name {
			e = &d.batch[at]
		}
		return e, d.entries[i].full
	}
	return nil, false
}

// Seekdir moves to an offset that Readdirent gave; 0 is rewinddir(3), which
// reads the directory anew.
func (d *dir) Seekdir(_ context.Context, off uint64) syscall.Errno {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case off == 0:
		d.rewind()
	case !d.begun && d.base != nil:
		d.resume()
	}
	d.pos = int(min(off, math.MaxInt32))
	return 0
}

// Fsyncdir makes the entries made and removed so far durable.
func (d *dir) Fsyncdir(ctx context.Context, _ uint32) syscall.Errno {
	return d.node.errno("fsyncdir", d.node.mount.syncNames(context.WithoutCancel(ctx)))
}
