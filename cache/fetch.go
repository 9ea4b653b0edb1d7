package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/store"
)

// Bounds of a fetch that makes no progress. Together they keep the promise that a
// GET that keeps failing is an error within 20 s.
const (
	maxTries    = 4                // of one body, without a block's progress in between
	bodyStall   = 5 * time.Second  // without a byte: the body is given up and resumed
	fetchStall  = 18 * time.Second // without a byte, all tries together
	resumeDelay = 50 * time.Millisecond
)

// errStalled is the cause of a fetch that was given up.
var errStalled = errors.New("no byte came in time")

// piece is one unit of a fetch.
type piece struct {
	fetch *fetch
	id    unitID
	span

	// Guarded by Cache.mu.
	waiters int
	done    chan struct{} // closed when block or err is set; nil = nobody waits
	// Set under Cache.mu before done is closed.
	block *block
	err   error
}

// finish tells the waiters.
func (p *piece) finish() {
	if p.done != nil {
		close(p.done)
	}
}

// fetchKind tells what a fetch is for.
type fetchKind struct {
	whole bool    // covers the object: check it
	ahead bool    // readahead: worth ending without waiters
	once  bool    // for those who wait for it alone: not to be kept
	by    *Stream // who reads ahead; nil = nobody in particular
	part  int32   // it is the part of that number: check it; 0 = none
}

// unit: it brings something that has a checksum of its own, and is delivered when all of it is there.
func (k fetchKind) unit() bool { return k.whole || k.part > 0 }

// fetch is one GET that fills adjacent pieces in order. The goroutine that
// runs it owns the fields of the second group.
type fetch struct {
	fetchKind

	v      version
	cancel context.CancelFunc

	pieces []piece
	bytes  int64 // of all pieces

	// Guarded by Cache.mu.
	waiters  int    // of pieces not delivered yet
	reserved int64  // of the budget: what is not a block yet
	ended    bool   // nobody wants it any more
	noted    origin // of what was delivered last

	pos      int64  // next byte to come
	next     int    // index of the piece that it falls into
	buf      []byte // of that piece; nil = not begun
	held     []*block
	check    *checker // nil = deliver unchecked
	tier     tierState
	progress time.Time
}

// start registers a fetch of gap, for which cost is reserved, and runs it. Cache.mu is held.
func (c *Cache) start(v version, gap span, size int64, kind fetchKind, cost int64) {
	ctx, cancel := context.WithCancel(c.ctx)
	f := &fetch{
		v: v, fetchKind: kind, cancel: cancel, pos: gap.off, bytes: gap.len(), reserved: cost,
		pieces: make([]piece, 0, (gap.len()+size-1)/size),
	}
	e := c.table.entry(v.versionKey)
	for off := gap.off; off < gap.end; off += size {
		f.pieces = append(f.pieces, piece{fetch: f, id: unitAt(off, size), span: span{off, min(off+size, gap.end)}})
		p := &f.pieces[len(f.pieces)-1]
		c.table.set(e, p.id, slot{block: e.units[p.id].block, piece: p})
	}
	if f.ahead {
		c.ahead = append(c.ahead, f)
	}
	c.inFlight++
	c.crew.Hand(func() { c.run(ctx, f) })
}

// abandon ends a fetch that nobody waits for any more, unless it is
// readahead. Later readers of its pieces start anew. Cache.mu is held.
func (c *Cache) abandon(f *fetch) {
	if f.waiters == 0 && !f.ahead {
		c.end(f)
	}
}

// end ends a fetch without waiters. What it has reserved comes back when it has noticed. Cache.mu is held.
func (c *Cache) end(f *fetch) {
	f.ended = true
	c.unregister(f)
	f.cancel()
}

// unregister makes the undelivered pieces of f unknown. Cache.mu is held.
func (c *Cache) unregister(f *fetch) {
	for i := range f.pieces {
		c.table.land(&f.pieces[i])
	}
}

