package uploader

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/s3levelfs/s3levelfs/store"
)

// A server that keeps directories deletes the marker of one only when nothing is below it (versitygw: where it has no marker of its
// own). So the delete of a marker waits for those on their way below it, or goes in one request with them, behind them.
// What can not go now, a file that somebody reads, is not waited for: S3 itself knows no order of keys.

// leavesFirst puts the deletes of a request into an order in which no marker comes before what is below it, and takes out the
// markers that have to wait for what is not among them. Called with mu held.
func (u *Uploader) leavesFirst(ops []*op) []*op {
	slices.SortFunc(ops, func(a, b *op) int { return cmp.Compare(b.key, a.key) })
	with := make(map[*op]bool, len(ops))
	for _, o := range ops {
		with[o] = true
	}
	return slices.DeleteFunc(ops, func(o *op) bool {
		waits := u.awaitBelow(o, with)
		if waits {
			delete(with, o)
		}
		return waits
	})
}

// awaitBelow: the operation deletes a marker and has been put behind a delete below it, other than those that go with it.
// Called with mu held.
func (u *Uploader) awaitBelow(o *op, with map[*op]bool) bool {
	if !o.deletes() || !isMarker(o.key) {
		return false
	}
	for key := range u.fold.tree.keysBelow(o.key) {
		if key == o.key {
			continue
		}
		if below := u.leaving(key); below != nil && !with[below] {
			below.markers = append(below.markers, o)
			return true
		}
	}
	return false
}

// leaving is the operation that takes an object away from its key and is on its way; nil = there is none. Called with mu held.
func (u *Uploader) leaving(key string) *op {
	q := u.fold.queues[key]
	head := q.head()
	if head == nil || !head.running && !u.runnable(head) {
		return nil
	}
	for _, o := range q {
		if o.deletes() || o.kind == opMove && o.key == key {
			return o
		}
	}
	return nil
}

// passMarkers looks again at the markers that waited for an operation. Called with mu held.
func (u *Uploader) passMarkers(o *op) {
	markers := o.markers
	o.markers = nil
	for _, m := range markers {
		u.consider(m)
	}
}

// markerRefused answers the delete of a marker that the server finds wrong: where it will not have it otherwise, the directory in which
// somebody else has stored something stays.
func (u *Uploader) markerRefused(ctx context.Context, o *op, base Base, cause error) error {
	if l := u.levelOf(o.key); l != nil && !l.CanList {
		return cause
	}
	foreign, ours := false, u.removedBelow(o.key)
	_, err := u.try(ctx, 0, func(ctx context.Context) error {
		for page, err := range u.store.List(ctx, o.key, store.ListOptions{PageSize: perPage}) {
			if err != nil {
				return err
			}
			foreign = slices.ContainsFunc(page.Objects, func(obj store.Object) bool { return !ours[obj.Key] })
			break
		}
		return nil
	})
	switch {
	case err != nil:
		return errors.Join(cause, err)
	case foreign:
		return u.reappear(o, base)
	}
	return cause
}

// removedBelow are the keys of a directory, its marker included, that are to go.
func (u *Uploader) removedBelow(marker string) map[string]bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	keys := map[string]bool{marker: true}
	for key := range u.fold.tree.keysBelow(marker) {
		if !u.fold.queues[key].top().makes(key) {
			keys[key] = true
		}
	}
	return keys
}
