package uploader

import (
	"context"
	"fmt"
	"strings"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// RenameDir renames a directory (keys without trailing slash). Everything
// pending below it is re-keyed in the same transaction that logs a move for
// each stored entry; the moves run in parallel, go on after a crash, and RenameDir returns when all copies are
// confirmed. Their sources are deleted afterwards, in batches. entries are the stored objects below from,
// as a flat listing shows them now. The first failure is returned; what has been
// copied until then stays under the new name.
func (u *Uploader) RenameDir(ctx context.Context, from, to string, entries []DirEntry) error {
	if strings.HasPrefix(to+"/", from+"/") {
		return &store.Error{Op: "rename", Key: from, Kind: store.ErrInvalid}
	}
	u.mu.Lock()
	var err error
	for err == nil && u.carriesBelow(from+"/") {
		err = u.waitChange(ctx)
	}
	var moves []*op
	if err == nil {
		moves, err = u.logRenameDir(from+"/", to+"/", entries)
	}
	if err != nil {
		u.mu.Unlock()
		return fmt.Errorf("rename %q to %q: %w", from, to, err)
	}
	hold := NewHold() // so that the deletes come together: one request for 1,000
	outcomes := make([]<-chan error, len(moves))
	for i, m := range moves {
		hold.keep(m)
		outcomes[i] = u.waiter(m)
	}
	u.mu.Unlock()
	defer u.Release(hold)
	var first error
	for i, m := range moves {
		if err := u.awaitMove(ctx, m, outcomes[i]); err != nil && first == nil {
			first = fmt.Errorf("rename %q to %q: %w", m.key, m.to, err)
		}
	}
	return first
}

// logRenameDir logs all of a directory's rename. Called with mu held.
func (u *Uploader) logRenameDir(from, to string, entries []DirEntry) ([]*op, error) {
	var recs []*spool.Record
	var ids []uint64
	var plans []*rekeying
	for key := range u.fold.tree.keysBelow(from) {
		top := u.fold.queues[key].top()
		if !top.makes(key) {
			continue
		}
		target := to + strings.TrimPrefix(key, from)
		switch {
		case top.kind == opPut:
			plans = append(plans, u.planRekey(key, target, Base{State: Absent}))
		case top.kind == opMarker && top.idle():
			n := &op{id: u.newID(), kind: opMarker, key: target, headers: top.headers}
			recs = append(recs, n.record(spool.TypeRenameDir), top.done(spool.TypeDone, Base{}, Base{}))
		default:
			more, id := u.moveRecords(key, target, Base{}, Base{State: Absent}, false)
			recs, ids = append(recs, more...), append(ids, id)
		}
	}
	for _, e := range entries {
		if len(u.fold.queues[e.Key]) > 0 || !strings.HasPrefix(e.Key, from) {
			continue // the overlay knows better
		}
		target := to + strings.TrimPrefix(e.Key, from)
		base := Base{State: Present, ETag: e.ETag, Size: e.Size}
		more, id := u.moveRecords(e.Key, target, base, Base{State: Absent}, false)
		recs, ids = append(recs, more...), append(ids, id)
	}
	if len(recs)+len(plans) == 0 {
		return nil, nil
	}
	if err := u.commitRekeys(plans, recs...); err != nil {
		return nil, err
	}
	moves := make([]*op, 0, len(ids))
	for _, id := range ids {
		m := u.fold.ops[id]
		u.carryFile(m)
		u.unblock(m.to)
		moves = append(moves, m)
	}
	u.notify()
	return moves, nil
}
