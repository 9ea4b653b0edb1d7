package uploader

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A request with a body that stands still is cut off and sent again over another connection: a restart, not a second request
// beside the first. One request in flight per key is what I5 asks for, a stalled line is not sent its bytes twice at a time,
// and no place of the window is taken; the price is the time until the cut, which is bounded. A cut request has no answer, and is
// settled like any other that has none: the second one is conditional, and a part with the same number and bytes is the same.

const (
	firstPatience = 20 * time.Second // with a body that stands still, while little is known of the line
	leastPatience = 5 * time.Second
	mostPatience  = requestTime

	patienceFactor = 4   // times the longest stand-still of requests that went well
	knownRequests  = 128 // of the last so many
	enoughRequests = 16  // of fewer little is known
)

// errStalled ends an attempt in which nothing moves.
var errStalled = errors.New("no progress")

// patience learns for how long requests that go well stand still, and says how long to wait for one that does.
type patience struct {
	mu    sync.Mutex
	still [knownRequests]time.Duration
	n     int           // requests since New
	known time.Duration // a multiple of the 99th percentile, as of the last time that it was computed; 0 = little is known
}

// note learns from a request that was answered.
func (p *patience) note(still time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.still[p.n%knownRequests] = still
	if p.n++; p.n%enoughRequests == 0 { // not for each: a small file has better things to wait for
		all := slices.Sorted(slices.Values(p.still[:min(p.n, knownRequests)]))
		p.known = patienceFactor * all[(len(all)-1)*99/100]
	}
}

// limit is a multiple of the 99th percentile, within bounds; doubled for each time that it has been too short, or the
// line too bad: a server that is slower than it has ever been gets its answer through.
func (p *patience) limit(stalls int) time.Duration {
	p.mu.Lock()
	d := firstPatience
	if p.n >= enoughRequests {
		d = max(p.known, leastPatience)
	}
	p.mu.Unlock()
	return min(d<<min(stalls, 8), mostPatience)
}

// watchdog guards one attempt of a request with a body, from the call of watched on.
type watchdog struct {
	limit time.Duration
	cut   func()
	round *round

	mu      sync.Mutex
	timer   *time.Timer // nil: there is no body
	last    time.Time   // when something moved last
	longest time.Duration
	ended   bool
	fired   bool
}

// watched is a body whose reading is the request's progress: the connection takes more when it has got rid of what it has.
func watched(ctx context.Context, body *io.SectionReader) *io.SectionReader {
	p := placeOf(ctx)
	if p == nil || p.dog == nil {
		return body
	}
	p.dog.moves(true)
	return io.NewSectionReader(&watchedBody{body, p.dog}, 0, body.Size())
}

type watchedBody struct {
	from io.ReaderAt
	dog  *watchdog
}

// ReadAt implements io.ReaderAt. The time that the spool takes is not the connection's.
func (b *watchedBody) ReadAt(p []byte, off int64) (int, error) {
	b.dog.moves(false)
	defer b.dog.moves(true)
	return b.from.ReadAt(p, off)
}

// moves notes progress; waits: what comes next is the connection's to do.
func (d *watchdog) moves(waits bool) {
	now := time.Now()
	d.round.moved(now)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended || d.fired {
		return
	}
	switch {
	case !waits:
		d.note(now)
		d.timer.Stop()
	case d.timer == nil:
		d.timer = time.AfterFunc(d.limit, d.fire)
	default:
		d.timer.Reset(d.limit)
	}
	d.last = now
}

func (d *watchdog) note(now time.Time) { d.longest = max(d.longest, now.Sub(d.last)) }

func (d *watchdog) fire() {
	d.mu.Lock()
	d.fired = !d.ended
	d.mu.Unlock()
	d.cut()
}

// end tells whether the attempt was cut off, and lets p learn from it if it was answered.
func (d *watchdog) end(p *patience, err error) (stalled bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = true
	if answered(err) {
		d.round.moved(time.Now())
	}
	if d.timer == nil {
		return false
	}
	d.timer.Stop()
	if answered(err) {
		d.note(time.Now())
		p.note(d.longest)
	}
	return d.fired && err != nil
}

// round is what the requests of one round of an operation have in common.
type round struct {
	stalls int          // rounds before that ended because nothing moved
	last   atomic.Int64 // when something moved last, Unix nanoseconds
}

type roundKey struct{}

func withRound(ctx context.Context, r *round) context.Context {
	return context.WithValue(ctx, roundKey{}, r)
}

// roundOf gives a round of its own to what is sent for no operation.
func roundOf(ctx context.Context) *round {
	if r, ok := ctx.Value(roundKey{}).(*round); ok {
		return r
	}
	return &round{}
}

func (r *round) moved(now time.Time) { r.last.Store(now.UnixNano()) }

// stands: nothing of the round has moved for so long.
func (r *round) stands(d time.Duration) bool { return time.Now().UnixNano()-r.last.Load() >= int64(d) }

// dog watches one attempt under ctx, after so many that stalled.
func (u *Uploader) dog(ctx context.Context, p *place, stalls int, cut func()) *watchdog {
	r := roundOf(ctx)
	p.dog = &watchdog{limit: u.patienceOf(p).limit(stalls + r.stalls), cut: cut, round: r}
	return p.dog
}

// patienceOf: the server has more to do with a part than with a small file, and says so later.
func (u *Uploader) patienceOf(p *place) *patience {
	if p.class&ofPart != 0 {
		return &u.patience[1]
	}
	return &u.patience[0]
}
