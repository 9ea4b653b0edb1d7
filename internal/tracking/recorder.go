package tracking

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"
)

// Limits. Source of the first three: Amplify's analytics providers, whose buffers hold 1,000 events and are flushed at 100 events or after
// 5 s (flushSize, bufferSize, flushInterval).
const (
	MaxBatch = 100
	MaxWait  = 5 * time.Second // of an event for others to be sent with
	MaxHeld  = 1000

	SendTimeout = 10 * time.Second // of one batch
	DrainTime   = 5 * time.Second  // of Close, for all that waits
	LeaveTime   = time.Second      // that a Send may outlast its context by at the end

	firstRetry, lastRetry = time.Second, 30 * time.Second
	hurry                 = 500 * time.Millisecond // between tries when the end has come
)

// Stats is what has become of the events so far.
type Stats struct {
	Sent      int64  `json:"sent"`    // taken by the sink
	Lost      int64  `json:"lost"`    // never sent: there were too many at once, or the end came before
	Refused   int64  `json:"refused"` // by the sink, for good
	Waiting   int    `json:"waiting"` // the batch under way included
	LastError string `json:"last_error,omitempty"`
}

// Recorder sends events to a sink. Its methods are safe for concurrent use, none blocks but Close; a nil one does nothing.
type Recorder struct {
	sink Sink
	log  *zap.Logger

	some, full chan struct{} // there is an event; there is a batch of them
	closing    chan struct{}
	done       chan struct{}
	ctx        context.Context //nolint:containedctx // of the goroutine, ended by Close
	end        context.CancelFunc
	closed     sync.Once

	mu       sync.Mutex
	buffer   buffer
	inFlight int
	over     bool // nothing more is taken
	left     bool // the sink hangs: what it has is counted as lost
	stats    Stats
	failing  bool  // since the last batch that was taken whole, and it is logged
	crowded  int64 // Stats.Lost when that was logged last; -1 = there is room
}

// New begins to send; Close ends it.
func New(sink Sink, log *zap.Logger) *Recorder {
	r := &Recorder{
		sink: sink, log: log, buffer: buffer{limit: MaxHeld}, crowded: -1,
		some: make(chan struct{}, 1), full: make(chan struct{}, 1), closing: make(chan struct{}), done: make(chan struct{}),
	}
	r.ctx, r.end = context.WithCancel(context.Background())
	go r.loop()
	return r
}

// Track takes an event, which ended now.
func (r *Recorder) Track(e Event) {
	if r == nil {
		return
	}
	e.at = time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.over || !r.buffer.add(e) {
		r.stats.Lost++
		if r.crowded < 0 {
			r.crowded = r.stats.Lost
			r.log.Warn("tracking: events are lost: the sink does not take them as fast as they come", zap.Int("held", r.buffer.len()))
		}
		return
	}
	switch r.buffer.len() {
	case 1:
		signal(r.some)
	case MaxBatch:
		signal(r.full)
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Stats tells what has become of the events.
func (r *Recorder) Stats() Stats {
	if r == nil {
		return Stats{}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stats
	s.Waiting = r.buffer.len() + r.inFlight
	return s
}

// Close sends what waits, for at most DrainTime, and ends the sink. What is left is lost, and counted; the log has how much. What is tracked
// afterwards is lost. A sink that hangs, as a write to a pipe does that nobody reads, is left alone after LeaveTime more: it ends with the process.
func (r *Recorder) Close() {
	if r == nil {
		return
	}
	r.closed.Do(r.close)
}

func (r *Recorder) close() {
	bound := time.AfterFunc(DrainTime, r.end)
	close(r.closing)
	hangs := time.NewTimer(DrainTime + LeaveTime)
	defer hangs.Stop()
	select {
	case <-r.done:
		if err := r.sink.Close(); err != nil {
			r.log.Warn("tracking: the sink is not closed cleanly", zap.Error(err))
		}
	case <-hangs.C:
		r.leave()
		r.log.Warn("tracking: the sink hangs and is left alone")
	}
	bound.Stop()
	r.end()
	s := r.Stats()
	if s.Lost+s.Refused > 0 {
		r.log.Warn("tracking ended with events that nobody has taken",
			zap.Int64("sent", s.Sent), zap.Int64("lost", s.Lost), zap.Int64("refused", s.Refused), zap.String("last_error", s.LastError))
	}
}

// leave gives up what waits, and what the sink has not answered.
func (r *Recorder) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over, r.left = true, true
	r.stats.Lost += int64(r.buffer.len() + r.inFlight)
	r.buffer.take(r.buffer.len())
	r.inFlight = 0
}

func (r *Recorder) loop() {
	defer close(r.done)
	wait := time.NewTimer(MaxWait)
	defer wait.Stop()
	for {
		select {
		case <-r.closing:
			r.finish()
			return
		case <-r.some:
		}
		wait.Reset(MaxWait)
		select {
		case <-r.closing:
		case <-r.full:
		case <-wait.C:
		}
		r.flush()
	}
}

// finish sends what waits, and counts as lost what it can not.
func (r *Recorder) finish() {
	r.flush()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
	r.stats.Lost += int64(r.buffer.len())
	r.buffer.take(r.buffer.len())
}

// flush sends all that waits, to the last event that comes meanwhile.
func (r *Recorder) flush() {
	for r.ctx.Err() == nil {
		r.mu.Lock()
		batch := r.buffer.take(MaxBatch)
		r.inFlight = len(batch)
		r.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		r.send(batch)
	}
}

// send sends a batch until all of it is taken or refused for good, or the time is over.
func (r *Recorder) send(batch []Event) {
	for delay := firstRetry; ; delay = min(2*delay, lastRetry) {
		ctx, cancel := context.WithTimeout(r.ctx, SendTimeout)
		o := r.sink.Send(ctx, batch)
		cancel()
		r.note(batch, o)
		if len(o.Again) == 0 {
			return
		}
		batch = o.Again
		if !r.pause(delay) {
			r.mu.Lock()
			r.stats.Lost += int64(r.inFlight)
			r.inFlight = 0
			r.mu.Unlock()
			return
		}
	}
}

// note counts what has become of a batch, and logs the first failure and the end of failures.
func (r *Recorder) note(batch []Event, o Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left {
		return
	}
	r.inFlight = len(o.Again)
	r.stats.Refused += int64(o.Refused)
	r.stats.Sent += int64(len(batch) - len(o.Again) - o.Refused)
	if o.Err != nil {
		r.stats.LastError = o.Err.Error()
		if !r.failing {
			r.failing = true
			r.log.Warn("tracking: the sink does not take events", zap.Int("again", len(o.Again)), zap.Int("refused", o.Refused), zap.Error(o.Err))
		}
		return
	}
	if r.failing {
		r.failing = false
		r.log.Info("tracking: the sink takes events again", zap.Int64("refused", r.stats.Refused))
	}
	if r.crowded >= 0 {
		r.log.Warn("tracking: there is room again", zap.Int64("lost", r.stats.Lost-r.crowded+1))
		r.crowded = -1
	}
}

// pause waits before a batch is sent again, not long once the end has come. It reports false when the time is over.
func (r *Recorder) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-r.closing:
		t.Reset(min(d, hurry))
	case <-t.C:
		return r.ctx.Err() == nil
	case <-r.ctx.Done():
		return false
	}
	select {
	case <-t.C:
	case <-r.ctx.Done():
	}
	return r.ctx.Err() == nil
}
