package listing

import (
	"context"
	"sort"
	"strings"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
)

const (
	// walkWindow is how long after one sign of a walk the next one may come.
	walkWindow = 30 * time.Second

	// minWalks is the number of directories below one that make a walk, where the first of them was not read first.
	minWalks = 2

	// walkStep is how many pages each directory that was read out of a flat listing pays for ahead, and walkAhead is the most
	// that are ahead of the walk.
	walkStep, walkAhead = 4, 64

	// walkIdle is how long a flat listing waits for the walk to go on.
	walkIdle = 10 * time.Second

	// strandPages is how many pages a strand should have at least: of each the last one is full only by chance.
	strandPages = 4
	maxStrands  = 8
)

// flat is a flat listing of what is below one directory, taken as a walk goes on: each directory that was read out of it
// allows some pages more. It enters a directory into the cache as soon as it has passed its last key. Guarded by
// Index.mu.
type flat struct {
	x       *Index
	root    string
	ctx     context.Context
	cancel  context.CancelFunc
	strands []*strand // in the order of their keys
	pages   int       // that came or are under way
	allowed int
	hits    int // directories that were read out of it
	keys    int // that were seen, and directories next to root that were passed, to know how much is left
	tops    int
	waiting map[string][]chan *content // by directory
	more    chan struct{}              // closed when more is allowed
	err     error
}

// before is the key behind which everything in a directory is listed, and no part of another one.
func before(dir string) string { return strings.TrimSuffix(dir, "/") + "." }

