package peruser

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/internal/telemetry"
)

// User is one entry of the table, for people. Activity is asked for where there is a mount.
type User struct {
	UID      uint32
	State    State
	Since    time.Time // of the state
	Used     time.Time // when somebody was last seen to use it; zero without a mount
	Err      error     // of Failed; of a mount that does not tell its Activity
	Activity Activity
}

// Users lists the table by uid. Mounts are asked at the same time.
func (t *Table) Users(ctx context.Context) []User {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	t.mu.Lock()
	all := make([]User, 0, len(t.users))
	mounts := make([]Mount, 0, len(t.users))
	for uid, e := range t.users {
		all = append(all, User{UID: uid, State: e.state, Since: e.since, Used: e.used, Err: e.err})
		mounts = append(mounts, e.mount)
	}
	t.mu.Unlock()
	var asked sync.WaitGroup
	for i, m := range mounts {
		if m != nil {
			asked.Go(func() { all[i].Activity, all[i].Err = m.Activity(ctx) })
		}
	}
	asked.Wait()
	slices.SortFunc(all, func(a, b User) int { return cmp.Compare(a.UID, b.UID) })
	return all
}

// all are the entries as they are now.
func (t *Table) all() map[uint32]entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := map[uint32]entry{}
	for uid, e := range t.users {
		now[uid] = *e
	}
	return now
}

// settled is all once no mount is being started or ended.
func (t *Table) settled(ctx context.Context) (map[uint32]entry, error) {
	for {
		all := t.all()
		var under <-chan struct{}
		for _, e := range all {
			if e.state == Starting || e.state == Ending {
				under = e.changed
			}
		}
		if under == nil {
			return all, nil
		}
		select {
		case <-under:
		case <-ctx.Done():
			return nil, fmt.Errorf("a user's mount is being started or ended: %w", ctx.Err())
		}
	}
}

// sum adds what is left in one mount to all.
func sum(all *telemetry.Left, one telemetry.Left) {
	all.Files += one.Files
	all.Bytes += one.Bytes
	all.Failed += one.Failed
	all.Error = cmp.Or(all.Error, one.Error)
}

// Sync is that of all mounts at the same time.
func (t *Table) Sync(ctx context.Context, path string) (left telemetry.Left, err error) {
	var mu sync.Mutex
	var asked sync.WaitGroup
	for uid, e := range t.all() {
		if e.mount == nil {
			continue
		}
		asked.Go(func() {
			one, oneErr := e.mount.Sync(ctx, path, untilEnd(ctx))
			mu.Lock()
			defer mu.Unlock()
			sum(&left, one)
			if oneErr != nil && !ended(e.mount) {
				err = errors.Join(err, fmt.Errorf("user %d: %w", uid, oneErr))
			}
		})
	}
	asked.Wait()
	return left, err
}

// answerTime is left of a wait's time for the answer.
const answerTime = 200 * time.Millisecond

// untilEnd is a limit that has a wait answer before ctx ends; 0 = it does not.
func untilEnd(ctx context.Context) time.Duration {
	end, ok := ctx.Deadline()
	if !ok {
		return 0
	}
	return max(time.Until(end)-answerTime, time.Millisecond)
}

func ended(m Mount) bool {
	select {
	case <-m.Done():
		return true
	default:
		return false
	}
}

// Unmount ends all mounts that nobody is in, and starts none from then on. If there are others they are named in the error, they go on,
// and so does the table.
func (t *Table) Unmount(ctx context.Context) (err error) {
	t.setClosed(true)
	defer func() {
		if err != nil {
			t.setClosed(false)
		}
	}()
	all, err := t.settled(ctx)
	if err != nil {
		return err
	}
	for uid, e := range all {
		if e.mount == nil {
			continue
		}
		switch one := e.mount.Unmount(ctx); {
		case one == nil:
			t.ending(uid)
		case !ended(e.mount):
			err = errors.Join(err, fmt.Errorf("user %d: %w", uid, one))
		}
	}
	return err
}

// Reopen lets users in again after an Unmount.
func (t *Table) Reopen() { t.setClosed(false) }

func (t *Table) setClosed(closed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = closed
}

// ending notes of a mount that it is out of the tree and only uploads.
func (t *Table) ending(uid uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.users[uid]; e != nil && e.state == Mounted {
		t.turn(e, Ending)
	}
}

// Close ends all mounts, whoever is in them: they have a moment to close their files, then uploads go on for at most limit (0 = until all is
// uploaded or has failed). It tells what is left in spools. When ctx ends, mounts that still upload are left to themselves.
func (t *Table) Close(ctx context.Context, limit time.Duration) (left telemetry.Left) {
	t.setClosed(true)
	t.cancel()
	t.work.Wait()
	var mu sync.Mutex
	var asked sync.WaitGroup
	for uid, e := range t.all() {
		if e.mount == nil {
			continue
		}
		asked.Go(func() {
			one := t.stop(ctx, uid, &e, limit)
			mu.Lock()
			defer mu.Unlock()
			sum(&left, one)
		})
	}
	asked.Wait()
	t.Leave()
	return left
}

// Leave lets go of the mounts: they go on, and the table is of no use any more.
func (t *Table) Leave() {
	t.setClosed(true)
	t.cancel()
	t.work.Wait()
	close(t.gone)
	t.watch.Wait()
}

// stop ends one mount and tells what it leaves: what it said last, as it can not be asked when it has gone. One that is out of the
// tree already is not hurried: to its process a signal would be the second, which ends the uploads.
func (t *Table) stop(ctx context.Context, uid uint32, e *entry, limit time.Duration) (left telemetry.Left) {
	if e.state == Mounted {
		if err := e.mount.Stop(); err != nil && !ended(e.mount) {
			t.log.Error("a user's mount can not be ended", zap.Uint32("uid", uid), zap.Error(err))
			return left
		}
	}
	again := time.NewTicker(answerTime / 2)
	defer again.Stop()
	for {
		if now, err := e.mount.Sync(ctx, "", limit); err == nil {
			left = now
		}
		select {
		case <-e.mount.Done():
			return left
		case <-ctx.Done():
			t.log.Warn("a user's mount still uploads, and is left to it", zap.Uint32("uid", uid), zap.Int("files", left.Files))
			return left
		case <-again.C:
		}
	}
}
