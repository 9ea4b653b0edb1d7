package uploader

import (
	"context"
	"slices"
	"strings"
	"time"
)

// Wait looks at all that is pending when so much has ended that it may be at its end, and else now and then; a look
// takes one part in lookShare of the time at most.
const (
	lookEvery = 50 * time.Millisecond // while something ends
	lookIdle  = time.Second           // while nothing does
	lookShare = 20
)

// Wait waits until everything sealed or logged at keys that begin with prefix
// ("" = all) is in the store or has failed for now, the queue is paused, or ctx
// ends, and tells what is left. What has failed goes on being retried; waiting
// for it could last for ever. Open files and removals that open files hold back do
// not count; what stands behind such a removal is left, but not waited for. What has not failed yet is sent without its
// settle time.
func (u *Uploader) Wait(ctx context.Context, prefix string) (Left, error) {
	for {
		began := time.Now()
		u.hurry(prefix)
		u.mu.Lock()
		left, waiting := u.left(prefix)
		paused := began.Before(u.pause.until)
		target := u.ends + waiting
		u.mu.Unlock()
		if waiting == 0 || paused {
			return left, nil
		}
		if err := u.nextLook(ctx, target, lookShare*time.Since(began)); err != nil {
			return left, err
		}
	}
}

// nextLook waits until as much has ended as target says, but for at least cost, or until a look is due otherwise.
func (u *Uploader) nextLook(ctx context.Context, target int, cost time.Duration) error {
	began := time.Now()
	idle := time.NewTimer(max(lookIdle, cost))
	defer idle.Stop()
	for {
		u.mu.Lock()
		changed, due := u.changed, u.ends >= target || time.Now().Before(u.pause.until)
		u.mu.Unlock()
		if wait := cost - time.Since(began); due && wait > 0 {
			sleep(ctx, wait)
		}
		if due {
			return ctx.Err()
		}
		select {
		case <-changed:
			if time.Since(began) >= max(lookEvery, cost) {
				return nil
			}
		case <-idle.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-u.ctx.Done():
			return ErrClosed
		}
	}
}

// hurry ends the settle times below a prefix.
func (u *Uploader) hurry(prefix string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := time.Now()
	for key, q := range u.fold.queues {
		if o := q.head(); strings.HasPrefix(key, prefix) && o.rounds == 0 && o.notBefore.After(now) && !o.running {
			u.at(o, now)
		}
	}
	if len(u.batch) > 0 {
		u.batchAt = now
		u.poke()
	}
}

// left counts what Wait tells, and what of it is worth waiting for. Called with mu held.
func (u *Uploader) left(prefix string) (l Left, waiting int) {
	u.looks++
	stalled := u.stalled()
	for _, o := range u.fold.ops {
		if o.state() == StateOpen || !o.below(prefix) || o.hold != nil && !o.hold.released {
			continue
		}
		if g := u.fold.gens[o.after]; g != nil && g.op != nil && g.op.state() == StateOpen {
			continue // the old name of a file that is still being written
		}
		l.Ops++
		l.Bytes += o.shown.bytes
		if o.rounds > 0 {
			l.Failed++
		}
		if !stalled[o] {
			waiting++
		}
	}
	return l, waiting
}

// stalled lists what has failed for now or is held back by an open file, and all that can only run after it (I10).
// Called with mu held.
func (u *Uploader) stalled() map[*op]bool {
	stalled := map[*op]bool{}
	var next []*op
	add := func(ops ...*op) {
		for _, o := range ops {
			if !stalled[o] {
				stalled[o] = true
				next = append(next, o)
			}
		}
	}
	for _, o := range u.fold.ops {
		if o.rounds > 0 || o.state() == StateOpen || o.hold != nil && !o.hold.released {
			add(o)
		}
	}
	for ; len(next) > 0; next = next[1:] {
		o := next[0]
		for _, k := range o.keys() {
			q := u.fold.queues[k]
			add(q[slices.Index(q, o)+1:]...)
		}
		if o.gen != nil && o.gen.op == o {
			add(u.fold.waiting[o.gen.id]...)
		}
	}
	return stalled
}

// below: one of the operation's keys begins with prefix.
func (o *op) below(prefix string) bool {
	return strings.HasPrefix(o.key, prefix) || o.to != "" && strings.HasPrefix(o.to, prefix)
}
