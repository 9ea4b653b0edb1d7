package mount

import (
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/s3levelfs/s3levelfs/fs/vfs"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/memstore"
)

// Mem is a daemon over a fresh memstore, controlled by a [MemControl].
func Mem() Daemon {
	return OnStore(func(string) (store.Store, func(*Stack) any, error) {
		mem := memstore.New(memstore.Config{HideAbsent: true})
		gate := newGate(mem)
		return gate, func(s *Stack) any { return &MemControl{mem: mem, gate: gate, stack: s} }, nil
	})
}

// MemControl is what workers call: requests of the store, and what somebody
// else does in the bucket.
type MemControl struct {
	mem   *memstore.Store
	gate  *gate
	stack *Stack
}

// Requests lists "op key bytes" of each request since the last call of Forget.
func (c *MemControl) Requests(_ struct{}, out *[]string) error {
	for _, r := range c.mem.Requests() {
		*out = append(*out, fmt.Sprintf("%s %s %d", r.Op, r.Key, r.Received))
	}
	return nil
}

// Forget begins a new list of requests.
func (c *MemControl) Forget(struct{}, *struct{}) error {
	c.mem.ResetCounts()
	return nil
}

// Object is an object as somebody else puts or sees it.
type Object struct {
	Key  string
	Data []byte
	Meta map[string]string
	Size int64 // of PutZeros, bytes
}

// Put writes an object behind the mount's back.
func (c *MemControl) Put(o Object, _ *struct{}) error {
	c.mem.PutRaw(o.Key, memstore.Raw{Data: o.Data, Headers: store.Headers{Metadata: o.Meta}})
	return nil
}

// PutZeros writes an object of zeros behind the mount's back.
func (c *MemControl) PutZeros(o Object, _ *struct{}) error {
	c.mem.PutRaw(o.Key, memstore.Raw{Data: make([]byte, o.Size)})
	return nil
}

// Kernel is what the kernel has asked for, by kind.
func (c *MemControl) Kernel(_ struct{}, out *map[string]int64) error {
	*out = c.stack.Server.Asked()
	return nil
}

// Remembered is how many files the kernel remembers.
func (c *MemControl) Remembered(_ struct{}, out *int) error {
	*out = c.stack.Server.Remembered()
	return nil
}

// Invalidate has the kernel drop what is changed behind its back, and returns when that is done or put aside.
func (c *MemControl) Invalidate(i vfs.Invalidation, _ *struct{}) error {
	c.stack.notifier.Invalidate(i)
	return nil
}

// Delete removes an object behind the mount's back.
func (c *MemControl) Delete(key string, _ *struct{}) error {
	c.mem.Remove(key)
	return nil
}

// Get reads an object behind the mount's back.
func (c *MemControl) Get(key string, out *Object) error {
	obj, ok := c.mem.Object(key)
	if !ok {
		return store.ErrNotExist
	}
	*out = Object{Key: key, Data: obj.Data, Meta: obj.Headers.Metadata}
	return nil
}

// drainTimeout bounds Drain.
const drainTimeout = 20 * time.Second

// Drain waits until all files that were closed are known to be, which the kernel tells after close(2) has returned, and
// nothing is pending. Settle times end.
func (c *MemControl) Drain(struct{}, *struct{}) error {
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	for c.stack.Uploader.Status().Open > 0 {
		select {
		case <-ctx.Done():
			return fmt.Errorf("files are still open: %w", ctx.Err())
		case <-time.After(time.Millisecond): // the kernel is to speak
		}
	}
	_, err := c.stack.Uploader.Wait(ctx, "")
	return err
}

// Stall makes reads of the store hang, or all go on again.
func (c *MemControl) Stall(on bool, _ *struct{}) error {
	c.gate.stall(on)
	return nil
}

// Release lets the reads of keys with this ending go on.
func (c *MemControl) Release(ending string, _ *struct{}) error {
	c.gate.release(ending)
	return nil
}

// Waiting counts the reads of the store that hang.
func (c *MemControl) Waiting(_ struct{}, out *int) error {
	c.gate.mu.Lock()
	defer c.gate.mu.Unlock()
	*out = c.gate.waiting
	return nil
}

// gate is a store whose reads can be made to hang, as on a dead network.
type gate struct {
	*memstore.Store

	mu      sync.Mutex
	stalled bool
	waiting int           // calls in pass
	free    []string      // endings of keys that pass all the same
	change  chan struct{} // closed at every change
}

func newGate(s *memstore.Store) *gate { return &gate{Store: s, change: make(chan struct{})} }

func (g *gate) stall(on bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stalled, g.free = on, nil
	close(g.change)
	g.change = make(chan struct{})
}

func (g *gate) release(ending string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.free = append(g.free, ending)
	close(g.change)
	g.change = make(chan struct{})
}

// pass waits while reads hang.
func (g *gate) pass(ctx context.Context, op, key string) error {
	for {
		g.mu.Lock()
		pass := !g.stalled || slices.ContainsFunc(g.free, func(e string) bool { return strings.HasSuffix(key, e) })
		change := g.change
		if !pass {
			g.waiting++
		}
		g.mu.Unlock()
		if pass {
			return nil
		}
		select {
		case <-change:
			g.leave()
		case <-ctx.Done():
			g.leave()
			return &store.Error{Op: op, Key: key, Kind: store.ErrTransient, Err: ctx.Err()}
		}
	}
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiting--
}

func (g *gate) Head(ctx context.Context, key string, c store.Cond) (store.Object, error) {
	if err := g.pass(ctx, "head", key); err != nil {
		return store.Object{}, err
	}
	return g.Store.Head(ctx, key, c)
}

func (g *gate) Get(ctx context.Context, key string, r store.Range, c store.Cond) (io.ReadCloser, store.Object, error) {
	if err := g.pass(ctx, "get", key); err != nil {
		return nil, store.Object{}, err
	}
	return g.Store.Get(ctx, key, r, c)
}

func (g *gate) List(ctx context.Context, prefix string, o store.ListOptions) iter.Seq2[store.Page, error] {
	return func(yield func(store.Page, error) bool) {
		if err := g.pass(ctx, "list", prefix); err != nil {
			yield(store.Page{}, err)
			return
		}
		g.Store.List(ctx, prefix, o)(yield)
	}
}