// run fills the pieces of f and tells the waiters of those that it could not.
func (c *Cache) run(ctx context.Context, f *fetch) {
	defer f.cancel()
	err := c.fill(ctx, f)
	if errors.Is(err, ErrCorrupt) {
		c.log.Warn("object does not match its checksum, fetched again", zap.String("key", f.v.key), zap.String("etag", f.v.etag))
		c.count.corrupt.Add(1)
		c.rewind(f)
		if err = c.fill(ctx, f); errors.Is(err, ErrCorrupt) {
			c.count.corrupt.Add(1)
			if f.part > 0 {
				c.noteWrongPart(f.v)
			}
		}
	}
	c.rewind(f)
	if c.ctx.Err() != nil {
		err = fs.ErrClosed
	}
	wrong := f.whole && errors.Is(err, ErrCorrupt)
	if wrong {
		c.dropFromDisk(f.v) // what random reads have brought there
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.inFlight--
	c.unregister(f)
	if wrong {
		c.note(f.v.versionKey, suspect)
		c.purgeVersion(f.v.versionKey)
	}
	for i := range f.pieces {
		if p := &f.pieces[i]; p.block == nil {
			p.err = err
			p.finish()
		}
	}
	if f.ahead {
		c.budget.ahead -= f.bytes
		c.ahead = slices.Delete(c.ahead, slices.Index(c.ahead, f), slices.Index(c.ahead, f)+1)
	}
	c.budget.used -= f.reserved
	f.reserved = 0
	c.letIn()
}

// rewind forgets what has not been delivered.
func (c *Cache) rewind(f *fetch) {
	for _, b := range f.held {
		c.buffers.put(b.data)
	}
	if f.buf != nil {
		c.buffers.put(f.buf)
	}
	f.next -= len(f.held)
	f.held, f.buf, f.check = nil, nil, nil
	if f.next < len(f.pieces) {
		f.pos = f.pieces[f.next].off
	}
}

// fill fetches what is missing of f, resuming bodies that break.
func (c *Cache) fill(ctx context.Context, f *fetch) error {
	f.progress = time.Now()
	good := f.pos // position of the last break that counts as progress
	for try := 1; ; try++ {
		err := c.attempt(ctx, f)
		broken, ok := errors.AsType[*brokenBody](err)
		switch {
		case err == nil && f.next < len(f.pieces): // what follows is on the disk
			good, try = f.pos, 0
			continue
		case !ok: // done, or not a body's failure
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		}
		if f.pos-good >= blockSize {
			good, try = f.pos, 1
		}
		if try >= maxTries || time.Since(f.progress) >= fetchStall {
			return &store.Error{Op: "get", Key: f.v.key, Kind: store.ErrTransient, Err: broken.cause}
		}
		c.count.resumed.Add(1)
		c.log.Debug("body broke, resumed", zap.String("key", f.v.key), zap.Int64("offset", f.pos), zap.Error(broken.cause))
		pause := resumeDelay << try
		if !sleep(ctx, pause/2+rand.N(pause)) { //nolint:gosec // jitter, not a secret
			return ctx.Err()
		}
	}
}

// brokenBody is a body that ended early: worth resuming.
type brokenBody struct{ cause error }

func (b *brokenBody) Error() string { return "body broke: " + b.cause.Error() }

// attempt opens one GET from f.pos to the fetch's end and reads it.
func (c *Cache) attempt(ctx context.Context, f *fetch) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// Time that ran out is seen in ctx's cause: a provider wraps what it likes.
	watchdog := time.AfterFunc(fetchStall-time.Since(f.progress), func() { cancel(errStalled) })
	defer watchdog.Stop()

	end := c.fromDisk(ctx, f)
	if f.pos == end {
		return nil
	}
	want, begins := store.Range{Off: f.pos, Len: end - f.pos}, f.unit() && f.pos == f.pieces[0].off
	switch {
	case begins && f.part > 0:
		want.Part = f.part
	case begins:
		want = store.All // without a Range the server tells the checksum
	}
	body, got, err := c.open(ctx, f.v.key, want, f.v.cond)
	if err != nil {
		if want.Part > 0 && errors.Is(err, store.ErrInvalid) {
			c.noParts(f.v)
			return errLayout
		}
		if errors.Is(context.Cause(ctx), errStalled) {
			return &store.Error{Op: "get", Key: f.v.key, Kind: store.ErrTransient, Err: errStalled}
		}
		return err
	}
	defer body.Close()
	if err := f.v.verify(got); err != nil {
		return err
	}
	if c.cfg.Answered != nil {
		got.Key = f.v.key
		c.cfg.Answered(got)
	}
	if begins {
		if f.check, err = c.vouched(f, got); err != nil {
			return err
		}
	}
	watchdog.Reset(min(bodyStall, fetchStall-time.Since(f.progress)))
	if err := c.drain(f, body, end, watchdog); err != nil {
		if cause := context.Cause(ctx); cause != nil && !errors.Is(err, ErrCorrupt) {
			err = &brokenBody{cause}
		}
		return err
	}
	return nil
}

// drain reads body into the pieces of f.
func (c *Cache) drain(f *fetch, body io.Reader, end int64, watchdog *time.Timer) error {
	for f.pos < end {
		p := &f.pieces[f.next]
		if f.buf == nil {
			f.buf = c.buffers.get(p.len())
		}
		n, err := body.Read(f.buf[f.pos-p.off:])
		if n > 0 {
			if f.check != nil {
				f.check.write(f.buf[f.pos-p.off:][:n])
			}
			f.pos += int64(n)
			f.progress = time.Now()
			watchdog.Reset(bodyStall)
			c.count.fetched.Add(int64(n))
			if f.pos == p.end {
				if err := c.complete(f); err != nil {
					return err
				}
			}
		}
		switch {
		case f.pos == end:
		case err == io.EOF:
			return &brokenBody{io.ErrUnexpectedEOF}
		case err != nil:
			return &brokenBody{err}
		}
	}
	return nil
}

// complete takes in a full piece: it is delivered at once, or held back until the
// last one proves that all are right.
func (c *Cache) complete(f *fetch) error {
	p := &f.pieces[f.next]
	f.held = append(f.held, &block{off: p.off, data: f.buf})
	f.buf = nil
	f.next++
	if f.check != nil {
		if f.next < len(f.pieces) {
			return nil
		}
		if err := f.check.done(); err != nil {
			return fmt.Errorf("get %q: %w", f.v.key, err)
		}
	}
	c.deliver(f)
	c.toDisk(f)
	return nil
}

// deliver hands the held blocks to the table and to who waits for them.
func (c *Cache) deliver(f *fetch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.noteDelivery(f)
	first := f.next - len(f.held)
	for i, b := range f.held {
		p := &f.pieces[first+i]
		b.refs = 1 + p.waiters // one for the table, or for us
		f.waiters -= p.waiters
		f.reserved -= b.cost()
		p.block = b
		c.table.land(p)
		if f.once {
			c.unref(b)
		} else {
			c.meantForDisk(f, p.id, b)
			c.table.add(f.v.versionKey, p.id, b)
		}
		p.finish()
	}
	f.held = nil
	c.letIn()
}

// verify reports store.ErrChanged when the answer is not of the version asked
// for: some servers ignore conditions.
func (v version) verify(got store.Object) error {
	if etag := strings.Trim(got.ETag, `"`); got.Size != v.size || (v.etag != "" && etag != "" && etag != v.etag) {
		return &store.Error{Op: "get", Key: v.key, Kind: store.ErrChanged}
	}
	return nil
}

// sleep waits for d and reports whether ctx is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
