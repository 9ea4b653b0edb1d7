package listing

import (
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
)

// content is what a listing showed: a whole directory, or, from a lookup of one
// name, that name alone. What the listing told is in base, what this mount changed since is over it.
type content struct {
	dir  string        // the key prefix
	at   time.Time     // the begin of the listing
	took time.Duration // the time until its end
	base *table
	over []edit        // sorted by key
	n    int           // items
	self *store.Object // the directory's own marker, which is no entry of it

	// open: base is not there yet, so that what goes has to be remembered, whether it was listed or not.
	open bool
}

// edit is a local change of one item.
type edit struct {
	item
	gone bool
}

func newContent(dir string, at time.Time) *content {
	return &content{dir: dir, at: at, base: &table{}}
}

// agesWith is how many times as long as it took a listing of a large directory is believed, so that listing it anew
// takes a tenth of the time at most.
const agesWith = 10

// until is when the content is too old: ttl after the listing began, later for a large directory whose listing takes long.
// Who asks for less than a second wants to see each change, whatever it costs.
func (c *content) until(ttl time.Duration) time.Time {
	if c.n > pageKeys && ttl >= time.Second {
		ttl = max(ttl, agesWith*c.took)
	}
	return c.at.Add(ttl)
}

// search finds where a key is among the changes, or would be.
func (c *content) search(key string) (i int, found bool) {
	return seek(c.over, key)
}

func seek(over []edit, key string) (i int, found bool) {
	return slices.BinarySearchFunc(over, key, func(e edit, key string) int { return strings.Compare(e.key, key) })
}

// get gives the item of a key.
func (c *content) get(key string) (item, bool) {
	if i, found := c.search(key); found {
		return c.over[i].item, !c.over[i].gone
	}
	return c.base.find(key, c.dir)
}

// put enters or replaces an item.
func (c *content) put(it item) {
	i, found := c.search(it.key)
	switch {
	case found:
		if c.over[i].gone {
			c.n++
		}
		c.over[i] = edit{item: it}
		return
	case !c.listed(it.key):
		c.n++
	}
	c.over = slices.Insert(c.over, i, edit{item: it})
	c.settle()
}

// drop takes an item out.
func (c *content) drop(key string) {
	i, found := c.search(key)
	listed := c.open || c.listed(key)
	switch {
	case found && c.over[i].gone, !found && !listed:
		return
	case found && listed:
		c.over[i] = edit{item{key: key}, true}
	case found:
		c.over = slices.Delete(c.over, i, i+1)
	default:
		c.over = slices.Insert(c.over, i, edit{item{key: key}, true})
	}
	if found || !c.open {
		c.n--
	}
	c.settle()
}

func (c *content) listed(key string) bool {
	_, ok := c.base.find(key, c.dir)
	return ok
}

// minSettle is the number of changes that are kept apart at least.
const minSettle = 1024

// settle packs the changes with the rest, so rarely that a change costs the packing of a few items.
func (c *content) settle() {
	if !c.open && len(c.over) > max(minSettle, c.n/8) {
		c.base, c.over = newTable(pack(slices.Collect(c.items()))), nil
	}
}

// close gives an open content what was listed.
func (c *content) close(t *table) {
	c.open, c.base, c.n = false, t, t.n
	c.over = slices.DeleteFunc(c.over, func(ch edit) bool {
		listed := c.listed(ch.key)
		switch {
		case ch.gone && listed:
			c.n--
		case !ch.gone && !listed:
			c.n++
		}
		return ch.gone && !listed
	})
	c.settle()
}

// clear: there is nothing any more.
func (c *content) clear() { c.base, c.over, c.n, c.self = &table{}, nil, 0, nil }

// add enters an object of a listing with the delimiter; rest is its key behind
// the directory's prefix.
func (c *content) add(rest string, obj store.Object) {
	if rest == "" {
		c.self = &obj
		return
	}
	c.put(item{rest, &obj})
}

// addDir enters a directory, if it is not there.
func (c *content) addDir(name string) {
	if _, there := c.get(name + "/"); !there {
		c.put(item{key: name + "/"})
	}
}

// mark notes what is known of the marker of a directory that is there.
func (c *content) mark(name string, marker *store.Object) {
	it, there := c.get(name + "/")
	if there && (it.obj != nil || marker != nil) {
		c.put(item{name + "/", marker})
	}
}

// items gives all, in order.
func (c *content) items() iter.Seq[item] { return c.behind("") }

// behind gives what comes after a key, in order.
func (c *content) behind(key string) iter.Seq[item] {
	i, found := c.search(key)
	if found {
		i++
	}
	return overlay(c.base.behind(key, c.dir), c.over[i:])
}

// overlay gives items with the changes over them, in order.
func overlay(items iter.Seq[item], over []edit) iter.Seq[item] {
	return func(yield func(item) bool) {
		over := over
		for it := range items {
			for len(over) > 0 && over[0].key < it.key {
				if !over[0].gone && !yield(over[0].item) {
					return
				}
				over = over[1:]
			}
			if len(over) > 0 && over[0].key == it.key {
				continue
			}
			if !yield(it) {
				return
			}
		}
		for _, ch := range over {
			if !ch.gone && !yield(ch.item) {
				return
			}
		}
	}
}

// size is what it takes in memory, in bytes, about.
func (c *content) size() int { return c.base.size() + len(c.over)*changeCost }

// changeCost is a change with its object, in bytes, about.
const changeCost = 256

func (it item) entry() Entry {
	name, dir := strings.CutSuffix(it.key, "/")
	e := Entry{Name: name, Dir: dir}
	if it.obj != nil {
		e.Marker, e.Object = dir, *it.obj
	}
	return e
}

func (c *content) entry(name string) (out []Entry) {
	for _, key := range []string{name, name + "/"} {
		if it, ok := c.get(key); ok && key != "" {
			out = append(out, it.entry())
		}
	}
	return out
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
