package s3store_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/s3store"
)

// asks is an answer that says how long to wait.
func asks(status int, header string) wire {
	return func(*http.Request) (*http.Response, error) {
		h := http.Header{"Content-Type": {"application/xml"}}
		if header != "" {
			h.Set("Retry-After", header)
		}
		body := "<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>"
		r := answer(nopCloser{strings.NewReader(body)}, int64(len(body)))
		r.StatusCode, r.Header = status, h
		return r, nil
	}
}

type nopCloser struct{ *strings.Reader }

func (nopCloser) Close() error { return nil }

// TestRetryAfter: the time that the server asks for is told to those who repeat a write.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for header, want := range map[string]time.Duration{
			"": 0, "7": 7 * time.Second, "-7": 0, "soon": 0,
			time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat): 90 * time.Second,
			time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat):       0,
			"999999999999999999": 0,
		} {
			s := bubbleStore(t, asks(503, header))
			_, err := s.Put(t.Context(), "k", section("x"), store.Headers{}, store.Cond{})
			if got := store.RetryAfter(err); got != want || !errors.Is(err, store.ErrThrottled) {
				t.Errorf("Retry-After %q: %v, %v", header, got, err)
			}
		}
	})
}

// TestReadsHonourRetryAfter: a read waits as long as it is asked to, within its bound.
func TestReadsHonourRetryAfter(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]time.Duration{"3": 9 * time.Second, "3600": 19 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			s := bubbleStore(t, asks(503, header), func(c *s3store.Config) { c.MaxAttempts = 4 })
			began := time.Now()
			_, err := s.Head(t.Context(), "k", store.Cond{})
			if took := time.Since(began); !errors.Is(err, store.ErrTransient) || took < want || took > want+3*time.Second {
				t.Errorf("Retry-After %s: %v after %v", header, err, took)
			}
		})
	}
}
