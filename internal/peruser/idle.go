package peruser

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"
)

const (
	lookMost   = 30 * time.Second // between two looks for mounts that nobody uses
	drainLimit = 5 * time.Minute  // for what was written since the look
)

// look looks for mounts that nobody uses, until the table is closed. It is fine enough that a mount ends within an eighth of the time.
func (t *Table) look() {
	every := time.NewTicker(max(min(t.cfg.Idle/8, lookMost), time.Millisecond))
	defer every.Stop()
	for {
		select {
		case <-t.ctx.Done():
			return
		case <-every.C:
		}
		t.forgetFailures()
		for uid, e := range t.mounted() {
			t.judge(uid, e)
		}
	}
}

// forgetFailures keeps the table from growing with users who came once.
func (t *Table) forgetFailures() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for uid, e := range t.users {
		if e.state == Failed && time.Since(e.since) >= t.cfg.Retry {
			delete(t.users, uid)
		}
	}
}

func (t *Table) mounted() map[uint32]*entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := map[uint32]*entry{}
	for uid, e := range t.users {
		if e.state == Mounted {
			all[uid] = e
		}
	}
	return all
}

// judge asks a mount what goes on in it, and ends it when that has been nothing for the idle time. One that does not answer is left alone.
func (t *Table) judge(uid uint32, e *entry) {
	ctx, cancel := context.WithTimeout(t.ctx, askTimeout)
	defer cancel()
	a, err := e.mount.Activity(ctx)
	if err != nil {
		t.log.Debug("a user's mount does not tell what goes on in it", zap.Uint32("uid", uid), zap.Error(err))
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || e.state != Mounted {
		return
	}
	if a.Open > 0 || a.Left.Files > 0 || a.Requests != e.requests {
		e.used, e.requests = time.Now(), a.Requests
		return
	}
	if time.Since(e.used) < t.cfg.Idle {
		return
	}
	t.turn(e, Ending)
	t.work.Go(func() { t.end(uid, e) })
}

// end ends a mount in which nothing went on. When that was not so after all, as somebody stands in it, it stays.
func (t *Table) end(uid uint32, e *entry) {
	ctx, cancel := context.WithTimeout(t.ctx, drainLimit+askTimeout)
	defer cancel()
	left, err := e.mount.Sync(ctx, "", drainLimit)
	if err == nil && left.Files > 0 {
		err = fmt.Errorf("%d changes are not uploaded", left.Files)
	}
	if err == nil {
		err = e.mount.Unmount(ctx)
	}
	if err == nil {
		t.log.Info("a user's mount was not used and ends", zap.Uint32("uid", uid))
		return // its watch forgets it when its process has gone
	}
	t.log.Debug("a user's mount is not used, and goes on", zap.Uint32("uid", uid), zap.Error(err))
	t.mu.Lock()
	defer t.mu.Unlock()
	if e.state == Ending {
		t.turn(e, Mounted)
	}
}
