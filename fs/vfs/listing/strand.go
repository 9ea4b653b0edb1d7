package listing

import (
	"strings"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
)

// strand is one of the listings that a flat one consists of, of the keys behind from, up to and with to. Both are names next
// to root without a slash, so that no directory is in two of them.
type strand struct {
	from, to string // to "": no end
	pos      string // the last key
	open     []*opened
	r        *run // of the page that is being taken
	busy     bool // a page is under way
	done     bool
}

// opened is a directory whose last key has not been passed. Its content is as old as the page that showed it first.
type opened struct {
	dir   string
	r     *run
	self  *store.Object
	items []item
}

// take enters a page into the strand. Called with mu held.
func (f *flat) take(s *strand, p store.Page, r *run) {
	if s.done { // given up meanwhile
		f.x.changes.end(r)
		return
	}
	s.r, s.done = r, !p.More
	for i := range p.Objects {
		o := &p.Objects[i]
		if o.Key <= s.pos { // a server that does not know start-after
			continue
		}
		if s.to != "" && o.Key > s.to {
			s.done = true
			break
		}
		f.plant(s, o, r)
		f.keys++
	}
	if s.done {
		f.leave(s, "")
	}
	f.answerAbsent(s, r)
	if s.r = nil; !s.keeps(r) {
		f.x.changes.end(r)
	}
	if f.finished() {
		f.x.cache.get(f.root).walks.done(f.pages)
		f.end()
	}
}

// keeps: a directory that is open began with the run, or there may be more on its page.
func (s *strand) keeps(r *run) bool {
	if s.r == r {
		return true
	}
	for _, o := range s.open {
		if o.r == r {
			return true
		}
	}
	return false
}

func (f *flat) finished() bool {
	for _, s := range f.strands {
		if !s.done {
			return false
		}
	}
	return true
}

// plant enters an object into its directory, and that into those above.
func (f *flat) plant(s *strand, o *store.Object, r *run) {
	f.leave(s, o.Key)
	s.pos = o.Key
	dir := f.root
	if n := len(s.open); n > 0 {
		dir = s.open[n-1].dir
	}
	for {
		name, below, deep := strings.Cut(o.Key[len(dir):], "/")
		if !deep {
			break
		}
		it := item{key: name + "/"}
		if below == "" {
			it.obj = o
		}
		s.into(it)
		dir = o.Key[:len(dir)+len(name)+1]
		s.open = append(s.open, &opened{dir: dir, r: r})
	}
	switch {
	case dir == f.root: // listed before
	case o.Key == dir:
		s.open[len(s.open)-1].self = o
	default:
		s.into(item{o.Key[len(dir):], o})
	}
}

// into enters an item into the innermost directory that is open; what is next to the root is listed before.
func (s *strand) into(it item) {
	if n := len(s.open); n > 0 {
		s.open[n-1].items = append(s.open[n-1].items, it)
	}
}

// leave completes the directories that key, "" for the end, is not in.
func (f *flat) leave(s *strand, key string) {
	for n := len(s.open); n > 0; n = len(s.open) {
		o := s.open[n-1]
		if key != "" && strings.HasPrefix(key, o.dir) {
			return
		}
		s.open = s.open[:n-1]
		c := newContent(o.dir, o.r.began)
		c.self = o.self
		c.took = time.Since(c.at)
		c.close(newTable(pack(ordered(o.items))))
		f.complete(c, o.r)
		if n == 1 {
			f.tops++
		}
		if !s.keeps(o.r) {
			f.x.changes.end(o.r)
		}
	}
}

// complete enters a directory into the cache and answers who waits for it.
func (f *flat) complete(c *content, r *run) {
	f.x.install(c.dir, c, r)
	if len(f.waiting[c.dir]) > 0 {
		f.answer(c.dir, c)
		f.hit(f.pages)
	} else if d := f.x.cache.peek(c.dir); d != nil && d.content == c {
		d.flat, d.page = f, f.pages
	}
}

// answerAbsent answers for directories that the strand has passed without a key of theirs.
func (f *flat) answerAbsent(s *strand, r *run) {
	for dir := range f.waiting {
		if f.of(dir) == s && (s.done || s.pos > dir && !strings.HasPrefix(s.pos, dir)) {
			f.complete(newContent(dir, r.began), r)
		}
	}
}
