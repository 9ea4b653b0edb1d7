package listing

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
)

// ErrDisorder is told at most once: parts of a directory were listed by themselves, and then keys came that may belong into
// another part. From then on directories are listed by one listing.
var ErrDisorder = errors.New("the store lists keys in no order")

// scan is a listing of a whole directory under way, which any number of readers follow. Guarded by Index.mu.
//
// It begins as one listing. Where that pays (see gear) the part that is left to list is split at a name guessed from those
// seen, and the parts are listed at once. A part ends where the next begins, so that each costs one page more than its share
// at most, and there are never more than a part for 3 pages: half as many pages again as one listing at the worst.
type scan struct {
	x      *Index
	c      *content // open: what this mount changes while the scan runs
	r      *run
	ctx    context.Context
	cancel context.CancelFunc

	first    *part
	strays   []item // came behind larger keys: the store has no order
	pages    int
	keys     int
	splits   int
	working  int // parts that are being listed
	gear     gear
	readers  int
	dropped  bool // the directory was removed here: nothing listed is there any more
	forgot   bool // not to be kept
	finished bool
	err      error
	more     chan struct{} // closed when anything has come
}

// part is a part of the keys: those behind from, up to and with to.
type part struct {
	from, to string
	bounded  bool // to is the end
	chunks   []chunk
	begin    string // the first key that came
	pos      string // the last
	n        int
	names    []string // some of the last page
	done     bool
	next     *part
}

// join follows the scan of a directory, a new one if none runs. leave must follow. Called with mu held.
func (x *Index) join(dir string) (*scan, error) {
	s := x.scans[dir]
	if s == nil {
		if x.closed {
			return nil, ErrClosed
		}
		s = &scan{x: x, r: x.changes.begin(), first: &part{}, more: make(chan struct{})}
		s.c = newContent(dir, s.r.began)
		s.c.open = true
		s.ctx, s.cancel = context.WithCancel(x.ctx)
		for name := range x.kept[dir] {
			s.c.addDir(name)
		}
		x.scans[dir] = s
		s.list(s.first)
	}
	s.readers++
	return s, nil
}

// leave ends a scan that nobody follows any more. Called with mu held.
func (s *scan) leave() {
	if s.readers--; s.readers == 0 && !s.finished {
		s.finish(context.Canceled)
	}
}

// list starts the listing of a part. Called with mu held.
func (s *scan) list(p *part) {
	s.working++
	s.x.wg.Add(1)
	o := store.ListOptions{Delimiter: "/"}
	if p.from != "" {
		o.StartAfter = s.c.dir + p.from
	}
	go func() {
		defer s.x.wg.Done()
		began := time.Now()
		for page, err := range s.x.store.List(s.ctx, s.c.dir, o) {
			if !s.take(p, page, began, err) {
				return
			}
			began = time.Now()
		}
	}()
}

// take enters a page. It reports whether the part goes on.
func (s *scan) take(p *part, page store.Page, began time.Time, err error) bool {
	s.x.mu.Lock()
	defer s.x.mu.Unlock()
	if s.finished {
		return false
	}
	s.x.observe(began, err, page)
	if err != nil {
		s.finish(err)
		return false
	}
	s.pages++
	if !s.enter(p, pageItems(s.c.dir, page, &s.c.self)) {
		return false
	}
	p.done = p.done || !page.More
	s.gear.page(time.Now(), began, s.working, len(page.Objects)+len(page.Prefixes))
	if p.done {
		s.working--
	}
	s.grow()
	if s.working == 0 {
		s.finish(nil)
	}
	s.tell()
	return !p.done
}

// tell wakes the readers.
func (s *scan) tell() {
	close(s.more)
	s.more = make(chan struct{})
}

// enter takes what of a page belongs to the part. It reports false where the scan has failed.
func (s *scan) enter(p *part, items []item) bool {
	for len(items) > 0 && items[0].key <= max(p.pos, p.from) {
		switch { // what was listed before, by a server that does not know start-after, or one without order
		case items[0].key <= p.from:
			s.x.serial = true
		case s.splits > 0:
			s.x.serial = true
			s.finish(ErrDisorder)
			return false
		default:
			s.strays = append(s.strays, items[0])
		}
		items = items[1:]
	}
	if p.bounded {
		n, _ := slices.BinarySearchFunc(items, p.to, func(it item, to string) int {
			if it.key <= to {
				return -1
			}
			return 1
		})
		p.done = n < len(items)
		items = items[:n]
	}
	if len(items) == 0 {
		return true
	}
	if p.n == 0 {
		p.begin = items[0].key
	}
	p.pos, p.n = items[len(items)-1].key, p.n+len(items)
	p.done = p.done || p.bounded && p.pos == p.to
	s.keys += len(items)
	p.chunks = append(p.chunks, pack(items)...)
	p.names = p.names[:0]
	for i := 0; i < len(items); i += 1 + len(items)/sampled {
		p.names = append(p.names, items[i].key)
	}
	p.names = append(p.names, p.pos)
	return true
}

// sampled is how many names of a page are looked at to guess what comes.
const sampled = 50

