package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/cache/disk"
	"github.com/s3levelfs/s3levelfs/internal/crew"
	"github.com/s3levelfs/s3levelfs/store"
)

// ErrCorrupt says that the bytes of an object do not match its checksum,
// twice in a row.
var ErrCorrupt = errors.New("object does not match its checksum")

// Object is a version of an object. Key, ETag and Size name it; ModTime pins it
// where the server gives no ETag. With neither, only a change of size is noticed.
type Object struct {
	Key, ETag string
	Size      int64 // bytes
	ModTime   time.Time
}

// Config are the options of a Cache. The zero value works.
type Config struct {
	// Memory bounds in bytes all that the cache holds: what is cached, what is being read and what requests may still
	// bring; 0 = 128 MiB, at least 4 MiB. A read that finds no room waits for it.
	Memory int64
	// Readahead bounds the bytes in flight ahead of all readers together;
	// 0 = 64 MiB; it is never more than half of Memory.
	Readahead int64
	// MaxRange bounds one GET in bytes; 0 = 8 MiB. Longer runs are
	// fetched by several in parallel.
	MaxRange int64

	// Answered is told what the answer of each GET says of the object, headers
	// included: attributes for nothing. It is called by fetches, several at a
	// time, under no lock; nil = nobody.
	Answered func(store.Object)

	// Disk keeps blocks across restarts; nil = nothing does. Close it after the cache.
	Disk *disk.Store
	// Corrupted is told a version, by key and ETag, whose bytes were delivered in part before they were found to be
	// wrong, so that nobody keeps them; nil = nobody. It is called under no lock, by a reader.
	Corrupted func(key, etag string)

	Log *zap.Logger // nil = none
}

// Defaults and fixed sizes, in bytes.
const (
	DefaultMemory    int64 = 128 << 20
	DefaultReadahead int64 = 64 << 20
	DefaultMaxRange  int64 = 8 << 20

	minMemory int64 = 4 << 20
	blockSize int64 = 128 << 10
	pageSize  int64 = 4 << 10

	// wholeSize is the largest object that is fetched whole, and checked, when it
	// is read from its beginning.
	wholeSize int64 = 8 << 20
	// firstRange is the first request of a sequential reader: Linux asks for
	// 128 KiB more behind a read of 1 MiB. Objects up to this size are
	// always fetched whole.
	firstRange = 1<<20 + 128<<10
)

// tableShare is how many eighths of the memory cached blocks may have: what is in flight and what is being read has the rest.
const tableShare = 5

// Cache reads objects. Its methods are safe for concurrent use.
type Cache struct {
	store store.Reader
	cfg   Config
	log   *zap.Logger

	ctx     context.Context // ends with Close; fetches run under it
	cancel  context.CancelFunc
	fetches sync.WaitGroup
	crew    *crew.Crew
	buffers bufferPool
	active  activeStreams
	pace    pace
	count   counters

	mu       sync.Mutex
	budget   budget
	table    *table   // cached blocks, and those in flight
	added    added    // those of them that were not fetched
	ahead    []*fetch // readahead that runs, the oldest first
	inFlight int      // fetches running
	closed   bool

	verifiers  map[versionKey]*verifier
	layouts    *simplelru.LRU[versionKey, *layout]
	facts      *simplelru.LRU[versionKey, fact]
	unverified int64 // versions of facts that are

	serial uint64 // the last one given to a version without an ETag
}

// New makes a cache. Close it.
func New(r store.Reader, cfg Config) *Cache {
	if cfg.Memory <= 0 {
		cfg.Memory = DefaultMemory
	}
	cfg.Memory = max(cfg.Memory, minMemory)
	if cfg.Readahead <= 0 {
		cfg.Readahead = DefaultReadahead
	}
	cfg.Readahead = min(cfg.Readahead, cfg.Memory/2)
	if cfg.MaxRange <= 0 {
		cfg.MaxRange = DefaultMaxRange
	}
	cfg.MaxRange = max(cfg.MaxRange/blockSize, 1) * blockSize
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &Cache{
		store: r, cfg: cfg, log: cfg.Log,
		ctx: ctx, cancel: cancel,
		buffers: bufferPool{keep: hotBuffers(cfg.Memory)}, budget: budget{limit: cfg.Memory},
	}
	c.crew = crew.New(ctx, &c.fetches)
	c.verifiers = map[versionKey]*verifier{}
	c.layouts, _ = simplelru.NewLRU[versionKey, *layout](factsMost, nil)
	c.facts, _ = simplelru.NewLRU(factsMost, func(_ versionKey, state fact) {
		if state == unverified {
			c.unverified--
		}
	}) // an error only for a size that is not positive
	c.table = newTable(cfg.Memory/8*tableShare, c.unref)
	return c
}

// Close ends all fetches and waits for them. Reads give fs.ErrClosed from then on.
func (c *Cache) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	c.fetches.Wait()
	c.dropPending(true)
	c.mu.Lock()
	c.table.purge()
	c.mu.Unlock()
	c.buffers.close()
}

// ReadAt reads len(p) bytes at off of the version obj, fewer with io.EOF at its
// end. s is the access pattern of the handle that reads (nil = a read on its own, as
// random). Errors are those of the store — store.ErrChanged when the
// version is gone and the bytes are not cached, store.ErrTransient when it did not
// answer properly within 20 s — ErrCorrupt, fs.ErrClosed, or ctx's, at once, when it ends.
// Bytes before the failing block are read: n may be > 0.
func (c *Cache) ReadAt(ctx context.Context, obj Object, s *Stream, p []byte, off int64) (n int, err error) {
	return c.readAt(ctx, new(request), obj, s, p, off)
}

