// Package throttle bounds the bytes that a store is sent a second: a decorator of a store.Store and one token bucket for all
// its requests.
package throttle

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
)

// piece is how many bytes are let through at once: little enough that a connection is never silent for long.
const piece = 32 << 10

// Least is the lowest rate, in bytes a second, at which parts still end within the time of a request.
const Least = 64 << 10

// Store is a store whose uploads are slowed down. Reads, copies and what has no body are not.
type Store struct {
	store.Store
	bucket bucket
}

var (
	_ store.Store  = (*Store)(nil)
	_ store.Syncer = (*Store)(nil)
)

// New decorates s: Put and UploadPart send rate bytes a second, all together.
func New(s store.Store, rate int64) *Store {
	return &Store{Store: s, bucket: bucket{rate: float64(max(rate, Least))}}
}

// Put implements store.Writer.
func (s *Store) Put(ctx context.Context, key string, body *io.SectionReader, h store.Headers, c store.Cond) (store.PutResult, error) {
	return s.Store.Put(ctx, key, s.slow(ctx, body), h, c)
}

// UploadPart implements store.Multipart.
func (s *Store) UploadPart(ctx context.Context, key, id string, n int32, body *io.SectionReader) (store.Part, error) {
	return s.Store.UploadPart(ctx, key, id, n, s.slow(ctx, body))
}

// Sync passes on to stores that have to be synced.
func (s *Store) Sync(ctx context.Context) error {
	if y, ok := s.Store.(store.Syncer); ok {
		return y.Sync(ctx)
	}
	return nil
}

// ProbePut implements store.Prober; it has hardly a byte.
func (s *Store) ProbePut(ctx context.Context, key string, c store.Cond) (stored bool, err error) {
	return store.ProbePut(ctx, s.Store, key, c)
}

func (s *Store) slow(ctx context.Context, b *io.SectionReader) *io.SectionReader {
	return io.NewSectionReader(&body{ctx: ctx, from: b, bucket: &s.bucket}, 0, b.Size())
}

// body pays for each of its bytes once, when it is read first: a store may read a body twice, for its checksum and to send it.
type body struct {
	ctx    context.Context //nolint:containedctx // of the request whose body it is
	from   io.ReaderAt
	bucket *bucket

	mu   sync.Mutex
	paid int64 // up to this offset
}

// ReadAt implements io.ReaderAt.
func (b *body) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) && err == nil {
		end := min(n+piece, len(p))
		if err := b.pay(off + int64(end)); err != nil {
			return n, err
		}
		var k int
		k, err = b.from.ReadAt(p[n:end], off+int64(n))
		n += k
	}
	return n, err
}

// pay takes the tokens for what lies in front of end.
func (b *body) pay(end int64) error {
	b.mu.Lock()
	due := end - b.paid
	b.paid = max(b.paid, end)
	b.mu.Unlock()
	if due <= 0 {
		return nil
	}
	return b.bucket.take(b.ctx, due)
}

// bucket is a token bucket that lends: who takes more than there is waits until it has come in, those after him longer.
type bucket struct {
	rate float64 // bytes a second

	mu   sync.Mutex
	free time.Time // from when on all that was taken has come in
}

// take waits for n bytes' worth of time.
func (b *bucket) take(ctx context.Context, n int64) error {
	b.mu.Lock()
	now := time.Now()
	if b.free.Before(now) {
		b.free = now
	}
	wait := b.free.Sub(now)
	b.free = b.free.Add(time.Duration(float64(n) / b.rate * float64(time.Second)))
	b.mu.Unlock()
	if wait <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Fit chooses for a rate how many requests may share it, at most n, and how large a part is, at most size but not below least
// (all in bytes), so that each ends well within the time that it has: a minute and what its bytes need at slowest a second.
func Fit(rate int64, n int, size, least, slowest int64) (requests int, part int64) {
	rate = max(rate, Least)
	most := func(size int64) int64 { return (60 + size/slowest) * rate / max(size, 1) * 3 / 4 }
	part = size
	for part > least && most(part) < int64(n) {
		part = max(part/2, least)
	}
	return int(min(max(most(part), 1), int64(n))), part
}

// FitWhole chooses the same for a store that takes objects whole, however large: as many requests, at most n, as each have the slowest rate.
func FitWhole(rate int64, n int, slowest int64) (requests int) {
	return int(min(max(max(rate, Least)/slowest, 1), int64(n)))
}
