package s3store

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"github.com/s3levelfs/s3levelfs/store"
)

const (
	retryBase = 100 * time.Millisecond
	retryCap  = 2 * time.Second
	// skewThreshold is the SDK's own: S3 refuses from 15 minutes on.
	skewThreshold = 4 * time.Minute
)

// retryer decides about the attempts of one call; it has no token bucket. A
// write has one attempt. A request refused because of the clock was not
// applied, so that one repetition with the clock that the SDK corrected from the
// answer's Date is allowed to writes too.
type retryer struct {
	attempts int
	counted  int    // attempts that failed for another reason than the clock
	skewed   bool   // the one repetition for the clock was used
	slowed   func() // told that the store asks for fewer requests
}

var _ aws.RetryerV2 = (*retryer)(nil)

// MaxAttempts is not the SDK's to count: IsErrorRetryable does.
func (r *retryer) MaxAttempts() int { return 0 }

// IsErrorRetryable is asked once after each failed attempt of the one call.
func (r *retryer) IsErrorRetryable(err error) bool {
	if clockRefused(err) && !r.skewed {
		r.skewed = true
		return true
	}
	if r.slowed != nil && (isStatus(err, http.StatusServiceUnavailable) || isStatus(err, http.StatusTooManyRequests)) {
		r.slowed()
	}
	r.counted++
	if r.counted >= r.attempts {
		return false
	}
	_, _, kind := kindOf(err)
	return errors.Is(kind, store.ErrTransient)
}

// RetryDelay is "full jitter": uniform in [0, 100 ms·2^i], at most 2 s; and as long as the server asks for, within the time of
// the whole call.
func (r *retryer) RetryDelay(_ int, err error) (time.Duration, error) {
	if r.counted == 0 {
		return 0, nil // the clock's repetition
	}
	top := min(retryBase<<min(r.counted-1, 10), retryCap)
	delay := rand.N(top) //nolint:gosec // jitter needs no secrecy
	if resp, ok := errors.AsType[*awshttp.ResponseError](err); ok {
		delay = max(delay, retryAfter(resp.Response.Header.Get("Retry-After")))
	}
	return delay, nil
}

// GetRetryToken grants every repetition.
func (r *retryer) GetRetryToken(context.Context, error) (func(error) error, error) {
	return releaseNothing, nil
}

// GetInitialToken grants the first attempt.
func (r *retryer) GetInitialToken() func(error) error { return releaseNothing }

// GetAttemptToken grants every attempt.
func (r *retryer) GetAttemptToken(context.Context) (func(error) error, error) {
	return releaseNothing, nil
}

func releaseNothing(error) error { return nil }

// clockRefused reports whether a 403 is due to the request's date: by its code, as
// the SDK judges it, or, as an answer to HEAD has none, by a Date that differs.
func clockRefused(err error) bool {
	resp, ok := errors.AsType[*awshttp.ResponseError](err)
	if !ok || resp.HTTPStatusCode() != http.StatusForbidden {
		return false
	}
	if e, ok := errors.AsType[interface {
		error
		RetryableError() bool
	}](err); ok && e.RetryableError() {
		return true
	}
	if code := errorCode(err); code != "" && code != "Forbidden" {
		return false
	}
	date, err := http.ParseTime(resp.Response.Header.Get("Date"))
	return err == nil && time.Since(date).Abs() > skewThreshold
}
