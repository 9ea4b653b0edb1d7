package uploader

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
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
	var first *op
	for key := range u.fold.tree.keysBelow(o.key) {
		head := u.leaving(key)
		if head == nil || head == o || with[head] {
			continue
		}
		first = head
		if !head.awaits {
			break // a marker that waits itself waits for one of these: both go together then
		}
	}
	if o.awaits = first != nil; o.awaits {
		first.markers = append(first.markers, o)
	}
	return o.awaits
}

// leaving is what is on its way at a key whose object is going to be taken away: that delete, or what has to end before it. nil: nothing is,
// or it has failed before, or its turn does not come by itself; nobody waits for those. Called with mu held.
func (u *Uploader) leaving(key string) *op {
	q := u.fold.queues[key]
	head := q.head()
	if head == nil || head.rounds > 0 || !head.running && !u.runnable(head) {
		return nil
	}
	for _, o := range q {
		switch {
		case o.kind == opDelete && (o.after != "" || o.hold != nil && !o.hold.released):
			return nil
		case o.deletes(), o.kind == opMove && o.key == key:
			return head
		}
	}
	return nil
}

// passMarkers looks again at the markers that waited for an operation, which has ended or failed. Called with mu held.
func (u *Uploader) passMarkers(o *op) {
	markers := o.markers
	o.markers = nil
	for _, m := range markers {
		m.awaits = false
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
	case pauses(err):
		return err
	case err != nil:
		return fmt.Errorf("%w; what is below it: %v", cause, err) //nolint:errorlint // its kind says nothing of the delete
	case foreign && u.remade(o.key):
		return u.end(o, spool.TypeDone, base, Base{}) // what is below it is ours
	case foreign:
		return u.reappear(o, base)
	}
	return cause
}

// remade: the directory has been made again meanwhile.
func (u *Uploader) remade(marker string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	q := u.fold.queues[marker]
	return len(q) > 0 && q.top().makes(marker)
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
