package cache

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
)

// A request that has no answer for an eighth longer than 99 of 100 take is sent a second time, on another connection; the first answer counts.
const (
	paceTimes  = 256                   // answers that are remembered
	paceLeast  = 64                    // before so many nothing is known
	paceSort   = 16                    // answers after which the 99th percentile is taken anew
	hedgeFloor = 10 * time.Millisecond // sooner it is not worth a request
	hedgeShare = 20                    // at most one of so many requests is a second one
	hedgeQuiet = 30 * time.Second      // none for so long after the store has asked to slow down

	nearAnswer = 5 * time.Millisecond // a store whose quickest answers take less is near
)

// pace knows how long the store takes to answer. It is safe for concurrent use.
type pace struct {
	mu     sync.Mutex
	times  [paceTimes]time.Duration // a ring
	n      int                      // answers so far
	p99    time.Duration            // 0 = not known
	best   time.Duration            // the quickest answer, which ages; 0 = not known
	gets   int64
	hedges int64
	quiet  time.Time // no second requests before
}

// answered notes the time of an answer.
func (p *pace) answered(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.best += p.best / paceTimes; p.n == 0 || d < p.best {
		p.best = d
	}
	p.times[p.n%paceTimes] = d
	p.n++
	if p.n >= paceLeast && p.n%paceSort == 0 {
		all := slices.Clone(p.times[:min(p.n, paceTimes)])
		slices.Sort(all)
		p.p99 = all[len(all)*99/100]
	}
}

// near tells whether the store is so near that its answers take no time: on this machine or in its network. It goes by the quickest ones:
// how long the others take, the load of both sides tells.
func (p *pace) near() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n > 0 && p.best < nearAnswer
}

// slowDown notes that the store asks for fewer requests.
func (p *pace) slowDown() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.quiet = time.Now().Add(hedgeQuiet)
}

// patience counts a request, and says when a second one may be sent; 0 = never.
func (p *pace) patience() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gets++
	if p.p99 == 0 || time.Now().Before(p.quiet) {
		return 0
	}
	return max(p.p99+p.p99/8, hedgeFloor)
}

// take counts a second request, and reports whether there may be one.
func (p *pace) take() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if (p.hedges+1)*hedgeShare > p.gets || time.Now().Before(p.quiet) {
		return false
	}
	p.hedges++
	return true
}

// race is a request and perhaps a second one for the same.
type race struct {
	mu   sync.Mutex
	over bool // one has answered
	won  bool // it is the second
	body io.ReadCloser
	obj  store.Object
}

// open sends a GET. Its body lives as long as ctx.
func (c *Cache) open(ctx context.Context, key string, want store.Range, cond store.Cond) (io.ReadCloser, store.Object, error) {
	ctx = store.WithSlowDown(ctx, c.pace.slowDown)
	began := time.Now()
	c.count.gets.Add(1)
	get := func(ctx context.Context) (io.ReadCloser, store.Object, error) {
		body, obj, err := c.store.Get(ctx, key, want, cond)
		if slowed(err) {
			c.pace.slowDown()
		}
		return body, obj, err
	}
	patience := c.pace.patience()
	if patience == 0 {
		body, obj, err := get(ctx)
		if err == nil {
			c.pace.answered(time.Since(began))
		}
		return body, obj, err
	}

	first, cancelFirst := context.WithCancel(ctx)
	second, cancelSecond := context.WithCancel(ctx)
	var r race
	timer := time.AfterFunc(patience, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.over || !c.pace.take() {
			return
		}
		c.count.gets.Add(1)
		c.count.hedged.Add(1)
		c.fetches.Go(func() { // the first one's goroutine is there still: Close waits for both
			if r.end(get(second)) {
				cancelFirst()
			}
		})
	})
	body, obj, err := get(first)
	timer.Stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.won {
		if err == nil {
			_ = body.Close() // it came too late
		}
		body, obj, err = r.body, r.obj, nil
		context.AfterFunc(ctx, cancelSecond)
	} else {
		cancelSecond()
	}
	r.over = true
	if err == nil {
		c.pace.answered(time.Since(began))
	}
	return body, obj, err
}

// end takes in the second request's answer, and reports whether it came first. When it fails the first one goes on.
func (r *race) end(body io.ReadCloser, obj store.Object, err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err != nil:
		return false
	case r.over:
		_ = body.Close() // it came too late
		return false
	}
	r.over, r.won, r.body, r.obj = true, true, body, obj
	return true
}

// slowed tells whether err is the store's wish for fewer requests.
func slowed(err error) bool {
	e, ok := errors.AsType[*store.Error](err)
	return ok && (e.Status == http.StatusServiceUnavailable || e.Status == http.StatusTooManyRequests)
}
