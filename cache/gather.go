package cache

import (
	"context"
	"io/fs"
)

// errClosed is what reads give after Close.
var errClosed = fs.ErrClosed

// request is a read on its way through the cache.
type request struct {
	v version
	plan
	pos   int64  // the next byte to be had
	began bool   // readahead was asked for
	claim *claim // room that this reader has waited for; nil = none

	verifier *verifier // of the version; nil = none
	stream   *Stream   // by which it reads; nil = none
	lend     bool      // its bytes may be lent
	loan     *Loan     // that they have been; nil = they were copied
	parts    int64     // size of the parts by which it is fetched; 0 = not by parts
	relaid   int       // how often the parts lay elsewhere
}

// part is one unit that a read needs: a cached block, or a piece in flight until
// it has delivered its block. A part holds one reference, given back by release.
type part struct {
	block *block
	piece *piece
}

// gather starts the fetches of a read, as far as there is room for them, and returns the parts that cover it from r.pos on,
// in order, as far as they are cached or in flight. When there is none the reader has to wait
// for a claim, without holding anything.
func (c *Cache) gather(r *request, parts []part) ([]part, *claim, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, nil, errClosed
	}
	waited := r.claim != nil
	if waited {
		c.budget.used -= r.claim.need // taken again by demand
		r.claim = nil
	}
	e := c.table.entry(r.v.versionKey)
	missed := c.demand(e, r, waited)
	if waited {
		c.letIn()
	}
	if !r.began {
		r.began = true
		c.readahead(e, r, missed)
	}
	parts = c.collect(e, r, parts)
	c.table.forget(e)
	if len(parts) > 0 {
		return parts, nil, nil
	}
	return nil, c.enqueue(c.least(e, r)), nil
}

// demand starts what is missing of the plan's fetch, and reports whether anything was. Where there is no room for all, what the
// reader waits for comes first; waited = it is this reader's turn, and there is room for what least says.
func (c *Cache) demand(e *entry, r *request, waited bool) (missed bool) {
	kind := fetchKind{once: r.once}
	from := r.fetch.off
	if r.began && !r.whole {
		from = r.pos / r.unit * r.unit
	}
	for pos := from; pos < r.fetch.end; {
		gap, ok := c.gap(e, span{pos, r.fetch.end}, r.unit, c.cfg.MaxRange)
		if !ok {
			return missed
		}
		missed = true
		kind.whole = r.whole && gap.len() == r.v.size
		if r.parts > 0 {
			gap, kind.part = r.partOf(gap.off)
		}
		if !waited || kind.unit() {
			if cost := c.cost(gap, r.unit); c.admit(cost, waited) {
				c.start(r.v, gap, r.unit, kind, cost)
				pos, waited = gap.end, false
				continue
			}
		}
		if kind.unit() {
			return true
		}
		if gap = c.wanted(gap, r); gap.len() > 0 {
			if cost := c.cost(gap, r.unit); c.admit(cost, waited) {
				c.start(r.v, gap, r.unit, kind, cost)
			}
		}
		return true
	}
	return missed
}

// wanted is the part of a gap that the reader waits for, as much as may be had at a time.
func (c *Cache) wanted(gap span, r *request) span {
	want := align(span{r.pos, r.read.end}, r.unit, r.v.size)
	off := max(gap.off, want.off)
	return span{off, min(gap.end, want.end, off+c.bite())}
}

// bite bounds what a reader gets room for at a time when there is little: what it waits for must fit in at all, beside what
// others have.
func (c *Cache) bite() int64 { return c.cfg.Memory / 4 / blockSize * blockSize }

// least is the room that a reader needs who gets nothing without: for what is missing at r.pos.
func (c *Cache) least(e *entry, r *request) int64 {
	if r.whole {
		if gap, ok := c.gap(e, r.fetch, r.unit, r.v.size); ok && gap.len() == r.v.size {
			return c.cost(gap, r.unit)
		}
	}
	want := align(span{r.pos, r.read.end}, r.unit, r.v.size)
	gap, _ := c.gap(e, want, r.unit, c.cfg.MaxRange)
	if r.parts > 0 {
		gap, _ = r.partOf(gap.off)
		return c.cost(gap, r.unit)
	}
	return c.cost(c.wanted(gap, r), r.unit)
}

// readahead starts what the plan has ahead, as far as there is room; what is left out comes when it is
// missed. A reader that missed something has what was dropped before it fetched again.
func (c *Cache) readahead(e *entry, r *request, missed bool) {
	if missed && r.front > r.fetch.end && !c.fetchAhead(e, r, span{r.fetch.end, r.front}) {
		return
	}
	for _, s := range r.ahead {
		if !c.fetchAhead(e, r, s) {
			return
		}
	}
}

