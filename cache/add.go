package cache

import (
	"fmt"
	"io"
	"io/fs"
)

// AddMax is the size in bytes up to which [Cache.Add] takes an object.
const AddMax = 1 << 20

// addShare is the part of the memory that objects may have which Add has taken in: a sixteenth.
const addShare = 16

// Add takes in the bytes of a version that this process has just stored: whoever reads what was written a moment ago, as
// compilers, git and file managers do, needs no request for it. Versions without an ETag, and those larger than AddMax, are
// left alone. An error is content's, or fs.ErrClosed; nothing is cached then.
func (c *Cache) Add(obj Object, content io.ReaderAt) error {
	if obj.ETag == "" || obj.Size <= 0 || obj.Size > AddMax {
		return nil
	}
	v := c.version(obj, nil)
	var blocks []*block
	for off := int64(0); off < obj.Size; off += blockSize {
		b := &block{off: off, data: c.buffers.get(min(blockSize, obj.Size-off)), refs: 1}
		blocks = append(blocks, b)
		if n, err := content.ReadAt(b.data, off); n < len(b.data) {
			for _, b := range blocks {
				c.buffers.put(b.data)
			}
			return fmt.Errorf("add %q: %w", obj.Key, err)
		}
	}
	kept, err := c.addBlocks(v, blocks)
	c.addedToDisk(v, kept)
	return err
}

// addBlocks returns those blocks for which there was room, each with a reference for the disk.
func (c *Cache) addBlocks(v version, blocks []*block) (kept []*block, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, fs.ErrClosed
	}
	for _, b := range blocks {
		if !c.admit(b.cost(), false) { // who reads comes first
			c.buffers.put(b.data)
			continue
		}
		if c.cfg.Disk != nil {
			b.refs++ // addedToDisk's
		}
		kept = append(kept, b)
		id := unitAt(b.off, blockSize)
		c.table.add(v.versionKey, id, b)
		c.added.push(addedUnit{v.versionKey, id, b.cost()})
	}
	for c.added.bytes > c.cfg.Memory/addShare {
		x := c.added.pop()
		if b := c.table.find(x.version, x.id); b != nil {
			c.table.remove(b)
		}
	}
	return kept, nil
}

// added is what Add has taken in, the oldest first. It bounds what files that nobody may ever read take of what was read.
type added struct {
	units []addedUnit
	first int // of units; those before are gone
	bytes int64
}

type addedUnit struct {
	version versionKey
	id      unitID
	cost    int64
}

func (a *added) push(u addedUnit) {
	if a.first > len(a.units)/2 {
		a.units, a.first = append(a.units[:0:0], a.units[a.first:]...), 0
	}
	a.units = append(a.units, u)
	a.bytes += u.cost
}

func (a *added) pop() addedUnit {
	x := a.units[a.first]
	a.units[a.first] = addedUnit{}
	a.first++
	a.bytes -= x.cost
	return x
}
