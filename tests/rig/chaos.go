package rig

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Chaos is how often requests go wrong, in hundredths of all. What happens to a request is a function of the seed, of
// the request, and of how many like it came before.
type Chaos struct {
	Seed      uint64
	Refused   int           // 503 SlowDown, nothing was done
	Stalled   int           // for the time of Stall: one half before the server acts (never, if the client gives up), the other before its answer
	Reset     int           // connections, by RST: one half before the server acts, the other instead of its answer
	Truncated int           // bodies of answers end in the middle
	Stall     time.Duration // after it things go on, if the client is still there
}

// ChaosCounts is what was done to requests.
type ChaosCounts struct {
	Requests, Refused, StalledBefore, StalledAfter, ResetBefore, ResetAfter, Truncated int
}

// SetChaos begins with c; the zero Chaos ends it. It returns what was done since the last call.
func (p *Proxy) SetChaos(c Chaos) ChaosCounts {
	p.mu.Lock()
	old := p.chaos
	p.chaos = nil
	if c != (Chaos{}) {
		p.chaos = &chaos{Chaos: c, seen: map[string]uint64{}}
	}
	p.mu.Unlock()
	if old == nil {
		return ChaosCounts{}
	}
	old.mu.Lock()
	defer old.mu.Unlock()
	return old.counts
}

// chaos is a Chaos at work; nil does nothing.
type chaos struct {
	Chaos

	mu     sync.Mutex
	seen   map[string]uint64 // how many requests like this one
	counts ChaosCounts
}

// fate is what happens to a request, nothing by default.
type fate uint8

const (
	fateRefused fate = iota + 1
	fateStalledBefore
	fateStalledAfter
	fateResetBefore
	fateResetAfter
	fateTruncated
)

// serve lets a request meet its fate.
func (c *chaos) serve(w *statusWriter, r *http.Request, next http.Handler) {
	if c == nil {
		next.ServeHTTP(w, r)
		return
	}
	f := c.fate(r)
	switch f {
	case fateRefused:
		refuse(w, r, http.StatusServiceUnavailable, "SlowDown")
		return
	case fateResetBefore:
		reset(w)
	case fateStalledBefore:
		c.stallWhole(r)
	case fateStalledAfter, fateResetAfter, fateTruncated:
		next.ServeHTTP(&lateWriter{statusWriter: w, fate: f, chaos: c, request: r, left: -1}, r)
		return
	}
	next.ServeHTTP(w, r)
}

// fate decides about a request and counts it.
func (c *chaos) fate(r *http.Request) fate {
	c.mu.Lock()
	defer c.mu.Unlock()
	what := requestOf(r)
	id := fmt.Sprint(what.Op(), r.URL.EscapedPath(), what.Query.Get("partNumber"), what.Query.Get("continuation-token"))
	h := fnv.New64a()
	_, _ = io.WriteString(h, id) // never fails
	rnd := rand.New(rand.NewPCG(c.Seed^h.Sum64(), c.seen[id]))
	c.seen[id]++
	c.counts.Requests++
	dice, half := rnd.IntN(100), rnd.IntN(2)
	choose := func(f fate, count *int) fate { *count++; return f }
	switch stalled, resets := c.Refused+c.Stalled, c.Refused+c.Stalled+c.Reset; {
	case dice < c.Refused:
		return choose(fateRefused, &c.counts.Refused)
	case dice < stalled && half == 0:
		return choose(fateStalledBefore, &c.counts.StalledBefore)
	case dice < stalled:
		return choose(fateStalledAfter, &c.counts.StalledAfter)
	case dice < resets && half == 0:
		return choose(fateResetBefore, &c.counts.ResetBefore)
	case dice < resets:
		return choose(fateResetAfter, &c.counts.ResetAfter)
	case dice < resets+c.Truncated:
		return fateTruncated // counted when there is something to cut
	}
	return 0
}

// stall holds a request.
func (c *chaos) stall(r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-time.After(c.Stall):
	}
}

// stallWhole holds a request whose body has arrived, so that the end of its connection is seen: what the client gives up
// never comes to the server.
func (c *chaos) stallWhole(r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		c.stall(r)
		err = r.Context().Err()
	}
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
}

// reset cuts the connection by RST.
func reset(w http.ResponseWriter) {
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		if tcp, ok := conn.(interface{ SetLinger(sec int) error }); ok {
			_ = tcp.SetLinger(0) // else it is closed in the usual way
		}
		_ = conn.Close()
	}
	panic(http.ErrAbortHandler)
}

// lateWriter does to an answer what is to be done after the server has acted.
type lateWriter struct {
	*statusWriter

	fate    fate
	chaos   *chaos
	request *http.Request
	left    int64 // bytes of the body that pass; negative = all
}

// WriteHeader comes before any byte of the answer.
func (w *lateWriter) WriteHeader(code int) {
	if code < http.StatusOK { // 100: the answer is still to come
		w.statusWriter.WriteHeader(code)
		return
	}
	switch w.fate {
	case fateStalledAfter:
		w.chaos.stall(w.request)
	case fateResetAfter:
		reset(w.statusWriter)
	case fateTruncated:
		n, err := strconv.ParseInt(w.Header().Get("Content-Length"), 10, 64)
		if err == nil && n > 0 && w.request.Method != http.MethodHead {
			w.left = n / 2
			w.chaos.mu.Lock()
			w.chaos.counts.Truncated++
			w.chaos.mu.Unlock()
		}
	}
	w.statusWriter.WriteHeader(code)
}

func (w *lateWriter) Write(p []byte) (int, error) {
	if w.left < 0 {
		return w.statusWriter.Write(p)
	}
	n, err := w.statusWriter.Write(p[:min(int64(len(p)), w.left)])
	w.left -= int64(n)
	if err == nil && w.left == 0 {
		_ = http.NewResponseController(w.statusWriter).Flush() // what passes arrives
		panic(http.ErrAbortHandler)
	}
	return n, err
}
