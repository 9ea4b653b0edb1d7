package transfer

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
)

// The delays of the uploader: Amplify's rule of four attempts, jittered, doubled.
const (
	firstDelay     = 100 * time.Millisecond
	firstThrottled = 500 * time.Millisecond // at most, before the second attempt of what was throttled
	lastDelay      = 20 * time.Second
)

// try sends a request up to Config.Attempts times. unanswered: one of them may have been applied though its answer did not come.
func (c *Client) try(ctx context.Context, send func() error) (unanswered bool, err error) {
	for i := range c.cfg.Attempts {
		if i > 0 && !rest(ctx, i, err) {
			return unanswered, err
		}
		if err = send(); err == nil {
			return unanswered, nil
		}
		unanswered = unanswered || store.Unanswered(err)
		if !errors.Is(err, store.ErrTransient) || ctx.Err() != nil {
			return unanswered, err
		}
	}
	return unanswered, err
}

// rest waits before attempt i and tells whether it is still wanted. What was throttled waits as long as the store asks for.
func rest(ctx context.Context, i int, err error) bool {
	delay := jitter(firstDelay << min(i-1, 10))
	if errors.Is(err, store.ErrThrottled) {
		delay = max(store.RetryAfter(err), jitter(firstThrottled<<min(i-1, 10)))
	}
	t := time.NewTimer(min(delay, lastDelay))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func jitter(most time.Duration) time.Duration {
	return most/2 + rand.N(most/2) //nolint:gosec // jitter needs no secrecy
}