// readAt is ReadAt; r may say how.
func (c *Cache) readAt(ctx context.Context, r *request, obj Object, s *Stream, p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, fmt.Errorf("read %q: offset %d: %w", obj.Key, off, fs.ErrInvalid)
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	want := min(int64(len(p)), obj.Size-off)
	if want <= 0 {
		if len(p) == 0 {
			return 0, nil
		}
		return 0, io.EOF
	}
	r.lend = r.lend && want >= lendLeast
	r.v, r.stream = c.version(obj, s), s
	r.plan = c.plan(r.v, s, off, want)
	return c.serve(ctx, r, p)
}

// ReadOnce reads like [Cache.ReadAt] what is not going to be read again, and may be much: it takes what is cached and
// keeps nothing of what it has to fetch.
func (c *Cache) ReadOnce(ctx context.Context, obj Object, p []byte, off int64) (n int, err error) {
	if off < 0 || off > obj.Size-int64(len(p)) {
		return 0, fmt.Errorf("read %q: %d bytes at %d of %d: %w", obj.Key, len(p), off, obj.Size, fs.ErrInvalid)
	}
	if err := ctx.Err(); err != nil || len(p) == 0 {
		return 0, err
	}
	r := request{v: c.version(obj, nil)}
	r.plan = c.plan(r.v, nil, off, int64(len(p)))
	r.once = true
	return c.serve(ctx, &r, p)
}

// serve carries a request's plan out.
func (c *Cache) serve(ctx context.Context, r *request, p []byte) (n int, err error) {
	r.pos = r.read.off
	r.parts, err = c.partSize(ctx, r.v, r.plan)
	if err == nil && r.parts == 0 {
		r.verifier, err = c.verifying(r.v, r.plan)
	}
	if err == nil && r.verifier != nil && r.read.end > r.v.size-tailSize {
		err = c.finish(ctx, r.verifier)
	}
	if err != nil {
		return 0, fmt.Errorf("read %q at %d: %w", r.v.key, r.pos, err)
	}
	if r.parts > 0 {
		r.plan = r.byParts(r.v.size)
	}
	if n, err = c.read(ctx, r, p); err != nil {
		return n, fmt.Errorf("read %q at %d: %w", r.v.key, r.pos, err)
	}
	c.count.served.Add(int64(n))
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// read reads r.read into p; nil = it is only verified.
func (c *Cache) read(ctx context.Context, r *request, p []byte) (n int, err error) {
	var few [10]part // a read of 1 MiB that is not aligned has 9 blocks
	for r.pos < r.read.end {
		parts, claim, err := c.gather(r, few[:0])
		if err != nil {
			return int(r.pos - r.read.off), err
		}
		if claim != nil {
			c.dropPending(false)
			if err := c.wait(ctx, claim); err != nil {
				return int(r.pos - r.read.off), err
			}
			r.claim = claim
			continue
		}
		if r.lend && r.covers(parts) {
			err = c.lendParts(ctx, r, parts)
		} else {
			err = c.copyParts(ctx, r, parts, p)
		}
		if errors.Is(err, errLayout) && c.relay(r) {
			continue
		}
		if err != nil {
			return int(r.pos - r.read.off), err
		}
	}
	return int(r.pos - r.read.off), nil
}

// copyParts copies parts to where they belong in p, and gives them back.
func (c *Cache) copyParts(ctx context.Context, r *request, parts []part, p []byte) (err error) {
	for i := range parts {
		var b *block
		if b, err = c.await(ctx, &parts[i]); err != nil {
			break
		}
		if r.verifier != nil {
			c.feed(ctx, r.verifier, b)
		}
		if p == nil {
			r.pos = min(b.ends(), r.read.end)
			continue
		}
		r.pos += int64(copy(p[r.pos-r.read.off:r.read.len()], b.data[r.pos-b.off:]))
	}
	var through span
	if r.spend {
		through = span{r.read.off, r.pos}
	}
	c.release(parts, through) // a fetch is the cache's: it outlives the reader that started it
	return err
}

// plan asks the stream's window what to fetch for a read, and has the readahead
// clipped to the budget.
func (c *Cache) plan(v version, s *Stream, off, n int64) plan {
	var p plan
	if s == nil {
		p = new(window).plan(off, n, v.size, 0)
	} else {
		s.mu.Lock()
		limit := int64(0)
		if !s.closed {
			limit = c.active.share(s, c.cfg.Readahead, time.Now())
		}
		s.window.near = c.pace.near()
		p = s.window.plan(off, n, v.size, limit)
		s.mu.Unlock()
	}
	if !p.whole && v.size <= wholeSize && c.isSuspect(v) { // what was refused as a whole is not given in pieces
		p = plan{read: p.read, fetch: span{0, v.size}, unit: blockSize, whole: true}
	}
	if p.whole && c.cost(p.fetch, p.unit) > c.cfg.Memory {
		p.whole, p.fetch = false, align(p.read, p.unit, v.size)
	}
	return p
}

// version gives the identity under which blocks of obj are cached. Without an
// ETag it is known to this stream alone: the server can not tell two versions
// of one second apart.
func (c *Cache) version(obj Object, s *Stream) version {
	v := version{versionKey{key: obj.Key, etag: strings.Trim(obj.ETag, `"`), size: obj.Size}, store.Cond{IfMatch: obj.ETag}}
	if obj.ETag != "" {
		return v
	}
	v.cond.IfUnmodifiedSince = obj.ModTime
	if s == nil {
		v.private = c.nextSerial()
		return v
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.serial == 0 {
		s.serial = c.nextSerial()
	}
	v.private = s.serial
	return v
}
