package cache

import (
	"context"
	"errors"
	"io/fs"
)

// PrefetchMax is the size in bytes up to which [Cache.Prefetch] fetches an object.
const PrefetchMax = 1 << 20

const (
	// prefetchRequests is how many GETs may run beside those of Prefetch, and with them: readers come first, and who
	// has so many readers at a time has no need of it.
	prefetchRequests = 16
	// prefetchShare is the part of the memory that one such object may have: some dozens of them stay until they are read.
	prefetchShare = 64
)

// ErrBusy says that so much is being fetched that nothing is fetched ahead.
var ErrBusy = errors.New("too much is being fetched already")

// Prefetch begins to fetch a whole object that a reader is expected to want soon, and returns; it is cached as
// if it had been read, and a reader that comes meanwhile waits for it. What is cached or on its way already costs nothing. An object
// without an ETag, an empty one and one that is large (PrefetchMax, or a sixty-fourth of the memory) is left alone, which is
// no error; ErrBusy and fs.ErrClosed are. failed, if not nil, is told once, from another goroutine, when the fetch fails.
func (c *Cache) Prefetch(obj Object, failed func(error)) error {
	if obj.ETag == "" || obj.Size <= 0 || obj.Size > min(PrefetchMax, c.cfg.Memory/prefetchShare) {
		return nil
	}
	v := c.version(obj, nil)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return fs.ErrClosed
	}
	if l, known := c.layouts.Peek(v.versionKey); known && l.size > 0 {
		return nil // it comes in parts, which who reads it asks for
	}
	e := c.table.entry(v.versionKey)
	defer c.table.forget(e)
	for pos := int64(0); pos < v.size; {
		gap, missing := c.gap(e, span{pos, v.size}, blockSize, v.size)
		if !missing {
			return nil
		}
		cost := c.cost(gap, blockSize)
		if c.inFlight >= prefetchRequests || !c.admitAhead(cost, gap.len()) {
			return ErrBusy
		}
		c.start(v, gap, blockSize, fetchKind{whole: gap.len() == v.size, ahead: true}, cost)
		if failed != nil {
			c.tellFailure(e.units[unitAt(gap.off, blockSize)].piece, failed)
			failed = nil
		}
		pos = gap.end
	}
	return nil
}

// tellFailure waits for a piece, and tells why it did not come. That nobody wanted it any more is no failure. Cache.mu is held.
func (c *Cache) tellFailure(p *piece, failed func(error)) {
	if p.done == nil {
		p.done = make(chan struct{})
	}
	c.fetches.Go(func() {
		<-p.done
		if p.err != nil && !errors.Is(p.err, context.Canceled) && !errors.Is(p.err, errLayout) {
			failed(p.err)
		}
	})
}
