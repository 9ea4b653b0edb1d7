package listing

import (
	"context"
	"strings"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
)

const (
	// walkWindow is how long after one sign of a walk the next one may come.
	walkWindow = 30 * time.Second

	// minWalks is the number of directories below one that make a walk.
	minWalks = 2
)

// tree is a flat listing, cut into directories.
type tree map[string]*content

// fetchWalk gives the content of a directory out of a flat listing of the one
// above, or of one further up that runs already. It is nil where there is no
// walk, and where the flat listing failed or was too large: then the directory
// is asked for by itself, and its own error counts.
func (x *Index) fetchWalk(ctx context.Context, dir string) (*content, error) {
	x.mu.Lock()
	root, pages := x.walkRoot(dir, time.Now())
	x.mu.Unlock()
	if pages == 0 {
		return nil, nil //nolint:nilnil // documented: no walk
	}
	t, err := flight(ctx, x, flatKey(root), func() (tree, error) { return x.listFlat(root, pages) })
	if err != nil || t == nil {
		return nil, err
	}
	if c := t[dir]; c != nil {
		return c, nil
	}
	return newContent(t[root].at), nil // no key begins with it
}

// walkRoot decides whether the wish to read dir is part of a walk, and how many
// pages a flat listing of root may take. Called with mu held.
func (x *Index) walkRoot(dir string, now time.Time) (root string, pages int) {
	for root := range x.flats {
		if len(root) < len(dir) && strings.HasPrefix(dir, root) {
			return root, 2 * minWalks // joined, but if it has ended just now
		}
	}
	up := x.parent(dir)
	d := x.cache.peek(up)
	if d == nil || d.content == nil || d.last == dir || up == dir {
		return "", 0
	}
	if now.Sub(d.seen) > walkWindow && now.Sub(d.content.at) > walkWindow {
		d.walks.count = 0
	}
	d.last, d.seen = dir, now
	return up, d.walks.spend(minWalks)
}

// listFlat lists all that is below root, up to limit pages, and enters all its
// directories into the cache. Of a larger one it gives nil.
func (x *Index) listFlat(root string, limit int) (tree, error) {
	r, err := x.begin()
	if err != nil {
		return nil, err
	}
	defer x.end(r)
	x.mu.Lock()
	x.flats[root] = struct{}{}
	x.mu.Unlock()

	t := tree{root: newContent(r.began)}
	n, whole, err := x.pages(root, store.ListOptions{}, limit, func(began time.Time, p store.Page) {
		for _, o := range p.Objects {
			t.plant(root, o, began)
		}
	})

	x.mu.Lock()
	defer x.mu.Unlock()
	delete(x.flats, root)
	d := x.cache.get(root)
	if err != nil || !whole {
		d.walks.failed(minWalks)
		return nil, err
	}
	d.walks.done(n)
	x.complete(t, root, r)
	for dir, c := range t {
		x.install(dir, c, r)
	}
	return t, nil
}

// complete enters the directories that no key told of: those that are kept, and
// those that this mount filled or made meanwhile. Called with mu held.
func (x *Index) complete(t tree, root string, r *run) {
	grow := func(key string) { // every directory between root and key
		x.above(key, func(dir string) bool {
			if strings.HasPrefix(dir, root) && t[dir] == nil {
				t[dir] = newContent(r.began)
			}
			return true
		})
	}
	for up, names := range x.kept {
		for name := range names {
			if strings.HasPrefix(up, root) {
				grow(up + name + "/.")
			}
		}
	}
	x.changes.since(r, func(ch change) {
		switch ch.kind {
		case stored:
			grow(ch.key)
		case newDir:
			grow(ch.key + ".")
		case removed, dirRemoved, forgotten:
		}
	})
}

// plant enters an object into its directory, and that into those above. What is
// known of a directory is as old as the page that first showed it.
func (t tree) plant(root string, o store.Object, began time.Time) {
	dir := root
	rest, in := strings.CutPrefix(o.Key, root)
	for in {
		name, below, deep := strings.Cut(rest, "/")
		if !deep {
			t[dir].add(rest, o)
			return
		}
		s := t[dir].slots[name]
		if s.dir = true; below == "" {
			s.marker = &o
		}
		t[dir].slots[name] = s
		dir, rest = o.Key[:len(dir)+len(name)+1], below
		if t[dir] == nil {
			t[dir] = newContent(began)
		}
	}
}
