package uploader

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/store"
)

const (
	firstDelay = 100 * time.Millisecond // before the second attempt of a request, doubled for each further one
	firstRetry = time.Second            // before the second round of an operation, doubled for each further one
	lastRetry  = 5 * time.Minute

	firstThrottled = 500 * time.Millisecond // at most before the second attempt of what was throttled, doubled for each further one
	lastThrottled  = 20 * time.Second       // the same, at most

	requestTime = time.Minute // a request without bytes
	slowestLine = 64 << 10    // bytes a second that a body is given time for

	metaW = "s3levelfs-w" // x-amz-meta- name of the id of what was written
)

// try sends a write up to Config.Attempts times, each time with a place of the window.
// unanswered tells whether any attempt may have been applied.
func (u *Uploader) try(ctx context.Context, size int64, send func(context.Context) error) (unanswered bool, err error) {
	stalls := 0
	for i := range u.cfg.Attempts {
		if i > 0 && !errors.Is(err, errStalled) && !u.restBefore(ctx, i, err) {
			return unanswered, err
		}
		p, serr := u.slot(ctx)
		if serr != nil {
			return unanswered, errors.Join(serr, err)
		}
		var timedOut bool
		if timedOut, err = u.attempt(ctx, p, size, stalls, send); err == nil {
			return unanswered, nil
		}
		unanswered = unanswered || store.Unanswered(err) || timedOut
		if !errors.Is(err, store.ErrTransient) && !(timedOut && ctx.Err() == nil) {
			return unanswered, err
		}
		first := false
		if errors.Is(err, errStalled) {
			stalls++
			first = stalls == 1
		}
		if timedOut && !first && u.yields(ctx, p) { // the next round comes, after the others
			return unanswered, err
		}
	}
	return unanswered, err
}

// attempt sends a request once. A body that stands still makes it errStalled.
func (u *Uploader) attempt(ctx context.Context, p *place, size int64, stalls int, send func(context.Context) error) (timedOut bool, err error) {
	rctx, cancel := context.WithTimeout(withPlace(ctx, p), requestTime+time.Duration(size/slowestLine)*time.Second)
	defer cancel()
	rctx, cut := context.WithCancelCause(rctx)
	defer cut(nil)
	dog := u.dog(ctx, p, stalls, func() { cut(errStalled) })
	err = send(rctx)
	timedOut = rctx.Err() != nil
	if dog.end(u.patienceOf(p), err) && !errors.Is(err, errStalled) {
		err = fmt.Errorf("%w: %w", errStalled, err)
	}
	u.ended(p, err)
	return timedOut, err
}

// yields: a request that gets no answer goes on with its attempts only as long as nobody else wants its operation's place (after
// its first stall it does in any case: another connection is all that it takes most of the time). Of a file in parts it is the
// whole round that has to stand still.
func (u *Uploader) yields(ctx context.Context, p *place) bool {
	if p.class&ofPart == 0 {
		return u.crowded()
	}
	u.mu.Lock()
	wanted := u.large.wanted()
	u.mu.Unlock()
	return (wanted || u.crowded()) && roundOf(ctx).stands(p.dog.limit)
}

// restBefore waits before the attempt i of a request whose last one ended with err, and tells whether it is still worth while.
// What the store has asked to slow down spreads over the whole delay ("full jitter"), so that those who were refused together do not
// come together again, and comes not before the time that the store has named; one that is far away is for the next round.
func (u *Uploader) restBefore(ctx context.Context, i int, err error) bool {
	if !errors.Is(err, store.ErrThrottled) {
		return sleep(ctx, jitter(firstDelay<<(i-1)))
	}
	after := store.RetryAfter(err)
	if after > lastThrottled {
		return false
	}
	return sleep(ctx, max(after, rand.N(min(firstThrottled<<min(i-1, 20), lastThrottled)))) //nolint:gosec // jitter needs no secrecy
}

// crowded: something is ready and finds no place.
func (u *Uploader) crowded() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.ready) > 0 && !u.ready[0].notBefore.After(time.Now()) && u.running >= u.maxRunningOps()
}

// again decides when an operation runs next. Called with mu held.
func (u *Uploader) again(o *op, err error) {
	if err == nil || o.stopped || errors.Is(err, errAbandoned) {
		o.stopped = false
		u.consider(o)
		return
	}
	o.err = err
	u.lastErr = err.Error()
	if pauses(err) {
		if !u.pause.until.After(time.Now()) { // told by a read of the base
			u.beginPause(err)
		}
		u.consider(o) // first when the pause ends
		return
	}
	delay := min(max(firstRetry<<min(o.rounds, 20), store.RetryAfter(err)), lastRetry)
	o.rounds++
	if errors.Is(err, errStalled) {
		o.stalls++
	}
	u.ends++
	o.notBefore = time.Now().Add(delay - delay/10 + time.Duration(rand.Int64N(int64(delay/5)+1))) //nolint:gosec // jitter needs no secrecy
	u.logFailure(o)
	if o.rounds == 1 {
		u.events.add(Event{Kind: Failed, Key: o.key, To: o.to, What: o.kind.String(), Err: err})
	}
	u.log.Warn("upload failed, will be tried again", zap.Stringer("what", o.kind), zap.String("key", o.key),
		zap.Int("rounds", o.rounds), zap.Duration("retry_in", delay), zap.Error(err))
	u.consider(o)
}

// lookAt asks the store what it has at key: HEAD where the level allows, LIST where
// that says nothing or proves absence. Only for levels that grant one of them.
func (u *Uploader) lookAt(ctx context.Context, key string) (at Base, err error) {
	p, err := u.slot(ctx)
	if err != nil {
		return Base{}, err
	}
	defer func() { u.ended(p, err) }()
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	l := u.levelOf(key)
	if l == nil || l.CanGet {
		obj, err := u.store.Head(ctx, key, store.Cond{})
		switch {
		case err == nil:
			return baseOf(obj), nil
		case errors.Is(err, store.ErrNotExist):
			return Base{State: Absent}, nil
		case !errors.Is(err, store.ErrPermission) || l == nil || !l.CanList:
			return Base{}, err
		}
	}
	for page, err := range u.store.List(ctx, key, store.ListOptions{PageSize: 1}) {
		if err != nil {
			return Base{}, err
		}
		if len(page.Objects) > 0 && page.Objects[0].Key == key {
			return baseOf(page.Objects[0]), nil
		}
		break
	}
	return Base{State: Absent}, nil
}

// canLook: the level grants HEAD or LIST.
func (u *Uploader) canLook(key string) bool {
	l := u.levelOf(key)
	return l == nil || l.CanGet || l.CanList
}

func baseOf(o store.Object) Base {
	return Base{State: Present, ETag: o.ETag, Size: o.Size, ModTime: o.LastModified, Headers: o.Headers}
}

// wrote is the id of who wrote a version, "" where it is not known.
func (b Base) wrote() string {
	if b.Headers == nil {
		return ""
	}
	return b.Headers.Metadata[metaW]
}

// same reports whether two views of a key are the same version. Versions
// without an ETag are told apart by size and time.
func (b Base) same(c Base) bool {
	if b.State != c.State {
		return false
	}
	if b.ETag != "" || c.ETag != "" {
		return b.ETag == c.ETag
	}
	return b.Size == c.Size && b.ModTime.Truncate(time.Second).Equal(c.ModTime.Truncate(time.Second))
}

// jitter spreads a delay over [d/2, d).
func jitter(d time.Duration) time.Duration {
	return d/2 + time.Duration(rand.Int64N(int64(d/2)+1)) //nolint:gosec // jitter needs no secrecy
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
