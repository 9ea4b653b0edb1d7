package disk

import "time"

// Block is a unit that is to be kept.
type Block struct {
	Version Version
	Index   int64 // of the unit in the object
	Page    bool
	Data    []byte // must not change until Done is called
	Done    func() // called once, from the writer's goroutine; not where Put returns false
}

// waiting is a block with the header of its record.
type waiting struct {
	Block

	header []byte
}

// queue is what waits to be written. Store.mu guards it.
type queue struct {
	blocks []waiting
	bytes  int64
	slow   bool            // somebody has waited in vain; until half of it is written nobody waits
	moved  chan struct{}   // closed and replaced when some of it is taken out
	more   chan struct{}   // has an element when something was put in
	batch  []waiting       // that is being written
	barred map[uint64]bool // units of it that were dropped meanwhile
}

const (
	// maxBatch bounds what is written at once, in bytes and in blocks: two buffers each.
	maxBatch       = 2 << 20
	maxBatchBlocks = maxVec / 2
	// worth is how much is written at once, in bytes: of less, the writer waits for more, for linger at most. By itself each small file costs
	// the writer's waking, a statfs and a write.
	worth  = BlockSize
	linger = 20 * time.Millisecond
)

// Put hands a block over to be written. Where the queue is full it waits for as long as patience says, which it shortens by that
// (nil = not at all). It returns false when the block is not taken. The checksums are taken here: who puts a block has just filled
// it, and adds it up out of the processor's cache, in less than half of the time that the writer would need.
func (d *Store) Put(b Block, patience *time.Duration) bool {
	n := int64(len(b.Data))
	if n == 0 || n > BlockSize {
		return false
	}
	w := d.headed(b)
	d.mu.Lock()
	defer d.mu.Unlock()
	for !d.closed && d.queue.bytes+n > d.cfg.Queue {
		if patience == nil || *patience <= 0 || d.queue.slow || d.stats.Full != "" {
			d.stats.Dropped++
			return false
		}
		d.await(patience)
	}
	if d.closed {
		return false
	}
	d.queue.blocks = append(d.queue.blocks, w)
	d.queue.bytes += n
	d.wake()
	return true
}

// headed gives a block its header, with the padding. Those of whole blocks are a page of memory each, which goes round: to the
// collector they would be a heap of garbage, a thirtieth of what is read.
func (d *Store) headed(b Block) waiting {
	if len(b.Data) != BlockSize {
		return waiting{b, appendHead(make([]byte, 0, headLen(len(b.Data))), b.Version, b.Index, b.Page, b.Data)}
	}
	page, ok := d.heads.Get().(*[alignment]byte)
	if !ok {
		page = new([alignment]byte)
	}
	n := len(appendHead(page[:0], b.Version, b.Index, b.Page, b.Data))
	return waiting{b, page[:n+padding(BlockSize)]}
}

// await waits until something is taken out of the queue. Store.mu is held, but not meanwhile.
func (d *Store) await(patience *time.Duration) {
	moved, began := d.queue.moved, time.Now()
	d.mu.Unlock()
	t := time.NewTimer(*patience)
	select {
	case <-moved:
	case <-t.C:
	}
	t.Stop()
	d.mu.Lock()
	if *patience -= time.Since(began); *patience <= 0 {
		d.queue.slow = true
	}
}

// wake tells the writer that there is something to do. Store.mu is held.
func (d *Store) wake() {
	select {
	case d.queue.more <- struct{}{}:
	default:
	}
}

// run is the writer.
func (d *Store) run() {
	for range d.queue.more {
		d.gather()
		for {
			batch := d.take()
			if len(batch) == 0 {
				break
			}
			d.keep(batch)
			d.taken(batch)
		}
		d.mu.Lock()
		closed := d.closed
		d.mu.Unlock()
		if closed {
			return
		}
	}
}

// gather waits until it is worth while to write.
func (d *Store) gather() {
	enough := func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.closed || d.queue.bytes >= min(worth, d.cfg.Queue/2)
	}
	late := time.NewTimer(linger)
	defer late.Stop()
	for !enough() {
		select {
		case <-d.queue.more:
		case <-late.C:
			return
		}
	}
}

// take gives what is written next. It stays in the queue's account until it is.
func (d *Store) take() []waiting {
	d.mu.Lock()
	defer d.mu.Unlock()
	n, bytes := 0, 0
	for n < len(d.queue.blocks) && n < maxBatchBlocks && bytes < int(min(maxBatch, d.cfg.segmentSize()/2)) {
		bytes += len(d.queue.blocks[n].Data)
		n++
	}
	batch := d.queue.blocks[:n:n]
	if d.queue.blocks = d.queue.blocks[n:]; len(d.queue.blocks) == 0 {
		d.queue.blocks = nil
	}
	d.queue.batch = batch
	return batch
}

// taken takes a batch, which was written or dropped, out of the account.
func (d *Store) taken(batch []waiting) {
	for _, b := range batch {
		if len(b.header) == alignment {
			d.heads.Put((*[alignment]byte)(b.header))
		}
		b.Done()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.queue.batch, d.queue.barred = nil, nil
	for _, b := range batch {
		d.queue.bytes -= int64(len(b.Data))
	}
	if d.queue.bytes <= d.cfg.Queue/2 {
		d.queue.slow = false
	}
	close(d.queue.moved)
	d.queue.moved = make(chan struct{})
}
