package uploader

import (
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/store"
)

// pause stops the whole queue: credentials that have expired are nobody's failure. What is under way finds that out together. Then
// nothing is sent for a while, after which one request at a time asks, until one of them is accepted. The window's
// gate sees to that. Whoever waits for an operation is told at each refusal: his wait has a bound.
type pause struct {
	err   error         // why the queue waits; nil = it does not
	began time.Time     // when err was told last
	until time.Time     // nothing is sent until then, one request at a time afterwards
	delay time.Duration // from began to until
	since uint64        // requests up to this number know nothing of the credentials as they are now
	told  uint64        // requests up to this number know nothing of what the last news of the credentials was about
}

const lastPause = time.Minute // at most until the next request asks

// pauses: an error of the credentials, which lets the queue wait.
func pauses(err error) bool {
	return errors.Is(err, store.ErrExpired) || errors.Is(err, store.ErrCredentials) || errors.Is(err, store.ErrClockSkew)
}

// accepts: the store has taken the credentials for good before it gave this answer. 403 does not say so: to a HEAD it is all that
// some servers say of credentials that have expired.
func accepts(err error) bool {
	return err == nil || errors.Is(err, store.ErrChanged) || errors.Is(err, store.ErrNoUpload) ||
		errors.Is(err, store.ErrNotExist) && !errors.Is(err, store.ErrNoBucket)
}

// ended gives the place of a request back and takes note of what its outcome says of the credentials, in the order that lets none
// slip out between a refusal and the pause.
func (u *Uploader) ended(p *place, err error) {
	switch {
	case pauses(err):
		u.mu.Lock()
		if p.number > u.pause.since {
			u.beginPause(err)
			if p.number <= u.pause.told {
				u.shortenPause(u.pause.began.Add(firstRetry))
			}
		}
		u.mu.Unlock()
	case accepts(err):
		u.mu.Lock()
		if u.pause.err != nil && p.number > u.pause.since {
			u.endPause()
		}
		u.mu.Unlock()
	}
	p.end(err)
}

// beginPause is also the next one, longer, if there is one already. Called with mu held.
func (u *Uploader) beginPause(err error) {
	q := &u.pause
	q.delay = min(max(2*q.delay, firstRetry), lastPause)
	q.err, q.began = err, time.Now()
	q.until = q.began.Add(q.delay)
	q.since = u.window.shutGate(err)
	u.log.Warn("uploads pause", zap.Duration("retry_in", q.delay), zap.Error(q.why()))
	for _, o := range u.fold.ops { // those that run tell it themselves
		if len(o.waiters) > 0 && !o.running {
			u.passOn(o, false, err)
		}
	}
	u.notify()
	u.poke()
}

// endPause is called with mu held.
func (u *Uploader) endPause() {
	u.pause = pause{since: u.pause.since}
	u.window.setGate(gateOpen)
	u.log.Info("uploads go on")
	u.poke()
}

// mayEnd: there is news of the credentials, so that a request may ask at t, if that is sooner. Called with mu held.
func (u *Uploader) mayEnd(t time.Time) {
	if u.pause.err != nil {
		u.pause.told = u.window.lastBegun()
		u.shortenPause(t)
	}
}

// shortenPause is called with mu held.
func (u *Uploader) shortenPause(t time.Time) {
	if q := &u.pause; t.Before(q.until) {
		q.until = t
		u.poke()
	}
}

// Renewed tells that there may be other credentials, or that the store was seen to accept them: a pause ends as soon as one
// request has been accepted, which is sent at once (but no sooner than a second after the last refusal).
func (u *Uploader) Renewed() {
	u.mu.Lock()
	defer u.mu.Unlock()
	at := u.pause.began.Add(firstRetry)
	if now := time.Now(); now.After(at) {
		at = now
	}
	u.mayEnd(at)
}

// why says in words what the store does not accept.
func (q *pause) why() error {
	switch {
	case q.err == nil:
		return nil
	case errors.Is(q.err, store.ErrClockSkew):
		return fmt.Errorf("the store does not accept the time of this machine's clock: %w", q.err)
	}
	return fmt.Errorf("the store does not accept the credentials: %w", q.err)
}
