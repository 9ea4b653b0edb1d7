package cache

import (
	"context"
	"slices"
)

// fetchOverhead is what a request costs while it runs, besides its blocks: the connection's buffers, its goroutines' stacks, the
// provider's objects. It bounds how many run at a time.
const fetchOverhead = 160 << 10

// budget is the one account of all that the cache holds: blocks in the table, blocks that readers hold, and what
// fetches may still bring, in bytes with overhead. Cache.mu guards it.
//
// Demand is admitted in the order of coming. Nobody waits who holds anything: a reader gives its blocks back before
// it waits, a fetch has all that it needs before it starts. So what is held is given back without
// anybody's help, but for readahead in flight that nobody waits for, which is ended when somebody waits.
type budget struct {
	limit int64
	used  int64
	ahead int64 // of it: readahead in flight
	queue []*claim
	waits int64 // claims that had to wait
}

// claim is a reader that waits for room.
type claim struct {
	need    int64
	granted chan struct{} // closed when need has been added to used for it
	given   bool          // guarded by Cache.mu
}

// room makes room for n bytes at the expense of cached blocks, and reports whether it is there.
func (c *Cache) room(n int64) bool {
	for c.budget.used+n > c.budget.limit {
		if !c.table.evict() {
			return false
		}
	}
	return true
}

// admit reserves n bytes for demand, unless others wait for room (first = the caller is the one whose turn it is).
func (c *Cache) admit(n int64, first bool) bool {
	if (len(c.budget.queue) > 0 && !first) || !c.room(n) {
		return false
	}
	c.budget.used += n
	return true
}

// admitAhead reserves cost for a readahead of n bytes: only what nobody else wants.
func (c *Cache) admitAhead(cost, n int64) bool {
	if c.budget.ahead+n > c.cfg.Readahead || !c.admit(cost, false) {
		return false
	}
	c.budget.ahead += n
	return true
}

// letIn gives room to who waits for it, in the order of coming. It is called where room has come back, last: it
// evicts, which gives room back.
func (c *Cache) letIn() {
	for len(c.budget.queue) > 0 {
		head := c.budget.queue[0]
		if !c.room(head.need) {
			return
		}
		c.budget.used += head.need
		head.given = true
		close(head.granted)
		c.budget.queue[0] = nil
		c.budget.queue = c.budget.queue[1:]
	}
}

// enqueue has a reader wait for n bytes; readahead that nobody waits for makes room.
func (c *Cache) enqueue(n int64) *claim {
	cl := &claim{need: min(n, c.budget.limit), granted: make(chan struct{})}
	c.budget.waits++
	c.budget.queue = append(c.budget.queue, cl)
	c.dropAhead(n)
	c.letIn()
	return cl
}

// dropAhead ends readahead that nobody waits for until n bytes are coming back; the latest goes first, its reader
// is the furthest from it.
func (c *Cache) dropAhead(n int64) {
	for i := len(c.ahead) - 1; i >= 0 && n > 0; i-- {
		f := c.ahead[i]
		if f.waiters > 0 || f.ended {
			continue
		}
		n -= f.reserved
		c.count.dropped.Add(1)
		c.end(f)
	}
}

// wait waits for a claim's room, or for ctx. The room is given back at once by who got it, to be taken again in the
// same critical section.
func (c *Cache) wait(ctx context.Context, cl *claim) error {
	select {
	case <-cl.granted:
		return nil
	case <-ctx.Done():
	case <-c.ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if cl.given {
		c.budget.used -= cl.need
	}
	for i, other := range c.budget.queue {
		if other == cl {
			c.budget.queue = slices.Delete(c.budget.queue, i, i+1)
			break
		}
	}
	c.letIn()
	if err := ctx.Err(); err != nil {
		return err
	}
	return errClosed
}
