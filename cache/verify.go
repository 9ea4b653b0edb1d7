package cache

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/store"
)

// Objects that are too large to be held back are verified as they are read from their beginning: each block is added to the
// checksum when a reader gets it, and the last tailSize bytes are delivered when all are proved right.
const (
	tailSize = 8 << 20
	// pendingMost is how much may wait, in bytes and in one version, because the kernel's reads overtake each other.
	pendingMost = 4 << 20
	// headPatience is how long a reader waits for what the store has to say of the checksum.
	headPatience = time.Second
	// farAhead of the checksum a read is not of the run that is verified.
	farAhead = 16 << 20
	// verifiersMost versions are verified at a time.
	verifiersMost = 256
	// factsMost versions are remembered as verified or not.
	factsMost = 4096
)

// errUnverified ends a verification that can not be had.
var errUnverified = errors.New("nothing to verify by")

// verifier adds up one version as it is read. Its mutex is a leaf but for Cache.mu, which is taken under it.
type verifier struct {
	v     version
	ready chan struct{} // closed when check is set, or is known to be nil

	again  bool         // bytes that it has had were fetched again; guarded by Cache.mu
	strict bool         // what can not be verified is not to be delivered
	used   time.Time    // by a reader; guarded by Cache.mu
	pos    atomic.Int64 // bytes before it are added; changed under mu
	ended  atomic.Bool  // set under mu, with err

	mu      sync.Mutex
	check   *checker
	pending map[int64]*block // behind pos, by offset; each with a reference
	bytes   int64            // of pending
	err     error            // of the end; nil = verified
}

// verifying finds or begins the verification of what a plan reads; nil = there is none. A suspect version is read from its
// beginning, by a verification, or not at all.
func (c *Cache) verifying(v version, p plan) (*verifier, error) {
	if v.size <= wholeSize || v.etag == "" {
		return nil, nil //nolint:nilnil // no verification is no error
	}
	f, idle, err := c.verifier(v, p)
	if idle != nil {
		c.endVerification(idle, errUnverified)
	}
	return f, err
}

// verifier is that; idle is a verification that is to be ended for it.
func (c *Cache) verifier(v version, p plan) (f, idle *verifier, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	state, _ := c.facts.Get(v.versionKey)
	f = c.verifiers[v.versionKey]
	run := !p.once && p.unit == blockSize // a random read is no part of a run
	switch {
	case !run && state == suspect, !run && f != nil && f.strict:
		return nil, nil, ErrCorrupt
	case !run:
		return nil, nil, nil
	case f != nil && f.strict && p.read.off > f.pos.Load()+farAhead:
		return nil, nil, ErrCorrupt
	case f != nil: // also in the moment in which it ends: its verdict counts
		f.used = time.Now()
		return f, nil, nil
	case state == suspect && p.read.off > 0:
		return nil, nil, ErrCorrupt
	case state == verified, state != suspect && (!p.verify || p.read.off > pendingMost), c.closed:
		return nil, nil, nil
	}
	if len(c.verifiers) >= verifiersMost {
		for _, other := range c.verifiers {
			if idle == nil || other.used.Before(idle.used) {
				idle = other
			}
		}
		delete(c.verifiers, idle.v.versionKey)
	}
	f = &verifier{v: v, ready: make(chan struct{}), pending: map[int64]*block{}, strict: state == suspect, used: time.Now()}
	c.verifiers[v.versionKey] = f
	c.fetches.Go(func() { c.askChecksum(f) })
	return f, idle, nil
}

// borrow takes a reference of a block, if it is cached; nil = it is not.
func (c *Cache) borrow(v version, off int64) *block {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.table.find(v.versionKey, unitAt(off, blockSize))
	if b != nil {
		b.refs++
	}
	return b
}

// askChecksum asks for the checksum of a version: a HEAD tells it, the answer to a range does not.
func (c *Cache) askChecksum(f *verifier) {
	got, err := c.told(f.v)
	f.mu.Lock()
	if err == nil {
		f.check = newChecker(got)
	}
	none := f.check == nil
	if none && !f.ended.Load() {
		f.err = errUnverified
		f.ended.Store(true)
	}
	f.mu.Unlock()
	close(f.ready)
	if none {
		c.endVerification(f, errUnverified)
	}
}

// told is what the store says of a version's checksum; it is asked once.
func (c *Cache) told(v version) (store.Object, error) {
	c.mu.Lock()
	l, known := c.layouts.Get(v.versionKey)
	c.mu.Unlock()
	if known {
		<-l.ready
		c.mu.Lock()
		told := l.told
		c.mu.Unlock()
		if told != nil {
			return *told, nil
		}
	}
	l = &layout{ready: make(chan struct{}), count: partCount(v.etag)}
	c.askLayout(v, l)
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.told == nil {
		return store.Object{}, errUnverified
	}
	if _, known = c.layouts.Peek(v.versionKey); !known {
		c.layouts.Add(v.versionKey, l)
	}
	return *l.told, nil
}

// feed adds a block that a reader has got, while the reader holds it.
func (c *Cache) feed(ctx context.Context, f *verifier, b *block) {
	select {
	case <-f.ready:
	case <-ctx.Done():
		return
	}
	done, full := f.take(c, b)
	if len(done) > 0 {
		c.release(done, span{})
	}
	if full {
		c.endVerification(f, errUnverified)
	}
}

