package cache

import (
	"context"
	"time"

	"github.com/s3levelfs/s3levelfs/cache/disk"
)

// The units of both tiers are the same: neither line compiles else.
const (
	_ = uint(blockSize-disk.BlockSize) + uint(disk.BlockSize-blockSize)
	_ = uint(pageSize-disk.PageSize) + uint(disk.PageSize-pageSize)
)

const (
	// diskPatience is how long one fetch that runs ahead of its readers waits in all for a disk that is slower than
	// the store; then its blocks are not kept. It bounds what a slow disk costs: 8 MiB each so long, in parallel.
	diskPatience = 250 * time.Millisecond
	// diskRun bounds what is read from the disk before it is delivered, in units.
	diskRun = 8
)

// tierState is what a fetch knows of the disk. The goroutine that runs the fetch owns it.
type tierState struct {
	version  disk.Version
	named    bool // version is set
	loaded   bool // the held blocks came from the disk
	patience time.Duration
	meant    []disk.Block // delivered, each with a reference for the disk
}

// onDisk reports whether blocks of v may be on the disk. Those without an ETag never are: nobody else could tell them apart.
func (c *Cache) onDisk(v version) bool { return c.cfg.Disk != nil && v.private == 0 }

func (c *Cache) nameForDisk(f *fetch) {
	if !f.tier.named {
		f.tier.version, f.tier.named, f.tier.patience = c.cfg.Disk.Version(f.v.key, f.v.etag, f.v.size), true, diskPatience
	}
}

func (c *Cache) pieceOnDisk(f *fetch, p *piece) bool {
	return c.cfg.Disk.Has(f.tier.version, p.id.index(), p.id.page(), int(p.len()), f.v.size)
}

// fromDisk delivers the pieces that are on the disk, from the next one on, and returns where the GET has to end that brings what then
// comes: before the next piece that is there. An object or part that is to be checked as a whole comes from one of both.
func (c *Cache) fromDisk(ctx context.Context, f *fetch) (end int64) {
	end = f.pieces[len(f.pieces)-1].end
	if f.buf != nil || f.check != nil || !c.onDisk(f.v) {
		return end // in the middle of a body
	}
	c.nameForDisk(f)
	if f.unit() {
		if n := c.load(f, len(f.pieces)); n > 0 && n < len(f.pieces) { // what is bad further on would stay
			c.rewind(f)
			c.cfg.Disk.Drop(f.tier.version, f.v.size, f.pieces[0].off, end)
		}
		c.deliverLoaded(f)
		return end
	}
	for ctx.Err() == nil && f.next < len(f.pieces) && c.load(f, diskRun) > 0 {
		c.deliverLoaded(f)
	}
	for i := f.next + 1; i < len(f.pieces); i++ {
		if p := &f.pieces[i]; c.pieceOnDisk(f, p) {
			return p.off
		}
	}
	return end
}

// load reads up to limit pieces, from the next one on, into held blocks, and returns how many.
func (c *Cache) load(f *fetch, limit int) (n int) {
	bufs := make([][]byte, 0, limit)
	for i := f.next; i < min(f.next+limit, len(f.pieces)); i++ {
		p := &f.pieces[i]
		if !c.pieceOnDisk(f, p) {
			break
		}
		bufs = append(bufs, c.buffers.get(p.len()))
	}
	if len(bufs) == limit || len(bufs) > 0 && !f.unit() {
		first := f.pieces[f.next].id
		n = c.cfg.Disk.Load(f.tier.version, first.index(), first.page(), bufs, f.v.size)
	}
	for _, b := range bufs[n:] {
		c.buffers.put(b)
	}
	for _, b := range bufs[:n] {
		f.held = append(f.held, &block{off: f.pos, data: b})
		f.pos = f.pieces[f.next].end
		f.next++
	}
	return n
}

// deliverLoaded delivers held blocks that need not go to the disk.
func (c *Cache) deliverLoaded(f *fetch) {
	if len(f.held) == 0 {
		return
	}
	f.progress = time.Now()
	f.tier.loaded = true
	c.deliver(f)
	f.tier.loaded = false
}

// meantForDisk takes a reference of a block that is being delivered, for [Cache.toDisk]. Cache.mu is held.
func (c *Cache) meantForDisk(f *fetch, u unitID, b *block) {
	if f.tier.loaded || !c.onDisk(f.v) {
		return
	}
	b.refs++
	f.tier.meant = append(f.tier.meant, c.diskBlock(f.tier.version, u, b))
}

// diskBlock is a block for the disk, which then gives its reference back.
func (c *Cache) diskBlock(v disk.Version, u unitID, b *block) disk.Block {
	return disk.Block{Version: v, Index: u.index(), Page: u.page(), Data: b.data, Done: func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.unref(b)
		c.letIn()
	}}
}

// dropFromDisk forgets a version whose bytes have turned out to be wrong.
func (c *Cache) dropFromDisk(v version) {
	if c.onDisk(v) {
		c.cfg.Disk.Drop(c.cfg.Disk.Version(v.key, v.etag, v.size), v.size, 0, v.size)
	}
}

// toDisk hands over what was delivered. Only readahead waits for a disk that is busy. What was found to be wrong meanwhile has
// been dropped there before it came.
func (c *Cache) toDisk(f *fetch) {
	var patience *time.Duration
	if f.ahead {
		patience = &f.tier.patience
	}
	for _, b := range f.tier.meant {
		if !c.cfg.Disk.Put(b, patience) {
			b.Done()
		}
	}
	if len(f.tier.meant) > 0 && c.isSuspect(f.v) {
		c.dropFromDisk(f.v)
	}
	clear(f.tier.meant)
	f.tier.meant = f.tier.meant[:0]
}

// addedToDisk hands over blocks that Add has taken in, each with a reference for the disk.
func (c *Cache) addedToDisk(v version, blocks []*block) {
	if c.cfg.Disk == nil {
		return
	}
	name := c.cfg.Disk.Version(v.key, v.etag, v.size)
	for _, b := range blocks {
		if d := c.diskBlock(name, unitAt(b.off, blockSize), b); !c.cfg.Disk.Put(d, nil) {
			d.Done()
		}
	}
}
