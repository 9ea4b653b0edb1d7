package attrs

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"sync/atomic"

	"github.com/s3levelfs/s3levelfs/store"
)

// flight is one HEAD that any number of callers wait for.
type flight struct {
	cancel  context.CancelFunc
	waiters int // guarded by Index.mu
	done    chan struct{}

	// Set before done is closed.
	headers store.Headers
	posix   Posix
	err     error
}

// Fetch asks for the headers of the version o by one HEAD, pinned to it, and
// records them. Callers of the same version share one request; the ctx of one
// does not end it for the others. A version that is gone gives
// store.ErrChanged or store.ErrNotExist.
func (x *Index) Fetch(ctx context.Context, o store.Object) (store.Headers, Posix, error) {
	f, err := x.join(o) // a HEAD is the index's: it outlives the caller that started it
	if err != nil {
		return store.Headers{}, Posix{}, err
	}
	select {
	case <-f.done:
		return f.headers, f.posix, f.err
	case <-ctx.Done():
		x.leave(versionOf(o), f)
		return store.Headers{}, Posix{}, ctx.Err()
	}
}

// join finds or starts the flight of o and counts a waiter.
func (x *Index) join(o store.Object) (*flight, error) {
	v := versionOf(o)
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed {
		return nil, fs.ErrClosed
	}
	f := x.flights[v]
	if f == nil {
		ctx, cancel := context.WithCancel(x.ctx)
		f = &flight{cancel: cancel, done: make(chan struct{})}
		x.flights[v] = f
		x.tasks.Go(func() { x.fly(ctx, f, o) })
	}
	f.waiters++
	return f, nil
}

// leave takes one waiter away whose ctx has ended; the last one ends the request.
func (x *Index) leave(v version, f *flight) {
	x.mu.Lock()
	f.waiters--
	last := f.waiters == 0
	if last && x.flights[v] == f {
		delete(x.flights, v) // a later caller starts anew instead of meeting the cancelled one
	}
	x.mu.Unlock()
	if last {
		f.cancel()
	}
}

// fly sends the HEAD when its turn comes.
func (x *Index) fly(ctx context.Context, f *flight, o store.Object) {
	defer f.cancel()
	got, err := x.head(ctx, o)
	switch {
	case err != nil:
		f.err = err
	case got.Headers == nil:
		got.Headers = &store.Headers{}
		fallthrough
	default:
		x.put(got, unixSeconds(o.LastModified))
		f.headers, f.posix = *got.Headers, Decode(got)
	}
	v := versionOf(o)
	x.mu.Lock()
	if x.flights[v] == f {
		delete(x.flights, v)
	}
	x.mu.Unlock()
	close(f.done)
}

func (x *Index) head(ctx context.Context, o store.Object) (store.Object, error) {
	select {
	case x.turns <- struct{}{}:
		defer func() { <-x.turns }()
	case <-ctx.Done():
		return store.Object{}, ctx.Err()
	}
	x.mu.Lock()
	x.heads++
	x.mu.Unlock()
	cond := store.Cond{IfMatch: o.ETag}
	if o.ETag == "" {
		cond.IfUnmodifiedSince = o.LastModified
	}
	got, err := x.store.Head(ctx, o.Key, cond)
	if err == nil && (opaque(got.ETag) != opaque(o.ETag) || got.Size != o.Size) {
		x.Put(got) // the server ignores conditions: what it said is true all the same
		return store.Object{}, &store.Error{Op: "head", Key: o.Key, Kind: store.ErrChanged}
	}
	return got, err
}

// Prefetch fetches the headers of those objects that are not known or have
// expired, and returns when all answers are there. Objects that are gone or have changed are skipped.
// It goes on after other failures and returns the first of them, but stops when
// rights are missing, when the store fails more than it answers, or when ctx ends.
func (x *Index) Prefetch(ctx context.Context, objects []store.Object) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var (
		next    atomic.Int64
		balance atomic.Int64 // answers less failures
		workers sync.WaitGroup
		once    sync.Once
		first   error
	)
	for range min(x.cfg.Parallel, len(objects)) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(objects)) && ctx.Err() == nil; i = next.Add(1) - 1 {
				if _, _, fresh, _ := x.Get(objects[i]); fresh {
					continue
				}
				_, _, err := x.Fetch(ctx, objects[i])
				if err == nil || errors.Is(err, store.ErrNotExist) || errors.Is(err, store.ErrChanged) {
					balance.Add(1)
					continue
				}
				once.Do(func() { first = err })
				if errors.Is(err, store.ErrPermission) || errors.Is(err, store.ErrTransient) && balance.Add(-1) < 0 {
					stop(err)
				}
			}
		})
	}
	workers.Wait()
	if first == nil {
		return ctx.Err()
	}
	return first
}
