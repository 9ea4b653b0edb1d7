package cache

import (
	"context"
	"io/fs"
)

// part is one unit that a read needs: a cached block, or a piece in flight until
// it has delivered its block. A part holds one reference, given back by release.
type part struct {
	block *block
	piece *piece
}

// gather starts the fetches of a plan and returns the parts that cover plan.read, in
// order.
func (c *Cache) gather(v version, p plan) ([]part, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, fs.ErrClosed
	}
	c.fetchMissing(v, p.fetch, p.unit, fetchKind{whole: p.whole, once: p.once})
	if p.ahead.len() > 0 {
		c.fetchMissing(v, p.ahead, blockSize, fetchKind{ahead: true})
	}
	parts := make([]part, 0, p.read.len()/p.unit+2)
	for pos := p.read.off; pos < p.read.end; {
		part, end := c.lookup(v, pos)
		switch {
		case part.block != nil:
			part.block.refs++
			c.count.hits.Add(1)
		default:
			part.piece.waiters++
			part.piece.fetch.waiters++
			c.count.misses.Add(1)
		}
		parts = append(parts, part)
		pos = end
	}
	return parts, nil
}

// lookup finds the unit that holds the byte at pos, cached or in flight: a block before a
// page, bytes before promises.
func (c *Cache) lookup(v version, pos int64) (p part, end int64) {
	for _, size := range []int64{blockSize, pageSize} {
		if b, ok := c.table.get(v.unit(pos, size)); ok {
			return part{block: b}, b.off + int64(len(b.data))
		}
	}
	for _, size := range []int64{blockSize, pageSize} {
		if f, ok := c.flying[v.unit(pos, size)]; ok {
			return part{piece: f}, f.end
		}
	}
	return part{}, 0
}

// known reports whether the byte at pos is cached or in flight in a unit of
// size, or in a larger one, and where that unit ends.
func (c *Cache) known(v version, pos, size int64) (end int64, ok bool) {
	if size == pageSize {
		if p, end := c.lookup(v, pos); p != (part{}) {
			return end, true
		}
		return align(span{pos, pos + 1}, pageSize, v.size).end, false
	}
	end = align(span{pos, pos + 1}, size, v.size).end
	u := v.unit(pos, size)
	if _, ok := c.table.get(u); ok {
		return end, true
	}
	_, ok = c.flying[u]
	return end, ok
}

// fetchMissing starts fetches for what of s is neither cached nor in flight: one for
// each run of missing units, several for runs above Config.MaxRange.
func (c *Cache) fetchMissing(v version, s span, size int64, kind fetchKind) {
	for pos := s.off; pos < s.end; {
		end, ok := c.known(v, pos, size)
		if ok {
			pos = end
			continue
		}
		gap := span{pos, end}
		for gap.end < s.end && gap.len() < c.cfg.MaxRange {
			end, ok := c.known(v, gap.end, size)
			if ok {
				break
			}
			gap.end = end
		}
		one := kind
		one.whole = kind.whole && gap.len() == v.size
		c.start(v, gap, size, one)
		pos = gap.end
	}
}

// await returns a part's bytes and their offset in the object.
func (c *Cache) await(ctx context.Context, p *part) (*block, error) {
	if p.block != nil {
		return p.block, nil
	}
	select {
	case <-p.piece.done:
	default:
		select {
		case <-p.piece.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if p.piece.err != nil {
		return nil, p.piece.err
	}
	p.block = p.piece.block
	return p.block, nil
}

// release gives the parts' references back. A piece that was not awaited to its
// end loses a waiter; a fetch that so loses its last one ends.
func (c *Cache) release(parts []part) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range parts {
		switch {
		case p.block != nil:
			c.unref(p.block)
		case p.piece.block != nil: // delivered meanwhile, with a reference for each waiter
			c.unref(p.piece.block)
		case p.piece.err == nil:
			p.piece.waiters--
			p.piece.fetch.waiters--
			c.abandon(p.piece.fetch)
		}
	}
}

func (c *Cache) unref(b *block) {
	b.refs--
	if b.refs == 0 {
		c.buffers.put(b.data)
	}
}
