package rig

import (
	"bytes"
	"cmp"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// Proxy stands between a mount and a server. It keeps the Host header, so that
// signatures stay valid.
type Proxy struct {
	Endpoint string

	mu       sync.Mutex
	down     bool
	delay    time.Duration
	writing  int           // write requests in flight
	started  chan struct{} // closed and replaced when a write begins
	requests []Request
	judge    func(*http.Request) int   // nil = pass; else a status that is not 0 is answered
	code     string                    // of those answers; "" = the usual one of the status
	skew     time.Duration             // of its clock, when it judges signatures; 0 = it does not
	chaos    *chaos                    // nil = none
	hide     bool                      // checksums
	flip     func(*http.Request) int64 // nil = none; else the byte of an answer's body to change, -1 = none
	hole     hole
	triggers triggers
}

// StartProxy stands in front of the endpoint until the test ends.
func StartProxy(t *testing.T, endpoint string) *Proxy {
	t.Helper()
	target, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Endpoint: "http://" + l.Addr().String(), started: make(chan struct{})}
	rp := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
			r.Out.URL.RawPath, r.Out.URL.Path = r.In.URL.EscapedPath(), r.In.URL.Path
		},
		Transport:    &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { panic(http.ErrAbortHandler) },
		ErrorLog:     nil,
	}
	srv := &http.Server{Handler: p.triggers.watch(p.handler(rp)), ReadHeaderTimeout: time.Minute}
	go func() { _ = srv.Serve(holeListener{Listener: l, hole: &p.hole}) }()
	t.Cleanup(func() { _ = srv.Close() })
	return p
}

func (p *Proxy) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		write := r.Method != http.MethodGet && r.Method != http.MethodHead
		p.mu.Lock()
		down, delay, judge, code, skew, chaos, flip, hide := p.down, p.delay, p.judge, p.code, p.skew, p.chaos, p.flip, p.hide
		if write {
			p.writing++
			close(p.started)
			p.started = make(chan struct{})
		}
		p.mu.Unlock()
		status := &statusWriter{ResponseWriter: w, status: http.StatusOK, flip: -1, hide: hide}
		if flip != nil {
			status.flip = flip(r)
		}
		seen := requestOf(r)
		defer func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			if write {
				p.writing--
			}
			seen.Status, seen.Sent, seen.Ended = status.status, status.sent, time.Now()
			p.requests = append(p.requests, seen)
		}()
		if down {
			panic(http.ErrAbortHandler) // the connection is cut without an answer
		}
		if skew != 0 && !dated(w, r, skew) {
			refuse(status, r, http.StatusForbidden, "RequestTimeTooSkewed")
			return
		}
		if judge != nil {
			if verdict := judge(r); verdict != 0 {
				refuse(status, r, verdict, cmp.Or(code, errorCode(verdict)))
				return
			}
		}
		chaos.serve(status, r, next)
		if delay > 0 { // the answer waits, the server has acted already
			select {
			case <-r.Context().Done():
			case <-time.After(delay):
			}
		}
	})
}

// refuse answers as S3 does.
func refuse(w http.ResponseWriter, r *http.Request, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = io.WriteString(w, "<Error><Code>"+code+"</Code><Message>by the proxy</Message></Error>")
	}
}

// dated judges a signature's time by a clock that differs by skew, as S3 does, but allows 5 minutes
// where that allows 15: what is right by this clock is then right enough for the server behind. The
// answer tells the clock.
func dated(w http.ResponseWriter, r *http.Request, skew time.Duration) bool {
	now := time.Now().Add(skew)
	signed, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err == nil && now.Sub(signed).Abs() <= 5*time.Minute {
		return true
	}
	w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
	return false
}

// errorCode is S3's code for a status.
func errorCode(status int) string {
	switch status {
	case http.StatusForbidden:
		return "AccessDenied"
	case http.StatusServiceUnavailable:
		return "SlowDown"
	case http.StatusPreconditionFailed:
		return "PreconditionFailed"
	}
	return "InternalError"
}

// statusWriter notes what is answered.
type statusWriter struct {
	http.ResponseWriter
	status int
	sent   int64 // bytes of the body
	flip   int64 // the byte of which a bit is flipped; -1 = none
	hide   bool  // checksums
}

func (w *statusWriter) WriteHeader(code int) {
	w.status = code
	for name := range w.Header() {
		if w.hide && strings.HasPrefix(name, "X-Amz-Checksum-") {
			w.Header().Del(name)
		}
	}
	w.ResponseWriter.WriteHeader(code)
}

func (w *statusWriter) Write(p []byte) (int, error) {
	if at := w.flip - w.sent; at >= 0 && at < int64(len(p)) {
		p = bytes.Clone(p)
		p[at] ^= 1
	}
	n, err := w.ResponseWriter.Write(p)
	w.sent += int64(n)
	return n, err
}

// Unwrap lets the standard library find Flush.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// SetDown cuts every connection without an answer until it is lifted.
func (p *Proxy) SetDown(down bool) { p.mu.Lock(); p.down = down; p.mu.Unlock() }

// SetDelay holds every request that long after the server has acted.
func (p *Proxy) SetDelay(d time.Duration) { p.mu.Lock(); p.delay = d; p.mu.Unlock() }

// SetJudge lets f answer requests itself; nil takes it away.
func (p *Proxy) SetJudge(f func(*http.Request) int) { p.mu.Lock(); p.judge = f; p.mu.Unlock() }

// HideChecksums has the server appear to be one that has no checksums but ETags.
func (p *Proxy) HideChecksums() { p.mu.Lock(); p.hide = true; p.mu.Unlock() }

// SetFlip has one bit of answers flipped: of the byte of the body that f names, -1 = none; nil takes it away.
func (p *Proxy) SetFlip(f func(*http.Request) int64) { p.mu.Lock(); p.flip = f; p.mu.Unlock() }

// SetCode gives the answers of the judge another error code; "" is the usual one.
func (p *Proxy) SetCode(code string) { p.mu.Lock(); p.code = code; p.mu.Unlock() }

// SetSkew has the proxy refuse what is not signed by a clock that differs so much: from 5 to 15 minutes.
func (p *Proxy) SetSkew(d time.Duration) { p.mu.Lock(); p.skew = d; p.mu.Unlock() }

// Writing counts the write requests in flight; started is closed when the next begins.
func (p *Proxy) Writing() (n int, started <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.writing, p.started
}

// Take returns the requests since the last Take.
func (p *Proxy) Take() []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.requests
	p.requests = nil
	return r
}