// fetchAhead starts what is missing of s, and reports whether there was room for all.
func (c *Cache) fetchAhead(e *entry, r *request, s span) bool {
	most := c.cfg.MaxRange
	if r.most > 0 {
		most = min(most, r.most)
	}
	for pos := s.off; pos < s.end; {
		gap, ok := c.gap(e, span{pos, s.end}, r.unit, most)
		if !ok {
			return true
		}
		kind := fetchKind{ahead: true, by: r.stream}
		if r.parts > 0 {
			gap, kind.part = r.partOf(gap.off)
		}
		cost := c.cost(gap, r.unit)
		if !c.admitAhead(cost, gap.len()) {
			return false
		}
		c.start(r.v, gap, r.unit, kind, cost)
		pos = gap.end
	}
	return true
}

// cost is what fetching gap takes of the budget.
func (c *Cache) cost(gap span, size int64) int64 {
	return gap.len() + (gap.len()+size-1)/size*blockOverhead + fetchOverhead
}

// gap is the first run, at most most bytes long, of units of s that are neither cached nor in flight; false = none.
func (c *Cache) gap(e *entry, s span, size, most int64) (span, bool) {
	pos := s.off
	for ; pos < s.end; pos = unitEnd(pos, size, e.size) {
		if !e.known(pos, size) {
			break
		}
	}
	if pos >= s.end {
		return span{}, false
	}
	gap := span{pos, unitEnd(pos, size, e.size)}
	for gap.end < s.end && gap.len() < most && !e.known(gap.end, size) {
		gap.end = unitEnd(gap.end, size, e.size)
	}
	return gap, true
}

func unitEnd(pos, size, objectSize int64) int64 { return min((pos/size+1)*size, objectSize) }

// known reports whether the byte at pos is cached or in flight in a unit of size, or in a larger one.
func (e *entry) known(pos, size int64) bool {
	if size == pageSize {
		return e.lookup(pos) != part{}
	}
	return e.units[unitAt(pos, size)] != slot{}
}

// lookup finds the unit that holds the byte at pos, cached or in flight: a block before a
// page, bytes before promises.
func (e *entry) lookup(pos int64) part {
	block := e.units[unitAt(pos, blockSize)]
	if block.block != nil {
		return part{block: block.block}
	}
	page := e.units[unitAt(pos, pageSize)]
	switch {
	case page.block != nil:
		return part{block: page.block}
	case block.piece != nil:
		return part{piece: block.piece}
	}
	return part{piece: page.piece}
}

// collect takes references of the parts from r.pos on.
func (c *Cache) collect(e *entry, r *request, parts []part) []part {
	for pos := r.pos; pos < r.read.end; {
		p := e.lookup(pos)
		if r.verifier != nil || r.parts > 0 { // it adds up blocks; parts are of blocks, pages came unverified
			s := e.units[unitAt(pos, blockSize)]
			if p = (part{block: s.block}); s.block == nil {
				p.piece = s.piece
			}
		}
		switch {
		case p.block != nil:
			p.block.refs++
			if p.block.list == &c.table.recent || !r.spend {
				c.table.touch(p.block)
			}
			c.count.hits.Add(1)
			pos = p.block.ends()
		case p.piece != nil:
			if p.piece.done == nil {
				p.piece.done = make(chan struct{})
			}
			p.piece.waiters++
			p.piece.fetch.waiters++
			c.count.misses.Add(1)
			pos = p.piece.end
		default:
			return parts
		}
		parts = append(parts, p)
	}
	return parts
}

// await returns a part's bytes and their offset in the object.
func (c *Cache) await(ctx context.Context, p *part) (*block, error) {
	if p.block != nil {
		return p.block, nil
	}
	if err := awaitClosed(ctx, p.piece.done); err != nil {
		return nil, err
	}
	if p.piece.err != nil {
		return nil, p.piece.err
	}
	p.block = p.piece.block
	return p.block, nil
}

// awaitClosed waits until done is closed, or gives ctx's error. What is there is taken though ctx has ended.
func awaitClosed(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	default:
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// release gives the parts' references back. A piece that was not awaited to its
// end loses a waiter; a fetch that so loses its last one ends. read is what the reader has got of a run that will not come back; the blocks that end in it are
// the next to go.
func (c *Cache) release(parts []part, read span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range parts {
		b := p.block
		if b == nil {
			b = p.piece.block
		}
		switch {
		case b != nil: // delivered, with a reference for each waiter
			if b.ends() <= read.end {
				c.table.spend(b)
			}
			c.unref(b)
		case p.piece.err == nil:
			p.piece.waiters--
			p.piece.fetch.waiters--
			c.abandon(p.piece.fetch)
		}
	}
	c.letIn()
}

func (c *Cache) unref(b *block) {
	b.refs--
	if b.refs == 0 {
		c.buffers.put(b.data)
		c.budget.used -= b.cost() // who evicts or releases lets others in
	}
}
