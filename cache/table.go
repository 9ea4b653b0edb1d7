package cache

import (
	"math"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/s3levelfs/s3levelfs/store"
)

// version is the identity under which blocks are shared, and how a GET is
// pinned to it.
type version struct {
	key, etag string
	size      int64
	private   uint64 // stream that a version without an ETag belongs to, else 0
	cond      store.Cond
}

// unit names one block or page of a version.
type unit struct {
	key, etag string
	size      int64
	private   uint64
	index     int64
	page      bool
}

func (v version) unit(off, size int64) unit {
	return unit{key: v.key, etag: v.etag, size: v.size, private: v.private, index: off / size, page: size == pageSize}
}

// block holds the bytes of one unit. data is immutable from its delivery on.
type block struct {
	off  int64 // of data in the object
	data []byte
	refs int // the table and each reader; guarded by Cache.mu
}

// blockOverhead is what a block costs besides its bytes.
const blockOverhead = 512

func (b *block) cost() int64 { return int64(len(b.data)) + blockOverhead }

// table is the least-recently-used table of cached blocks, bounded in
// bytes. Cache.mu guards it.
type table struct {
	lru     *simplelru.LRU[unit, *block]
	budget  int64
	bytes   int64
	evicted int64
	drop    func(*block) // takes the table's reference away
}

func newTable(budget int64, drop func(*block)) *table {
	// The table counts bytes itself: no block is small enough for the
	// library's count to bind first.
	lru, err := simplelru.NewLRU[unit, *block](math.MaxInt, nil)
	if err != nil { // only for a size that is not positive
		panic("cache: " + err.Error())
	}
	return &table{lru: lru, budget: budget, drop: drop}
}

func (t *table) get(u unit) (*block, bool) { return t.lru.Get(u) }

// add takes over one reference of b.
func (t *table) add(u unit, b *block) {
	t.remove(u)
	t.lru.Add(u, b)
	t.bytes += b.cost()
	for t.bytes > t.budget {
		_, oldest, ok := t.lru.RemoveOldest()
		if !ok {
			return
		}
		t.bytes -= oldest.cost()
		t.evicted++
		t.drop(oldest)
	}
}

// remove drops a block, if it is there.
func (t *table) remove(u unit) {
	if b, ok := t.lru.Peek(u); ok {
		t.lru.Remove(u)
		t.bytes -= b.cost()
		t.drop(b)
	}
}

func (t *table) purge() {
	for _, b := range t.lru.Values() {
		t.drop(b)
	}
	t.lru.Purge()
	t.bytes = 0
}
