package listing

import (
	"maps"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// directory is what the index holds of one directory. Guarded by Index.mu.
type directory struct {
	content *content            // the last complete listing; nil: none, or too large to keep
	names   map[string]*content // single names, where the whole is not known
	big     bool                // more than one page: lookups ask for the name alone
	lookups effort              // single names asked for since the last complete listing
	walks   effort              // directories below that were read in turn
	last    string              // the last of those
	read    time.Time           // when it was listed for somebody last
	flat    *flat               // the flat listing that showed it, until it is read
	page    int                 // of that
	seen    time.Time           // the last sign of a walk: the listing, or a directory below it
	cost    cost                // as accounted for in cache.total
}

// known gives the content that answers for name at a time, nil if none does.
func (d *directory) known(name string, now time.Time, ttl time.Duration) *content {
	if d.content != nil && now.Before(d.content.until(ttl)) {
		return d.content
	}
	if c := d.names[name]; c != nil && now.Before(c.until(ttl)) {
		return c
	}
	return nil
}

// maxNames bounds the single names that a directory holds.
const maxNames = 1000

func (d *directory) addName(name string, c *content, ttl time.Duration) {
	if len(d.names) >= maxNames {
		now := time.Now()
		maps.DeleteFunc(d.names, func(_ string, o *content) bool { return !now.Before(o.until(ttl)) })
	}
	if d.names == nil || len(d.names) >= maxNames {
		d.names = make(map[string]*content)
	}
	d.names[name] = c
}

// cache is the bounded set of directories, the least recently used dropped
// first. Guarded by Index.mu.
type cache struct {
	lru   *simplelru.LRU[string, *directory]
	total cost
	limit cost
}

// cost is what a directory takes.
type cost struct{ entries, bytes int }

func (c cost) within(limit cost) bool { return c.entries <= limit.entries && c.bytes <= limit.bytes }

func (c *cost) add(o cost, sign int) {
	c.entries += sign * o.entries
	c.bytes += sign * o.bytes
}

func newCache(limit cost) *cache {
	c := &cache{limit: limit}
	// A directory costs one at least, so that the count can not be reached
	// before the limit. NewLRU fails only for a size below one.
	c.lru, _ = simplelru.NewLRU(max(limit.entries, 1), func(_ string, d *directory) { c.total.add(d.cost, -1) })
	return c
}

// get gives the record of a directory, a new one if there is none.
func (c *cache) get(dir string) *directory {
	if d, ok := c.lru.Get(dir); ok {
		return d
	}
	d := &directory{cost: cost{1, nameCost}}
	c.total.add(d.cost, 1)
	c.lru.Add(dir, d)
	return d
}

// peek gives it without a use, nil if there is none.
func (c *cache) peek(dir string) *directory {
	d, _ := c.lru.Peek(dir)
	return d
}

// account counts a directory anew after a change of it and drops others, or
// what is too large by itself.
func (c *cache) account(d *directory) {
	now := cost{1 + len(d.names), (1 + len(d.names)) * nameCost}
	if d.content != nil {
		now.add(cost{d.content.n, d.content.size()}, 1)
	}
	if !now.within(c.limit) {
		d.content, d.names, d.big, now = nil, nil, true, cost{1, nameCost}
	}
	c.total.add(d.cost, -1)
	c.total.add(now, 1)
	d.cost = now
	for !c.total.within(c.limit) {
		if _, _, ok := c.lru.RemoveOldest(); !ok {
			return
		}
	}
}

// nameCost is a directory's record, or what is known of a single name, in bytes, about.
const nameCost = 512
