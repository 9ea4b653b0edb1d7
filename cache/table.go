package cache

import "github.com/s3levelfs/s3levelfs/store"

// versionKey is the identity under which blocks are shared.
type versionKey struct {
	key, etag string
	size      int64
	private   uint64 // stream that a version without an ETag belongs to, else 0
}

// version is that, and how a GET is pinned to it.
type version struct {
	versionKey
	cond store.Cond
}

// unitID names one block or page of a version.
type unitID int64

func unitAt(off, size int64) unitID {
	id := unitID(off / size << 1)
	if size == pageSize {
		id |= 1
	}
	return id
}

func (id unitID) index() int64 { return int64(id >> 1) }
func (id unitID) page() bool   { return id&1 != 0 }

// entry is what there is of one version: a version is looked up once for a read, its units by a number. It is known to the
// table while it has units.
type entry struct {
	versionKey
	units map[unitID]slot
}

// slot is one unit: cached, in flight, or (fetched anew while it is cached as something else) both.
type slot struct {
	block *block
	piece *piece
}

// block holds the bytes of one unit. data is immutable from its delivery on.
type block struct {
	off  int64 // of data in the object
	data []byte

	// The rest is guarded by Cache.mu.
	refs       int // the table and each reader
	entry      *entry
	id         unitID
	list       *blockList // of the table; nil = not in it
	prev, next *block
}

// blockOverhead is what a block costs besides its bytes.
const blockOverhead = 512

func (b *block) cost() int64 { return int64(len(b.data)) + blockOverhead }
func (b *block) ends() int64 { return b.off + int64(len(b.data)) }

// blockList is a list of blocks, the latest first.
type blockList struct {
	first, last *block
	bytes       int64
	n           int
}

func (l *blockList) push(b *block) {
	b.list, b.prev, b.next = l, nil, l.first
	if l.first != nil {
		l.first.prev = b
	} else {
		l.last = b
	}
	l.first = b
	l.bytes += b.cost()
	l.n++
}

func (l *blockList) remove(b *block) {
	if b.prev != nil {
		b.prev.next = b.next
	} else {
		l.first = b.next
	}
	if b.next != nil {
		b.next.prev = b.prev
	} else {
		l.last = b.prev
	}
	b.list, b.prev, b.next = nil, nil, nil
	l.bytes -= b.cost()
	l.n--
}

// spentLeast is what they may have in a small table.
const spentLeast = 2 << 20

// spentShare is the part of the table that blocks may have which a sequential reader is through with: the kernel has
// them. A sixteenth is enough for a second reader close behind and for what the kernel asks for out of order.
const spentShare = 16

// table is the table of all units, and the order in which the cached ones go: first what sequential readers are
// through with, then the least recently used. Cache.mu guards it.
type table struct {
	entries map[versionKey]*entry
	recent  blockList
	spent   blockList
	budget  int64 // bytes of both
	evicted int64
	drop    func(*block) // takes the table's reference away
}

func newTable(budget int64, drop func(*block)) *table {
	return &table{entries: map[versionKey]*entry{}, budget: budget, drop: drop}
}

func (t *table) bytes() int64 { return t.recent.bytes + t.spent.bytes }

// entry finds or makes the entry of a version. One that stays without units is to be forgotten.
func (t *table) entry(k versionKey) *entry {
	e := t.entries[k]
	if e == nil {
		e = &entry{versionKey: k, units: map[unitID]slot{}}
		t.entries[k] = e
	}
	return e
}

// forget drops an entry without units.
func (t *table) forget(e *entry) {
	if len(e.units) == 0 && t.entries[e.versionKey] == e {
		delete(t.entries, e.versionKey)
	}
}

// set changes one unit of an entry of the table.
func (t *table) set(e *entry, id unitID, s slot) {
	if s == (slot{}) {
		delete(e.units, id)
		t.forget(e)
		return
	}
	e.units[id] = s
}

// land makes a piece that was in flight unknown.
func (t *table) land(p *piece) {
	if e := t.entries[p.fetch.v.versionKey]; e != nil {
		if s := e.units[p.id]; s.piece == p {
			t.set(e, p.id, slot{block: s.block})
		}
	}
}

// find returns the block of a unit, nil = not cached.
func (t *table) find(k versionKey, id unitID) *block {
	if e := t.entries[k]; e != nil {
		return e.units[id].block
	}
	return nil
}

// add takes over one reference of b.
func (t *table) add(k versionKey, id unitID, b *block) {
	e := t.entry(k)
	s := e.units[id]
	old := s.block
	s.block = b
	b.entry, b.id = e, id
	t.set(e, id, s)
	if old != nil {
		old.list.remove(old)
		t.drop(old)
	}
	t.recent.push(b)
	for t.bytes() > t.budget && t.evict() {
	}
}

// touch notes that a block was used: it is the last one to go.
func (t *table) touch(b *block) {
	if b.list != nil && t.recent.first != b {
		b.list.remove(b)
		t.recent.push(b)
	}
}

// spend notes that a sequential reader is through with a block.
func (t *table) spend(b *block) {
	if b.list != &t.recent {
		return
	}
	t.recent.remove(b)
	t.spent.push(b)
	for t.spent.bytes > max(t.budget/spentShare, min(spentLeast, t.budget/2)) {
		t.evict()
	}
}

// evict drops the block that goes first; false = there is none.
func (t *table) evict() bool {
	b := t.spent.last
	if b == nil {
		b = t.recent.last
	}
	if b == nil {
		return false
	}
	t.evicted++
	t.remove(b)
	return true
}

// remove drops a block, if it is cached.
func (t *table) remove(b *block) {
	if b.list == nil {
		return
	}
	b.list.remove(b)
	t.set(b.entry, b.id, slot{piece: b.entry.units[b.id].piece})
	t.drop(b)
}

// purge drops all blocks.
func (t *table) purge() {
	for t.evict() {
		t.evicted--
	}
}
