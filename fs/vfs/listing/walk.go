package listing

import (
	"context"
	"iter"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
)

// Walk iterates over all objects below a prefix, markers included, in the
// order of the store, 1,000 keys a request, fetched as they are asked for and
// never from the cache. An error is the last pair.
func (x *Index) Walk(ctx context.Context, prefix string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		for p, err := range x.asked(ctx, prefix, store.ListOptions{}) {
			if err != nil {
				yield(store.Object{}, err)
				return
			}
			for _, o := range p.Objects {
				if !yield(o, nil) {
					return
				}
			}
		}
	}
}

// Vacated asks the store whether it has nothing below a directory but its own marker, if that holds nothing, keys that gone tells to be about to be
// removed, and such as this mount has removed since the question began: a listing under way may show those still. told waits until the
// index knows of all that has been removed. It ends at the first page with anything else.
func (x *Index) Vacated(ctx context.Context, dir string, gone func(key string) bool, told func(context.Context) error) (bool, error) {
	r, err := x.begin()
	if err != nil {
		return false, err
	}
	defer x.end(r)
	for p, err := range x.asked(ctx, dir, store.ListOptions{}) {
		if err != nil {
			return false, err
		}
		left := map[string]struct{}{}
		for _, o := range p.Objects {
			if (o.Key != dir || o.Size > 0) && !gone(o.Key) {
				left[o.Key] = struct{}{}
			}
		}
		if len(left) == 0 {
			continue
		}
		if err := told(ctx); err != nil {
			return false, err
		}
		x.mu.Lock()
		x.changes.since(r, func(ch change) {
			if ch.kind == removed || ch.kind == dirRemoved {
				delete(left, ch.key)
			}
		})
		x.mu.Unlock()
		if len(left) > 0 {
			return false, nil
		}
	}
	return true, nil
}

// asked is a listing in the caller's own context, observed.
func (x *Index) asked(ctx context.Context, prefix string, o store.ListOptions) iter.Seq2[store.Page, error] {
	return func(yield func(store.Page, error) bool) {
		began := time.Now()
		for p, err := range x.store.List(ctx, prefix, o) {
			if ctx.Err() == nil {
				x.mu.Lock()
				x.observe(began, err, p)
				x.mu.Unlock()
			}
			if !yield(p, err) || err != nil {
				return
			}
			began = time.Now()
		}
	}
}
