package listing

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
)

const (
	// pageKeys is the most that one answer holds. Source: S3 API reference,
	// ListObjectsV2.
	pageKeys = 1000

	// namePage is enough for the siblings that sort between "name" and
	// "name/" in all but made-up directories.
	namePage = 100

	// minLookups is the number of single names that a directory of unknown size
	// is asked for before the first try to list it whole.
	minLookups = 8
)

// Keys of the singleflight group. Of probes there is one at a time, whatever
// their directory.
const probeKey = "p"

func dirKey(dir string) string        { return "d" + dir } // one page or more
func nameKey(dir, name string) string { return "n" + dir + "\x00" + name }

// flight runs a listing on the index's context, one at a time for a key, and
// waits for it as long as the caller's context lasts.
func flight[T any](ctx context.Context, x *Index, key string, list func() (T, error)) (T, error) {
	ch := x.group.DoChan(key, func() (any, error) { return list() })
	select {
	case res := <-ch:
		v, _ := res.Val.(T)
		return v, res.Err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// fetchName lists what answers for one name: the directory, or the name alone.
func (x *Index) fetchName(ctx context.Context, dir, name string) (*content, error) {
	c, running, err := x.scanned(ctx, dir, name)
	if c != nil || err != nil {
		return c, err
	}
	x.mu.Lock()
	d, pages := x.cache.get(dir), 1
	if running {
		pages = 0
	}
	if d.big && !running {
		pages = d.lookups.spend(minLookups)
	}
	x.mu.Unlock()
	if pages > 0 {
		c, err := flight(ctx, x, dirKey(dir), func() (*content, error) { return x.listDir(dir, pages) })
		if c != nil || err != nil {
			return c, err
		}
	}
	return flight(ctx, x, nameKey(dir, name), func() (*content, error) { return x.listName(dir, name) })
}

// scanned waits for the first page of the scan of a directory that is on its way, and gives what the scan tells of a name. running
// is false where none is, or it fails.
func (x *Index) scanned(ctx context.Context, dir, name string) (c *content, running bool, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	s := x.scans[dir]
	if s == nil {
		return nil, false, nil
	}
	s.readers++
	defer s.leave()
	for s.pages == 0 && !s.finished && err == nil {
		err = s.await(ctx)
	}
	if running = err == nil && s.err == nil; running {
		c = s.lookup(name)
	}
	return c, running, err
}

// begin enters a listing; end must follow.
func (x *Index) begin() (*run, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return nil, ErrClosed
	}
	x.wg.Add(1)
	return x.changes.begin(), nil
}

func (x *Index) end(r *run) {
	x.mu.Lock()
	x.changes.end(r)
	x.mu.Unlock()
	x.wg.Done()
}

// observe takes the outcome of a listing's request. Called with mu held.
func (x *Index) observe(began time.Time, err error, p store.Page) {
	x.health.observe(began, err)
	if err == nil {
		x.pace.observe(time.Since(began), len(p.Objects)+len(p.Prefixes))
	}
}

// pages lists up to limit pages (0 = all), and tells how many there were and
// whether that was all.
func (x *Index) pages(prefix string, o store.ListOptions, limit int, add func(began time.Time, p store.Page)) (n int, whole bool, err error) {
	began := time.Now()
	for p, err := range x.store.List(x.ctx, prefix, o) {
		x.mu.Lock()
		x.observe(began, err, p)
		x.mu.Unlock()
		if err != nil {
			return n, false, err
		}
		add(began, p)
		if n++; n == limit && p.More {
			return n, false, nil
		}
		began = time.Now()
	}
	return n, true, x.ctx.Err()
}

// listDir lists a directory of up to limit pages and enters it into the cache. Of a larger one it gives nil.
func (x *Index) listDir(dir string, limit int) (*content, error) {
	r, err := x.begin()
	if err != nil {
		return nil, err
	}
	defer x.end(r)
	c := newContent(dir, r.began)
	var items []item
	n, whole, err := x.pages(dir, store.ListOptions{Delimiter: "/"}, limit, func(_ time.Time, p store.Page) {
		items = append(items, pageItems(dir, p, &c.self)...)
	})
	if err != nil {
		return nil, err
	}
	c.took = time.Since(c.at)
	c.close(newTable(pack(ordered(items))))
	x.mu.Lock()
	defer x.mu.Unlock()
	d := x.cache.get(dir)
	if !whole {
		d.big = true
		if limit > 1 {
			d.lookups.tooLarge(limit, minLookups)
		}
		return nil, nil //nolint:nilnil // documented: too large for the limit
	}
	d.lookups.done(n)
	x.install(dir, c, r)
	return c, nil
}

// pageItems gives the items of a page of a directory's listing with the delimiter, and its own marker.
func pageItems(dir string, p store.Page, self **store.Object) []item {
	items := make([]item, 0, len(p.Objects)+len(p.Prefixes))
	for i := range p.Objects {
		o := &p.Objects[i]
		if rest, in := strings.CutPrefix(o.Key, dir); in && rest != "" {
			items = append(items, item{rest, o})
		} else if in {
			marker := *o
			*self = &marker
		}
	}
	for _, sub := range p.Prefixes {
		if name, _, deep, in := split(dir, sub); in && deep {
			items = append(items, item{key: name + "/"})
		}
	}
	return ordered(items)
}

// ordered sorts items, and drops what is there twice.
func ordered(items []item) []item {
	byKey := func(a, b item) int { return strings.Compare(a.key, b.key) }
	if !slices.IsSortedFunc(items, byKey) {
		slices.SortStableFunc(items, byKey)
	}
	return slices.CompactFunc(items, func(a, b item) bool { return a.key == b.key })
}

// install makes c the content of dir, after the local changes that its listing
// may have missed. Called with mu held.
func (x *Index) install(dir string, c *content, r *run) {
	cacheable := true
	x.changes.since(r, func(ch change) {
		if !ch.apply(c, nil) {
			cacheable = false
		}
	})
	for name := range x.kept[dir] {
		c.addDir(name)
	}
	d := x.cache.get(dir)
	if !cacheable || d.content != nil && d.content.at.After(c.at) {
		return
	}
	d.content, d.names, d.big, d.flat = c, nil, c.n > pageKeys, nil
	x.cache.account(d)
	x.tellMarker(dir, c.self)
}

// tellMarker lets the directory above know whether dir has a marker.
func (x *Index) tellMarker(dir string, marker *store.Object) {
	up := x.cache.peek(x.parent(dir))
	if up == nil || up.content == nil {
		return
	}
	if name, _, _, in := split(x.parent(dir), dir); in {
		up.content.mark(name, marker)
	}
}

// listName lists one name of a directory: the object and the common prefix.
func (x *Index) listName(dir, name string) (*content, error) {
	r, err := x.begin()
	if err != nil {
		return nil, err
	}
	defer x.end(r)
	c, key := newContent(dir, r.began), dir+name
	_, whole, err := x.pages(key, store.ListOptions{Delimiter: "/", PageSize: namePage}, 1, func(_ time.Time, p store.Page) {
		for _, o := range p.Objects {
			if o.Key == key && name != "" {
				c.add(name, o)
			}
		}
		for _, sub := range p.Prefixes {
			if sub == key+"/" {
				c.addDir(name)
			}
		}
	})
	if _, found := c.get(name + "/"); err == nil && !whole && !found {
		_, _, err = x.pages(key+"/", store.ListOptions{PageSize: 1}, 1, func(_ time.Time, p store.Page) {
			for range p.Objects {
				c.addDir(name)
			}
		})
	}
	if err != nil {
		return nil, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	cacheable := true
	x.changes.since(r, func(ch change) {
		if !ch.apply(c, &name) {
			cacheable = false
		}
	})
	if _, kept := x.kept[dir][name]; kept {
		c.addDir(name)
	}
	if cacheable {
		d := x.cache.get(dir)
		d.addName(name, c, x.cfg.TTL)
		x.cache.account(d)
	}
	return c, nil
}
