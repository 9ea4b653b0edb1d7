package uploader

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/store"
)

const (
	firstDelay = 100 * time.Millisecond // before the second attempt of a request, doubled for each further one
	firstRetry = time.Second            // before the second round of an operation, doubled for each further one
	lastRetry  = 5 * time.Minute

	requestTime = time.Minute // a request without bytes
	slowestLine = 64 << 10    // bytes a second that a body is given time for

	metaW = "s3levelfs-w" // x-amz-meta- name of the id of what was written
)

// pause stops the whole queue: credentials that have expired are nobody's failure.
type pause struct {
	until time.Time
	delay time.Duration
	err   error
}

// try sends a write up to Config.Attempts times, each time with a slot.
// unanswered tells whether any attempt may have been applied.
func (u *Uploader) try(ctx context.Context, size int64, send func(context.Context) error) (unanswered bool, err error) {
	for i := range u.cfg.Attempts {
		if i > 0 && !sleep(ctx, jitter(firstDelay<<(i-1))) {
			return unanswered, err
		}
		release, serr := u.slot(ctx)
		if serr != nil {
			return unanswered, errors.Join(serr, err)
		}
		rctx, cancel := context.WithTimeout(ctx, requestTime+time.Duration(size/slowestLine)*time.Second)
		err = send(rctx)
		timedOut := rctx.Err() != nil
		cancel()
		release()
		if err == nil {
			u.answered()
			return unanswered, nil
		}
		unanswered = unanswered || store.Unanswered(err) || timedOut
		if !errors.Is(err, store.ErrTransient) && !(timedOut && ctx.Err() == nil) {
			return unanswered, err
		}
		if timedOut && u.crowded() { // the next round comes, after the others
			return unanswered, err
		}
	}
	return unanswered, err
}

// slot waits until a request may be sent. Those of operations that have failed before get half of the slots at most.
func (u *Uploader) slot(ctx context.Context) (release func(), err error) {
	retry := ctx.Value(isRetry{}) != nil
	if retry {
		select {
		case u.retries <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	select {
	case u.slots <- struct{}{}:
	case <-ctx.Done():
		err = ctx.Err()
	}
	release = func() {
		if err == nil {
			<-u.slots
		}
		if retry {
			<-u.retries
		}
	}
	if err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// crowded: something is ready and finds no place.
func (u *Uploader) crowded() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.ready) > 0 && !u.ready[0].notBefore.After(time.Now()) && u.running >= u.maxRunningOps()
}

// answered: the credentials are good, so a pause begins anew.
func (u *Uploader) answered() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.pause = pause{}
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
		u.pause.delay = min(max(2*u.pause.delay, firstRetry), time.Minute)
		u.pause.until = time.Now().Add(u.pause.delay)
		u.pause.err = err
		u.log.Warn("uploads pause: the store does not accept the credentials",
			zap.Duration("retry_in", u.pause.delay), zap.Error(err))
		u.at(o, u.pause.until)
		return
	}
	delay := min(firstRetry<<min(o.rounds, 20), lastRetry)
	o.rounds++
	u.ends++
	o.notBefore = time.Now().Add(delay - delay/10 + time.Duration(rand.Int64N(int64(delay/5)+1))) //nolint:gosec // jitter needs no secrecy
	u.logFailure(o)
	if o.rounds == 1 {
		u.events.add(Event{Kind: Failed, Key: o.key, To: o.to, Err: err})
	}
	u.log.Warn("upload failed, will be tried again", zap.Stringer("what", o.kind), zap.String("key", o.key),
		zap.Int("rounds", o.rounds), zap.Duration("retry_in", delay), zap.Error(err))
	u.consider(o)
}

// lookAt asks the store what it has at key: HEAD where the level allows, LIST where
// that says nothing or proves absence. Only for levels that grant one of them.
func (u *Uploader) lookAt(ctx context.Context, key string) (Base, error) {
	release, err := u.slot(ctx)
	if err != nil {
		return Base{}, err
	}
	defer release()
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
