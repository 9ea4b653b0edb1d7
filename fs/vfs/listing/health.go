package listing

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/store"
)

// outage is how long every listing must have failed before the store counts as
// down: a single error must not make answers old.
const outage = time.Second

// unavailable tells failures that say nothing of the one request: the store does not answer, or takes nobody's word, as while nobody is signed in.
func unavailable(err error) bool {
	return errors.Is(err, store.ErrTransient) || errors.Is(err, store.ErrCredentials) || errors.Is(err, store.ErrExpired)
}

// health knows whether the store answers. Guarded by Index.mu.
type health struct {
	log     *zap.Logger
	failing time.Time // since when nothing was answered; zero: the last request was
	ok      time.Time // the last answer
	told    bool      // the outage was logged
}

// observe takes the outcome of a request that was sent at began. Refusals are
// answers; what this process cancelled says nothing.
func (h *health) observe(began time.Time, err error) {
	switch {
	case errors.Is(err, context.Canceled):
		return
	case err == nil || !unavailable(err):
		if h.told {
			h.log.Info("store answers again", zap.Duration("outage", time.Since(h.failing)))
		}
		h.ok, h.failing, h.told = time.Now(), time.Time{}, false
		return
	case h.failing.IsZero() && h.ok.After(began):
		h.failing = time.Now() // others were answered while this one failed
	case h.failing.IsZero():
		h.failing = began
	}
	if !h.told && time.Since(h.failing) > outage {
		h.told = true
		h.log.Warn("store does not answer: complete listings are served stale", zap.Error(err))
	}
}

// serveStale reports whether answers from before the outage may be given.
func (h *health) serveStale(now time.Time, limit time.Duration) bool {
	if h.failing.IsZero() {
		return false
	}
	down := now.Sub(h.failing)
	return down > outage && down <= limit
}

// wait gives the time after a failure until stale answers may be served, 0 when
// something was answered meanwhile; ok is false when it is too late for them.
func (h *health) wait(now time.Time, limit time.Duration) (d time.Duration, ok bool) {
	if h.failing.IsZero() {
		return 0, limit >= 0
	}
	down := now.Sub(h.failing)
	return max(0, outage-down+time.Millisecond), down <= limit
}
