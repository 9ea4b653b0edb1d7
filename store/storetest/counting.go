package storetest

import (
	"context"
	"io"
	"iter"
	"maps"
	"sync"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/op"
)

// Counting decorates a store with counts of its calls by op and of those in
// flight at once. A page of a listing is one call; a Get is in flight until its
// body is closed. It is safe for concurrent use.
type Counting struct {
	store.Store

	mu     sync.Mutex
	counts Counts
	flying map[string]int
	all    int
}

// Counts is what a Counting has seen.
type Counts struct {
	Calls  map[string]int // by op
	Failed map[string]int // those of them that failed
	// MaxInFlight is the most calls at once by op; under "" that of all ops.
	MaxInFlight map[string]int
	Sent        int64 // bytes of bodies of Put and UploadPart
	Received    int64 // bytes read from bodies of Get
}

var (
	_ store.Store  = (*Counting)(nil)
	_ store.Syncer = (*Counting)(nil)
)

// NewCounting decorates s.
func NewCounting(s store.Store) *Counting {
	return &Counting{Store: s, counts: newCounts(), flying: map[string]int{}}
}

func newCounts() Counts {
	return Counts{Calls: map[string]int{}, Failed: map[string]int{}, MaxInFlight: map[string]int{}}
}

// Counts returns a copy of what was counted since NewCounting or Reset.
func (c *Counting) Counts() Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.counts
	n.Calls, n.Failed, n.MaxInFlight = maps.Clone(n.Calls), maps.Clone(n.Failed), maps.Clone(n.MaxInFlight)
	return n
}

// InFlight returns the number of calls in flight now.
func (c *Counting) InFlight() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all
}

// Reset forgets the counts. Calls in flight stay so.
func (c *Counting) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts = newCounts()
	maps.Copy(c.counts.MaxInFlight, c.flying)
	c.counts.MaxInFlight[""] = c.all
}

func (c *Counting) begin(o string, sent int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts.Calls[o]++
	c.counts.Sent += sent
	c.flying[o]++
	c.all++
	most := c.counts.MaxInFlight
	most[o], most[""] = max(most[o], c.flying[o]), max(most[""], c.all)
}

func (c *Counting) failed(o string, err error) {
	if err == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts.Failed[o]++
}

func (c *Counting) landed(o string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flying[o]--
	if c.flying[o] == 0 {
		delete(c.flying, o)
	}
	c.all--
}

// counted runs one call.
func counted[T any](c *Counting, o string, sent int64, call func() (T, error)) (T, error) {
	c.begin(o, sent)
	defer c.landed(o)
	v, err := call()
	c.failed(o, err)
	return v, err
}

func size(body *io.SectionReader) int64 {
	if body == nil {
		return 0
	}
	return body.Size()
}

// Sync implements store.Syncer; a store that is none has nothing to sync.
func (c *Counting) Sync(ctx context.Context) error {
	if s, ok := c.Store.(store.Syncer); ok {
		return s.Sync(ctx)
	}
	return nil
}

// Head implements store.Reader.
func (c *Counting) Head(ctx context.Context, key string, cond store.Cond) (store.Object, error) {
	return counted(c, op.Head, 0, func() (store.Object, error) { return c.Store.Head(ctx, key, cond) })
}

// Get implements store.Reader.
func (c *Counting) Get(ctx context.Context, key string, r store.Range, cond store.Cond) (io.ReadCloser, store.Object, error) {
	c.begin(op.Get, 0)
	body, o, err := c.Store.Get(ctx, key, r, cond)
	if err != nil {
		c.failed(op.Get, err)
		c.landed(op.Get)
		return nil, o, err
	}
	return &countedBody{ReadCloser: body, c: c}, o, nil
}

// countedBody is in flight until it is closed.
type countedBody struct {
	io.ReadCloser
	c    *Counting
	once sync.Once
}

// Read implements io.Reader.
func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.c.mu.Lock()
	b.c.counts.Received += int64(n)
	b.c.mu.Unlock()
	return n, err
}

// Close implements io.Closer.
func (b *countedBody) Close() error {
	b.once.Do(func() { b.c.landed(op.Get) })
	return b.ReadCloser.Close()
}

// List implements store.Reader.
func (c *Counting) List(ctx context.Context, prefix string, o store.ListOptions) iter.Seq2[store.Page, error] {
	return func(yield func(store.Page, error) bool) {
		next, stop := iter.Pull2(c.Store.List(ctx, prefix, o))
		defer stop()
		for {
			more := true
			page, err := counted(c, op.List, 0, func() (p store.Page, err error) {
				p, err, more = next()
				return p, err
			})
			if !more || !yield(page, err) || err != nil || !page.More {
				return
			}
		}
	}
}

// Put implements store.Writer.
func (c *Counting) Put(ctx context.Context, key string, body *io.SectionReader, h store.Headers, cond store.Cond) (store.PutResult, error) {
	return counted(c, op.Put, size(body), func() (store.PutResult, error) {
		return c.Store.Put(ctx, key, body, h, cond)
	})
}

// Copy implements store.Writer.
func (c *Counting) Copy(ctx context.Context, r store.CopyRequest) (store.PutResult, error) {
	return counted(c, op.Copy, 0, func() (store.PutResult, error) { return c.Store.Copy(ctx, r) })
}

// Delete implements store.Writer.
func (c *Counting) Delete(ctx context.Context, key string, cond store.Cond) error {
	_, err := counted(c, op.Delete, 0, func() (struct{}, error) { return struct{}{}, c.Store.Delete(ctx, key, cond) })
	return err
}

// DeleteMany implements store.Writer.
func (c *Counting) DeleteMany(ctx context.Context, keys []string) ([]store.KeyError, error) {
	return counted(c, op.DeleteMany, 0, func() ([]store.KeyError, error) { return c.Store.DeleteMany(ctx, keys) })
}

// Create implements store.Multipart.
func (c *Counting) Create(ctx context.Context, key string, h store.Headers) (string, error) {
	return counted(c, op.Create, 0, func() (string, error) { return c.Store.Create(ctx, key, h) })
}

// UploadPart implements store.Multipart.
func (c *Counting) UploadPart(ctx context.Context, key, uploadID string, number int32, body *io.SectionReader) (store.Part, error) {
	return counted(c, op.UploadPart, size(body), func() (store.Part, error) {
		return c.Store.UploadPart(ctx, key, uploadID, number, body)
	})
}

// CopyPart implements store.Multipart.
func (c *Counting) CopyPart(ctx context.Context, key, uploadID string, number int32, source, sourceETag string, r store.Range) (store.Part, error) {
	return counted(c, op.CopyPart, 0, func() (store.Part, error) {
		return c.Store.CopyPart(ctx, key, uploadID, number, source, sourceETag, r)
	})
}

// Complete implements store.Multipart.
func (c *Counting) Complete(ctx context.Context, key, uploadID string, parts []store.Part, cond store.Cond) (store.PutResult, error) {
	return counted(c, op.Complete, 0, func() (store.PutResult, error) {
		return c.Store.Complete(ctx, key, uploadID, parts, cond)
	})
}

// Abort implements store.Multipart.
func (c *Counting) Abort(ctx context.Context, key, uploadID string) error {
	_, err := counted(c, op.Abort, 0, func() (struct{}, error) { return struct{}{}, c.Store.Abort(ctx, key, uploadID) })
	return err
}
