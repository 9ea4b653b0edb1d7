package listing

import (
	"strings"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
)

// Stored tells that this mount stored obj: a file, or a directory's marker if
// the key ends in a slash. Directories above it exist from now on.
func (x *Index) Stored(obj store.Object) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.change(change{kind: stored, key: obj.Key, obj: &obj})
	if dir := x.parent(obj.Key); len(x.kept[dir]) == 0 {
		x.unkeep(dir) // it lives by what is stored again
	}
}

// Removed tells that this mount removed a key. The directory that it was in
// stays, empty or not, until DirRemoved.
func (x *Index) Removed(key string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.change(change{kind: removed, key: key})
	x.keepEmptied(x.parent(key))
}

// NewDir tells that this mount made a directory that was not there: it is
// known, complete and empty. Told again, it changes nothing that was learned
// since.
func (x *Index) NewDir(dir string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.change(change{kind: newDir, key: dir})
	x.unkeep(dir)
	d := x.cache.get(dir)
	if d.content == nil || d.content.n == 0 {
		d.content, d.names, d.big = newContent(dir, time.Now()), nil, false
	}
	x.cache.account(d)
}

// DirRemoved tells that this mount removed a directory with all that is below
// it (rmdir, or a rename of it, whose other side is told by NewDir and Stored).
func (x *Index) DirRemoved(dir string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	// Below an emptied directory nothing is known: rm -r pays no search.
	d := x.cache.peek(dir)
	search := d == nil || d.content == nil || d.content.n > 0
	x.change(change{kind: dirRemoved, key: dir})
	x.gone.Add(dir, struct{}{})
	x.unkeep(dir)
	delete(x.kept, dir)
	if search {
		for _, below := range x.cache.lru.Keys() {
			if below != dir && strings.HasPrefix(below, dir) {
				x.cache.lru.Remove(below)
			}
		}
		for below := range x.kept {
			if strings.HasPrefix(below, dir) {
				delete(x.kept, below)
			}
		}
	}
	x.cache.lru.Remove(dir)
	x.keepEmptied(x.parent(dir))
}

// Forget drops what is known of a directory: the next question asks the
// store, and no listing that runs already answers it.
func (x *Index) Forget(dir string) {
	x.mu.Lock()
	x.changes.record(change{kind: forgotten, key: dir})
	if d := x.cache.peek(dir); d != nil {
		*d = directory{big: d.big, lookups: d.lookups, walks: d.walks, last: d.last, seen: d.seen, cost: d.cost}
		x.cache.account(d)
	}
	if s := x.scans[dir]; s != nil {
		s.forgot = true
		delete(x.scans, dir) // who asks from now on does not join it
	}
	x.mu.Unlock()
	x.group.Forget(dirKey(dir))
}

// Keep tells that a directory is to be shown even if no key is below it, until
// DirRemoved. Removed does so by itself, but for a directory that was removed here
// and made again by others.
func (x *Index) Keep(dir string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.gone.Remove(dir)
	x.keep(dir)
}

// change makes a local change in all that is known, and remembers it for the
// listings that run.
func (x *Index) change(ch change) {
	x.changes.record(ch)
	if ch.kind == stored || ch.kind == newDir {
		x.gone.Remove(ch.key)
		x.above(ch.key, func(dir string) bool { x.gone.Remove(dir); return true })
	}
	for _, s := range x.scans {
		if ch.kind == dirRemoved && strings.HasPrefix(s.c.dir, ch.key) {
			s.dropped = true
		}
		ch.apply(s.c, nil)
	}
	if d := x.cache.peek(ch.key); d != nil && d.content != nil {
		ch.apply(d.content, nil)
		x.cache.account(d)
	}
	x.above(ch.key, func(dir string) bool {
		d := x.cache.peek(dir)
		if d == nil {
			return true
		}
		if d.content != nil {
			ch.apply(d.content, nil)
		}
		for name, c := range d.names {
			ch.apply(c, &name)
		}
		x.cache.account(d)
		return true
	})
}

// keepEmptied keeps a directory of which a key was removed, unless it is known
// to live without, or is gone itself: a removal may be told again when the store
// has confirmed it, and rmdir may have come in between.
func (x *Index) keepEmptied(dir string) {
	if d := x.cache.peek(dir); d != nil && d.content != nil && time.Now().Before(d.content.until(x.cfg.TTL)) &&
		(d.content.n > 0 || d.content.self != nil) {
		return
	}
	for up := dir; up != ""; up = parentOf(up) {
		if x.gone.Contains(up) {
			return
		}
	}
	x.keep(dir)
}

// keep keeps a directory and those above, which live by it.
func (x *Index) keep(dir string) {
	for strings.HasSuffix(dir, "/") {
		up := x.parent(dir)
		name, _, _, _ := split(up, dir)
		if x.kept[up] == nil {
			x.kept[up] = make(map[string]struct{})
		}
		x.kept[up][name] = struct{}{}
		if s := x.scans[up]; s != nil {
			s.c.addDir(name)
		}
		if d := x.cache.peek(up); d != nil {
			if d.content != nil {
				d.content.addDir(name)
				x.cache.account(d)
			}
			if c := d.names[name]; c != nil {
				c.addDir(name)
			}
		}
		dir = up
	}
}

func (x *Index) unkeep(dir string) {
	if !strings.HasSuffix(dir, "/") {
		return
	}
	up := x.parent(dir)
	name, _, _, _ := split(up, dir)
	if delete(x.kept[up], name); len(x.kept[up]) == 0 {
		delete(x.kept, up)
	}
}