// grow splits parts as long as more may be listed at once. Called with mu held.
func (s *scan) grow() {
	for s.x.pace.distant() && !s.x.serial && len(s.strays) == 0 &&
		s.working < s.gear.parts && s.affords() {
		p, mid := s.widest()
		if p == nil {
			return
		}
		p.next = &part{from: mid, to: p.to, bounded: p.bounded, next: p.next}
		p.to, p.bounded = mid, true
		s.splits++
		s.list(p.next)
	}
}

// affords: one part more keeps the pages, of which each part has a half empty one at its end on average, below half as many again as
// one listing has.
func (s *scan) affords() bool {
	full := float64(s.keys) / pageKeys
	return float64(s.pages)-full+float64(s.working+1)*0.45 <= full*9/20
}

// sureKeys is how much has to be left of a part whose end is known to be among names, to be split rather than one of which nobody knows
// how far it goes: of the latter, what lies behind the last name is asked for in vain.
const sureKeys = 4 * pageKeys

// widest is the part with most left, and where to split it; nil if there is none with two pages left.
func (s *scan) widest() (widest *part, mid string) {
	most, sure := 2*pageKeys-1, false
	for p := s.first; p != nil; p = p.next {
		if p.done || p.n == 0 {
			continue
		}
		at, left := stretch{p.names, s.first.begin, p.begin, p.pos, p.n, p.to, p.bounded}.split()
		known := p.bounded && p.next.n > 0 && left >= sureKeys
		if at != "" && left > most && known == sure || known && !sure {
			widest, mid, most, sure = p, at, left, known
		}
	}
	return widest, mid
}

// finish ends the scan and enters what it has found into the cache. Called with mu held.
func (s *scan) finish(err error) {
	s.finished, s.err = true, err
	s.cancel()
	x, dir := s.x, s.c.dir
	if x.scans[dir] == s {
		delete(x.scans, dir)
	}
	if err == nil && !s.forgot {
		c := newContent(dir, s.c.at)
		c.self, c.took = s.c.self, time.Since(s.c.at)
		c.open, c.over = true, slices.Clone(s.c.over)
		c.close(s.table())
		d := x.cache.get(dir)
		d.lookups.done(s.pages)
		if d.content == nil || !d.content.at.After(c.at) {
			d.content, d.names, d.big, d.flat = c, nil, c.n > pageKeys, nil
			x.cache.account(d)
			x.tellMarker(dir, c.self)
		}
	}
	x.changes.end(s.r)
	s.tell()
}

// table is all that was listed.
func (s *scan) table() *table {
	if s.dropped {
		return &table{}
	}
	var chunks []chunk
	for p := s.first; p != nil; p = p.next {
		chunks = append(chunks, p.chunks...)
	}
	t := newTable(chunks)
	if len(s.strays) > 0 {
		t = newTable(pack(ordered(slices.AppendSeq(s.strays, t.behind("", s.c.dir)))))
	}
	return t
}

// find gives the item of a key, or its absence, if the scan has passed it already.
func (s *scan) find(key string) (it item, there, passed bool) {
	if i, found := s.c.search(key); found {
		return s.c.over[i].item, !s.c.over[i].gone, true
	}
	if s.dropped {
		return item{}, false, true
	}
	p := s.first
	for p.next != nil && key > p.to {
		p = p.next
	}
	if !p.done && p.pos <= key || len(s.strays) > 0 {
		return item{}, false, false
	}
	it, there = (&table{chunks: p.chunks}).find(key, s.c.dir)
	return it, there, true
}

// lookup is what the scan tells of one name, nil if it has not come to it.
func (s *scan) lookup(name string) *content {
	c := newContent(s.c.dir, s.c.at)
	for _, key := range []string{name, name + "/"} {
		if key == "" {
			continue
		}
		it, there, passed := s.find(key)
		if !passed {
			return nil
		}
		if there {
			c.put(it)
		}
	}
	return c
}

// gear decides how many parts of a directory are listed at once: twice as many as long as that is worthwhile.
// Each listing of a server that reads the whole directory for each page takes longer the more there are.
type gear struct {
	parts int
	fixed bool
	rate  float64 // names a second with half as many
	since time.Time
	pages int
	names int // of those
	full  int // names of the first page
}

const (
	maxParts = 16

	// worthwhile is how much more twice as many parts have to bring. Of a server with two processors, each of which a page takes twice as
	// long as the way, four parts bring a fifth more than two, and cost as much in half empty pages.
	worthwhile = 1.3
)

// page notes a page with so many names that was asked for at began. The first one tells what one part brings.
func (g *gear) page(now, began time.Time, working, names int) {
	if g.fixed {
		return
	}
	if g.parts == 0 {
		g.parts, g.since, g.full = 2, now, names
		if took := now.Sub(began).Seconds(); took > 0 {
			g.rate = float64(names) / took
		}
		return
	}
	if working < g.parts || names < g.full/2 { // the end of a part, or of all: it tells nothing
		g.since, g.pages, g.names = now, 0, 0
		return
	}
	took := now.Sub(g.since).Seconds()
	g.names += names
	if g.pages++; g.pages < g.parts || took <= 0 {
		return
	}
	rate := float64(g.names) / took
	if rate < g.rate*worthwhile {
		g.parts, g.fixed = g.parts/2, true
		return
	}
	g.rate, g.since, g.pages, g.names = rate, now, 0, 0
	if g.parts *= 2; g.parts > maxParts {
		g.parts, g.fixed = maxParts, true
	}
}