// fetchWalk gives the content of a directory out of a flat listing of the one above, or of one further up. It is nil where there
// is no walk, and where the flat listing failed or did not get there: then the directory is asked for by itself, and
// its own error counts. But a store that has been silent for long is not asked twice.
func (x *Index) fetchWalk(ctx context.Context, dir string) (*content, error) {
	x.mu.Lock()
	began := time.Now()
	var f *flat
	if x.scans[dir] == nil {
		f = x.flatFor(dir, began)
	}
	if f == nil {
		x.mu.Unlock()
		return nil, nil //nolint:nilnil // documented: no walk
	}
	answer := make(chan *content, 1)
	f.waiting[dir] = append(f.waiting[dir], answer)
	x.mu.Unlock()
	select {
	case c := <-answer:
		x.mu.Lock()
		defer x.mu.Unlock()
		if c == nil && unavailable(f.err) && time.Since(began) > patience {
			return nil, f.err
		}
		return c, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// flatFor finds or begins the flat listing that dir is read out of. Called with mu held.
func (x *Index) flatFor(dir string, now time.Time) *flat {
	if x.closed {
		return nil
	}
	for _, f := range x.flats {
		if strings.HasPrefix(dir, f.root) && dir != f.root {
			if f.near(dir) {
				return f
			}
			return nil
		}
	}
	up := x.parent(dir)
	d := x.cache.peek(up)
	if d == nil || d.content == nil || d.last == dir || up == dir || now.Sub(d.read) > walkWindow {
		return nil
	}
	if now.Sub(d.seen) > walkWindow && now.Sub(d.content.at) > walkWindow {
		d.walks.count = 0
	}
	first := d.last == "" && d.content.firstDir() == dir[len(up):]
	d.last, d.seen = dir, now
	pages := d.walks.spend(minWalks)
	if pages == 0 && first {
		pages = 1 // it costs what listing the directory costs
	}
	if pages == 0 {
		return nil
	}
	return x.newFlat(up, dir, pages)
}

// firstDir is the first directory in it, "" if there is none.
func (c *content) firstDir() string {
	for it := range c.items() {
		if strings.HasSuffix(it.key, "/") {
			return it.key
		}
	}
	return ""
}

func (x *Index) newFlat(root, dir string, pages int) *flat {
	f := &flat{x: x, root: root, allowed: pages, waiting: make(map[string][]chan *content), more: make(chan struct{})}
	f.ctx, f.cancel = context.WithCancel(x.ctx)
	x.flats[root] = f
	f.start(&strand{from: before(dir)})
	return f
}

// start adds a strand behind the others. Called with mu held.
func (f *flat) start(s *strand) {
	s.pos = s.from
	f.strands = append(f.strands, s)
	f.x.wg.Add(1)
	go f.list(s)
}

// of is the strand that a directory is in, nil for what lies before the first.
func (f *flat) of(dir string) *strand {
	i := sort.Search(len(f.strands), func(i int) bool { return f.strands[i].from >= dir }) - 1
	if i < 0 {
		return nil
	}
	return f.strands[i]
}

// near: the listing has not passed a directory, and is about to.
func (f *flat) near(dir string) bool {
	s := f.of(dir)
	if s == nil || s.done || s.pos > dir && !strings.HasPrefix(s.pos, dir) {
		return false
	}
	up := f.x.cache.peek(f.root)
	if up == nil || up.content == nil || f.tops == 0 {
		return true
	}
	between := 0
	for it := range up.content.behind(s.pos[len(f.root):]) {
		if f.root+it.key >= dir {
			break
		}
		if between++; between*f.keys/f.tops > 2*pageKeys {
			return false
		}
	}
	return true
}

// hit notes that a directory was read which a page had shown. Called with mu held.
func (f *flat) hit(page int) {
	if f.hits++; f.hits < minWalks {
		return
	}
	if allowed := page + min(walkStep*f.hits, walkAhead); allowed > f.allowed {
		f.allowed = allowed
		f.split()
		close(f.more)
		f.more = make(chan struct{})
	}
}

// split shares what is left of the last strand among several, where requests take long by themselves and there is enough
// left for each. Called with mu held.
func (f *flat) split() {
	up := f.x.cache.peek(f.root)
	last := f.strands[len(f.strands)-1]
	if up == nil || up.content == nil || f.tops == 0 || last.done || !f.x.pace.distant() {
		return
	}
	var tops []string
	for it := range up.content.behind(last.pos[len(f.root):]) {
		if strings.HasSuffix(it.key, "/") {
			tops = append(tops, f.root+it.key)
		}
	}
	n := min(len(tops)*f.keys/f.tops/pageKeys/strandPages, maxStrands-len(f.strands)+1, len(tops))
	for i := 1; i < n; i++ {
		s := &strand{from: before(tops[len(tops)*i/n])}
		f.strands[len(f.strands)-1].to = s.from
		f.start(s)
	}
}

// list takes a strand page by page, as many as are allowed.
func (f *flat) list(s *strand) {
	x := f.x
	defer x.wg.Done()
	if !f.await(s) {
		return
	}
	began, r := time.Now(), f.page(s)
	for p, err := range x.store.List(f.ctx, f.root, store.ListOptions{StartAfter: s.from}) {
		x.mu.Lock()
		x.observe(began, err, p)
		s.busy = false
		if err != nil {
			x.changes.end(r)
			f.err = err
			f.end()
			x.mu.Unlock()
			return
		}
		f.take(s, p, r)
		done := s.done
		x.mu.Unlock()
		if done || !f.await(s) {
			return
		}
		began, r = time.Now(), f.page(s)
	}
}

// page begins a page of a strand. The run ends with the directories that the page shows first.
func (f *flat) page(s *strand) *run {
	f.x.mu.Lock()
	defer f.x.mu.Unlock()
	f.pages++
	s.busy = true
	return f.x.changes.begin()
}

// await waits until a page more is allowed. It reports false when the walk does not go on.
func (f *flat) await(s *strand) bool {
	x := f.x
	idle := time.NewTimer(walkIdle)
	defer idle.Stop()
	for {
		x.mu.Lock()
		if f.ctx.Err() != nil {
			x.mu.Unlock()
			return false
		}
		if f.pages < f.allowed {
			x.mu.Unlock()
			return true
		}
		f.giveUp()
		more := f.more
		x.mu.Unlock()
		select {
		case <-more:
		case <-f.ctx.Done():
		case <-idle.C:
			x.mu.Lock()
			f.end()
			x.mu.Unlock()
		}
	}
}

// giveUp sends those away whose directories are not reached with what is allowed. Called with mu held.
func (f *flat) giveUp() {
	for _, s := range f.strands {
		if s.busy {
			return
		}
	}
	if len(f.waiting) > 0 {
		f.x.cache.get(f.root).walks.failed(minWalks)
		f.end()
	}
}

// end gives the listing up. Called with mu held; it may be called again.
func (f *flat) end() {
	f.cancel()
	if f.x.flats[f.root] == f {
		delete(f.x.flats, f.root)
	}
	for _, s := range f.strands {
		for _, o := range s.open {
			f.x.changes.end(o.r)
		}
		s.open, s.done = nil, true
	}
	for dir := range f.waiting {
		f.answer(dir, nil)
	}
}

func (f *flat) answer(dir string, c *content) {
	for _, w := range f.waiting[dir] {
		w <- c
	}
	delete(f.waiting, dir)
}