// take adds b, or keeps it until its turn has come. It returns what was kept until now, and whether that has become too much.
func (f *verifier) take(c *Cache, b *block) (done []part, full bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	pos := f.pos.Load()
	switch {
	case f.ended.Load(), b.off < pos, f.pending[b.off] != nil:
		return nil, false
	case b.off > pos:
		c.mu.Lock()
		b.refs++
		c.mu.Unlock()
		f.pending[b.off] = b
		f.bytes += int64(len(b.data))
	default:
		f.add(b)
	}
	for {
		pos := f.pos.Load()
		next := f.pending[pos]
		if next != nil {
			delete(f.pending, pos)
			f.bytes -= int64(len(next.data))
		} else if pos < f.v.size {
			next = c.borrow(f.v, pos)
		}
		if next == nil {
			return done, f.bytes > pendingMost // what is missing was read before f began, or is being read
		}
		f.add(next)
		done = append(done, part{block: next})
	}
}

func (f *verifier) add(b *block) {
	f.check.write(b.data)
	f.pos.Add(int64(len(b.data)))
}

// end makes f take no more, and returns what it held. f.mu is held.
func (f *verifier) end(err error) []part {
	f.err = err
	f.ended.Store(true)
	var held []part
	for _, b := range f.pending {
		held = append(held, part{block: b})
	}
	f.pending = nil
	return held
}

// endVerification ends f, whose version is verified, can not be, or is wrong.
func (c *Cache) endVerification(f *verifier, err error) {
	f.mu.Lock()
	if f.ended.Load() && !errors.Is(f.err, errUnverified) {
		f.mu.Unlock()
		return
	}
	held := f.end(err)
	f.mu.Unlock()
	c.release(held, span{})
	state := verified
	switch {
	case errors.Is(err, ErrCorrupt):
		state = suspect
		c.log.Error("object does not match its checksum: what was read of it is wrong", zap.String("key", f.v.key), zap.String("etag", f.v.etag))
	case err != nil:
		state = unverified
	}
	c.mu.Lock()
	if c.verifiers[f.v.versionKey] == f {
		delete(c.verifiers, f.v.versionKey)
	}
	if f.again && state == verified {
		state = unverified
	}
	if state == verified {
		c.dropPages(f.v.versionKey)
	}
	if was, _ := c.facts.Get(f.v.versionKey); was != suspect || state != unverified {
		c.note(f.v.versionKey, state)
	}
	if state == suspect {
		c.purgeVersion(f.v.versionKey)
	}
	c.letIn()
	c.mu.Unlock()
	if state == suspect {
		c.dropFromDisk(f.v)
		c.count.corrupt.Add(1)
		if c.cfg.Corrupted != nil {
			c.cfg.Corrupted(f.v.key, f.v.cond.IfMatch)
		}
	}
}

// finish adds what is left of a version before a byte of its end is delivered, and gives ErrCorrupt when the version is wrong.
// The caller holds no blocks.
func (c *Cache) finish(ctx context.Context, f *verifier) error {
	for {
		f.mu.Lock()
		pos, ended, err, check := f.pos.Load(), f.ended.Load(), f.err, f.check
		f.mu.Unlock()
		switch {
		case ended && errors.Is(err, ErrCorrupt):
			return err
		case ended && err != nil && f.strict:
			return ErrCorrupt
		case ended:
			return nil
		case pos == f.v.size:
			c.endVerification(f, c.verdict(f, check))
		case pos < f.v.size-tailSize-farAhead:
			c.endVerification(f, errUnverified) // the reader has left much out
		default:
			if err := c.pass(ctx, f, pos); err != nil {
				return err
			}
		}
	}
}

func (c *Cache) verdict(f *verifier, check *checker) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := check.done(); err != nil {
		return fmt.Errorf("get %q: %w", f.v.key, err)
	}
	return nil
}

// pass reads the next MiB for f, and has the rest fetched beside it.
func (c *Cache) pass(ctx context.Context, f *verifier, pos int64) error {
	read := span{pos, min(pos+1<<20, f.v.size)}
	p := plan{read: read, fetch: read, unit: blockSize}
	if read.end < f.v.size {
		p.ahead = []span{{read.end, f.v.size}}
	}
	r := request{v: f.v, plan: p, pos: pos, verifier: f}
	_, err := c.read(ctx, &r, nil)
	return err
}

// dropPending ends the verifications that hold blocks: a reader needs the memory. all = those that hold none, too.
func (c *Cache) dropPending(all bool) {
	c.mu.Lock()
	verifiers := slices.Collect(maps.Values(c.verifiers))
	c.mu.Unlock()
	for _, f := range verifiers {
		f.mu.Lock()
		holds := len(f.pending) > 0
		f.mu.Unlock()
		if holds || all {
			c.endVerification(f, errUnverified)
		}
	}
}

// isSuspect: what was delivered of a version has turned out to be wrong.
func (c *Cache) isSuspect(v version) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	state, _ := c.facts.Peek(v.versionKey)
	return state == suspect
}

// purgeVersion drops all that there is of a version. What is in flight of it goes to who waits for it and is not kept.
// Cache.mu is held.
func (c *Cache) purgeVersion(k versionKey) {
	e := c.table.entries[k]
	if e == nil {
		return
	}
	for _, s := range e.units {
		if s.block != nil {
			c.table.remove(s.block)
		}
		if s.piece != nil {
			s.piece.fetch.once = true
			if s.piece.fetch.waiters == 0 {
				c.end(s.piece.fetch)
			}
		}
	}
}
