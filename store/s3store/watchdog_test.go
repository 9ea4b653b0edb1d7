package s3store_test

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/s3store"
)

// wire is a transport in memory, so that the clock of a synctest bubble runs.
type wire func(*http.Request) (*http.Response, error)

func (w wire) RoundTrip(r *http.Request) (*http.Response, error) { return w(r) }

// silent never answers.
func silent(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func answer(body io.ReadCloser, length int64) *http.Response {
	return &http.Response{
		StatusCode: 200, Body: body, ContentLength: length,
		Header: http.Header{"Etag": {`"e"`}, "Content-Length": {strconv.FormatInt(length, 10)}},
	}
}

func bubbleStore(t *testing.T, w wire, change ...func(*s3store.Config)) *s3store.Store {
	t.Helper()
	return open(t, "http://127.0.0.1:1", append(change, func(c *s3store.Config) { c.Transport = w })...)
}

// TestSilence: a server that takes requests and never answers ends every call
// within its bound; reads within 20 s, so that their callers can promise that.
func TestSilence(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		op       string
		min, max time.Duration
		requests int32
	}{
		{"head", 16 * time.Second, 20 * time.Second, 4},
		{"get", 16 * time.Second, 20 * time.Second, 4},
		{"list", 16 * time.Second, 20 * time.Second, 4},
		{"put", 60 * time.Second, 61 * time.Second, 1},
		{"upload-part", 60 * time.Second, 61 * time.Second, 1},
		{"delete", 60 * time.Second, 61 * time.Second, 1},
		{"complete", 10 * time.Minute, 11 * time.Minute, 1},
		{"copy", 10 * time.Minute, 11 * time.Minute, 1},
	} {
		t.Run(c.op, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var n atomic.Int32
				s := bubbleStore(t, func(r *http.Request) (*http.Response, error) {
					n.Add(1)
					if r.Body != nil {
						if _, err := io.Copy(io.Discard, r.Body); err != nil {
							return nil, err
						}
					}
					return silent(r)
				})
				start := time.Now()
				err := ops(t, s)[c.op]()
				took := time.Since(start)
				if !errors.Is(err, store.ErrTransient) || !store.Unanswered(err) {
					t.Errorf("%v", err)
				}
				if took < c.min || took > c.max || n.Load() != c.requests {
					t.Errorf("took %v with %d requests", took, n.Load())
				}
			})
		})
	}
}

// TestReadTotal: the bound of a read holds whatever the number of attempts.
func TestReadTotal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := bubbleStore(t, silent, func(c *s3store.Config) { c.MaxAttempts = 100 })
		start := time.Now()
		_, err := s.Head(t.Context(), "k", store.Cond{})
		if took := time.Since(start); !errors.Is(err, store.ErrTransient) || took != 19*time.Second {
			t.Errorf("%v after %v", err, took)
		}
	})
}

// drip gives one byte at a time, each after a pause.
type drip struct {
	left  int
	pause time.Duration
	ctx   interface{ Done() <-chan struct{} }
}

func (d *drip) Read(p []byte) (int, error) {
	if d.left == 0 {
		return 0, io.EOF
	}
	select {
	case <-time.After(d.pause):
	case <-d.ctx.Done():
		return 0, errors.New("cut")
	}
	d.left--
	p[0] = 'x'
	return 1, nil
}

func (d *drip) Close() error { return nil }

// TestBodyStall: a slow body goes on for ever, one that stands still ends, and a
// reader that takes its time harms nobody.
func TestBodyStall(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name         string
		pause, think time.Duration
		want         int
		took         time.Duration
	}{
		{"slow", 9 * time.Second, 0, 100, 900 * time.Second},
		{"slow reader", 0, time.Hour, 100, 100 * time.Hour},
		{"stall", 11 * time.Second, 0, 0, 10 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := bubbleStore(t, func(r *http.Request) (*http.Response, error) {
					return answer(&drip{100, c.pause, r.Context()}, 100), nil
				})
				start := time.Now()
				body, _, err := s.Get(t.Context(), "k", store.All, store.Cond{})
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = body.Close() }()
				var n int
				for err == nil {
					var m int
					m, err = body.Read(make([]byte, 10))
					n += m
					if m > 0 {
						time.Sleep(c.think)
					}
				}
				if n != c.want || errors.Is(err, io.EOF) != (c.want == 100) || time.Since(start) != c.took {
					t.Errorf("%d bytes, %v after %v", n, err, time.Since(start))
				}
				if c.want != 100 && !errors.Is(err, store.ErrTransient) {
					t.Errorf("%v", err)
				}
			})
		})
	}
}

// TestPutStall: a connection that takes a byte now and then goes on; one that takes
// none is ended after 20 s.
func TestPutStall(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pause time.Duration
		took  time.Duration
	}{{19 * time.Second, 190 * time.Second}, {21 * time.Second, 20 * time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			s := bubbleStore(t, func(r *http.Request) (*http.Response, error) {
				for range 10 {
					if _, err := r.Body.Read(make([]byte, 1)); err != nil {
						return nil, err
					}
					select {
					case <-time.After(c.pause):
					case <-r.Context().Done():
						return nil, r.Context().Err()
					}
				}
				return answer(http.NoBody, 0), nil
			}, func(cfg *s3store.Config) { cfg.Timeouts.WriteHeader = 5 * time.Second })
			start := time.Now()
			_, err := s.Put(t.Context(), "k", section(strings.Repeat("x", 100)), store.Headers{}, store.Cond{})
			if took := time.Since(start); took != c.took || (err == nil) != (c.pause < 20*time.Second) {
				t.Errorf("%v after %v", err, took)
			}
			if err != nil && (!errors.Is(err, store.ErrTransient) || !store.Unanswered(err)) {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestLateBody: a transport that goes on reading the request's body after the
// answer does not wake the watchdog.
func TestLateBody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := bubbleStore(t, func(r *http.Request) (*http.Response, error) {
			go func() {
				time.Sleep(time.Second)
				_, _ = r.Body.Read(make([]byte, 1))
			}()
			return answer(io.NopCloser(strings.NewReader("")), 0), nil
		})
		if _, err := s.Put(t.Context(), "k", section("xx"), store.Headers{}, store.Cond{}); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Hour)
	})
}

// TestBackoff: the delays grow, have jitter, and are those promised.
func TestBackoff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var at []time.Time
		s := bubbleStore(t, func(*http.Request) (*http.Response, error) {
			at = append(at, time.Now())
			return nil, errors.New("down")
		})
		for range 50 {
			at = nil
			if _, err := s.Head(t.Context(), "k", store.Cond{}); !errors.Is(err, store.ErrTransient) {
				t.Fatal(err)
			}
			if len(at) != 4 {
				t.Fatalf("%d attempts", len(at))
			}
			for i := range 3 {
				if d := at[i+1].Sub(at[i]); d < 0 || d > 100*time.Millisecond<<i {
					t.Errorf("delay %d: %v", i, d)
				}
			}
		}
	})
}
