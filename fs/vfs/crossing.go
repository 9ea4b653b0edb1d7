package vfs

import (
	"context"
	"slices"
	"sync"
)

// crossings keep lookups and opens of a name apart from a rename of it. A
// rename changes the overlay (the uploader's) and the tables of inodes and open
// files (ours) one after the other; whoever looks in between would pair the old
// inode with the new bytes. It waits for the end of a rename under way, and starts
// over when one has come to pass meanwhile; nothing that it has paired gets into the tables. No lock is held: a rename of a stored
// file waits for the store.
type crossings struct {
	mu     sync.Mutex
	active []*crossing
	ended  uint64                     // how many have ended
	recent [recentCrossings]*crossing // the last of them, by number modulo the size
}

// recentCrossings is how far back it is known which names a rename concerned;
// who looks longer than that starts over in any case.
const recentCrossings = 64

type crossing struct {
	from, to string
	after    uint64   // the uploader's last operation before
	later    []func() // what later operations have done, to be told of when the tables are up to date
	done     chan struct{}
}

func (c *crossing) covers(key string) bool { return key == c.from || key == c.to }

// begin starts a rename of two keys, or the removal of one; the caller ends it. after is the uploader's last
// operation before.
func (x *crossings) begin(from, to string, after uint64) (end func()) {
	c := &crossing{from: from, to: to, after: after, done: make(chan struct{})}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.active = append(x.active, c)
	return func() { x.end(c) }
}

func (x *crossings) end(c *crossing) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for len(c.later) > 0 {
		later := c.later
		c.later = nil
		x.mu.Unlock()
		for _, f := range later {
			f()
		}
		x.mu.Lock()
	}
	x.active = slices.DeleteFunc(x.active, func(a *crossing) bool { return a == c })
	x.recent[x.ended%recentCrossings] = c
	x.ended++
	close(c.done)
}

// postpone has f run at the end of a rename of key that is under way, if there is one and op is later than it: the
// tables do not know yet which file that operation was about. Else it reports false.
func (x *crossings) postpone(key string, op uint64, f func()) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, c := range x.active {
		if c.covers(key) && op > c.after {
			c.later = append(c.later, f)
			return true
		}
	}
	return false
}

// wait returns when no rename of key is under way, with a ticket for since.
func (x *crossings) wait(ctx context.Context, key string) (ticket uint64, err error) {
	for {
		x.mu.Lock()
		i := slices.IndexFunc(x.active, func(c *crossing) bool { return c.covers(key) })
		if i < 0 {
			defer x.mu.Unlock()
			return x.ended, nil
		}
		done := x.active[i].done
		x.mu.Unlock()
		select {
		case <-done:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// now is a ticket for since.
func (x *crossings) now() uint64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.ended
}

// since reports whether a rename of key has begun or ended since the ticket was given.
func (x *crossings) since(ticket uint64, key string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.ended-ticket > recentCrossings || slices.ContainsFunc(x.active, func(c *crossing) bool { return c.covers(key) }) {
		return true
	}
	for n := ticket; n < x.ended; n++ {
		if x.recent[n%recentCrossings].covers(key) {
			return true
		}
	}
	return false
}

// steady does something with what a path names now. What was done across a
// rename of that name is undone and done again.
func steady[T any](ctx context.Context, v *FS, path string, do func() (T, error), undo func(T)) (T, error) {
	t, err := v.policy.Resolve(path)
	if err != nil || t.Key == "" {
		return do()
	}
	for {
		ticket, err := v.crossings.wait(ctx, t.Key)
		if err != nil {
			var none T
			return none, wrap("lookup", path, err)
		}
		got, err := do()
		if !v.crossings.since(ticket, t.Key) {
			return got, err
		}
		if err == nil {
			undo(got)
		}
	}
}
