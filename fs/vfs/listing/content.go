package listing

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/s3levelfs/s3levelfs/store"
)

// slot is what is known of one name.
type slot struct {
	file   *store.Object // nil: no such file
	dir    bool
	marker *store.Object // of the directory; nil: unknown or none
}

func (s slot) empty() bool { return s.file == nil && !s.dir }

func (s slot) appendEntries(out []Entry, name string) []Entry {
	if s.file != nil {
		out = append(out, Entry{Name: name, Object: *s.file})
	}
	if s.dir {
		e := Entry{Name: name, Dir: true}
		if s.marker != nil {
			e.Marker, e.Object = true, *s.marker
		}
		out = append(out, e)
	}
	return out
}

// content is what a listing showed: a whole directory, or, from a lookup of one
// name, that name alone.
type content struct {
	at    time.Time     // the begin of the listing
	took  time.Duration // the time until its end
	slots map[string]slot
	self  *store.Object // the directory's own marker, which is no entry of it
}

func newContent(at time.Time) *content {
	return &content{at: at, slots: make(map[string]slot)}
}

// agesWith is how many times as long as it took a listing of a large directory is believed, so that listing it anew
// takes a tenth of the time at most.
const agesWith = 10

// until is when the content is too old: ttl after the listing began, later for a large directory whose listing takes long.
// Who asks for less than a second wants to see each change, whatever it costs.
func (c *content) until(ttl time.Duration) time.Time {
	if len(c.slots) > pageKeys && ttl >= time.Second {
		ttl = max(ttl, agesWith*c.took)
	}
	return c.at.Add(ttl)
}

// set replaces a slot; an empty one is no entry.
func (c *content) set(name string, s slot) {
	if s.empty() {
		delete(c.slots, name)
		return
	}
	c.slots[name] = s
}

// add enters an object of a listing with the delimiter; rest is its key behind
// the directory's prefix.
func (c *content) add(rest string, obj store.Object) {
	if rest == "" {
		c.self = &obj
		return
	}
	s := c.slots[rest]
	s.file = &obj
	c.slots[rest] = s
}

// addDir enters a directory; the slot keeps what it had.
func (c *content) addDir(name string) {
	s := c.slots[name]
	s.dir = true
	c.slots[name] = s
}

// entries are sorted by name, a file before the directory of its name.
func (c *content) entries() []Entry {
	out := make([]Entry, 0, len(c.slots))
	for _, name := range slices.Sorted(maps.Keys(c.slots)) {
		out = c.slots[name].appendEntries(out, name)
	}
	return out
}

func (c *content) entry(name string) []Entry {
	return c.slots[name].appendEntries(nil, name)
}

// directory is what the index holds of one directory. Guarded by Index.mu.
type directory struct {
	content *content            // the last complete listing; nil: none, or too large to keep
	names   map[string]*content // single names, where the whole is not known
	big     bool                // more than one page: lookups ask for the name alone
	lookups effort              // single names asked for since the last complete listing
	walks   effort              // directories below that were read in turn
	last    string              // the last of those
	seen    time.Time           // the last sign of a walk: the listing, or a directory below it
	cost    int                 // as accounted for in cache.total
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
	total int
	limit int
}

func newCache(limit int) *cache {
	c := &cache{limit: limit}
	// A directory costs one at least, so that the count can not be reached
	// before the limit. NewLRU fails only for a size below one.
	c.lru, _ = simplelru.NewLRU(max(limit, 1), func(_ string, d *directory) { c.total -= d.cost })
	return c
}

// get gives the record of a directory, a new one if there is none.
func (c *cache) get(dir string) *directory {
	if d, ok := c.lru.Get(dir); ok {
		return d
	}
	d := &directory{cost: 1}
	c.total++
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
	cost := 1 + len(d.names)
	if d.content != nil {
		cost += len(d.content.slots)
	}
	if cost > c.limit {
		d.content, d.names, d.big, cost = nil, nil, true, 1
	}
	c.total += cost - d.cost
	d.cost = cost
	for c.total > c.limit {
		if _, _, ok := c.lru.RemoveOldest(); !ok {
			return
		}
	}
}

// split cuts a key below a directory into its first element and what follows
// the slash behind it; in is false for keys outside of it, and for itself.
func split(dir, key string) (name, below string, deep, in bool) {
	rest, in := strings.CutPrefix(key, dir)
	if !in || rest == "" {
		return "", "", false, false
	}
	name, below, deep = strings.Cut(rest, "/")
	return name, below, deep, true
}
