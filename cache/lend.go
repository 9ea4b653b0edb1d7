package cache

import (
	"context"
	"slices"
)

// lendLeast is the length of a read, in bytes, from which on its blocks are lent: to copy less costs less than to lend.
const lendLeast = blockSize / 2

// Loan is bytes as they lie in the cache, on loan to who asked for them. Its blocks keep their memory, on the cache's account,
// until Done.
type Loan struct {
	cache   *Cache
	parts   []part
	slices  [][]byte
	through span // what a sequential reader is through with
}

// Slices are the bytes, in order. They must not be changed, nor be looked at after Done.
func (l *Loan) Slices() [][]byte { return l.slices }

// Done gives the bytes back. It is called once.
func (l *Loan) Done() {
	l.slices = nil
	l.cache.release(l.parts, l.through)
}

// Lend reads like [Cache.ReadAt], but where all of the bytes are had at once, and are many enough, they are not copied: p is left
// alone then, and l has the n bytes. With an error there is no loan, and nothing of p counts. Who has a loan must not wait for another
// read before its Done: that may wait for the memory.
func (c *Cache) Lend(ctx context.Context, obj Object, s *Stream, p []byte, off int64) (l *Loan, n int, err error) {
	r := request{lend: true}
	n, err = c.readAt(ctx, &r, obj, s, p, off)
	return r.loan, n, err
}

// covers tells whether parts are all that the request reads.
func (r *request) covers(parts []part) bool {
	last := &parts[len(parts)-1]
	return r.pos == r.read.off && (last.block != nil && last.block.ends() >= r.read.end || last.piece != nil && last.piece.end >= r.read.end)
}

// lendParts waits for parts, which cover the request, and makes them a loan.
func (c *Cache) lendParts(ctx context.Context, r *request, parts []part) error {
	l := &Loan{cache: c, slices: make([][]byte, 0, len(parts))}
	for i := range parts {
		b, err := c.await(ctx, &parts[i])
		if err != nil {
			c.release(parts, span{})
			r.pos = r.read.off
			return err
		}
		if r.verifier != nil {
			c.feed(ctx, r.verifier, b)
		}
		end := min(b.ends(), r.read.end)
		l.slices = append(l.slices, b.data[r.pos-b.off:end-b.off])
		r.pos = end
	}
	if r.spend {
		l.through = r.read
	}
	l.parts = slices.Clone(parts) // those are the reader's own
	r.loan = l
	return nil
}
