package fs

import (
	"context"
	"sync"
	"time"
)

// InterruptGrace is how long an operation goes on after its caller was
// interrupted. go-fuse passes on every signal, SIGURG of the Go runtime
// included, so an interrupt alone means little; a person who pressed Ctrl-C
// gets EINTR after this time.
const InterruptGrace = 2 * time.Second

// AnswerWithin is how long an operation that only reads waits for the store before the program
// gets EIO: all that it asks for together, below the promised 20 s.
const AnswerWithin = 19 * time.Second

// patience is a request's context that ends [InterruptGrace] after the
// request's own one, or when its time is over. It costs nothing until somebody waits on it: most
// operations are answered from memory and never do.
type patience struct {
	context.Context // values of the request, without its end

	request context.Context //nolint:containedctx // the context is what this type wraps
	until   time.Time       // zero = no deadline
	start   sync.Once
	end     sync.Once
	err     error // set before done is closed
	done    chan struct{}
	watches *sync.WaitGroup
}

// patients makes the contexts of requests and owns the watches over them. Those end with their requests, which need not wait for
// it: that would be two changes of goroutines in front of each reply.
type patients struct{ watches sync.WaitGroup }

// wait returns when all watches have ended. It is called after the last request.
func (ps *patients) wait() { ps.watches.Wait() }

// patient wraps the context of a request, which has [AnswerWithin] for its answer. The caller calls
// release when the operation is over: the context ends then, as with context.WithCancel.
func (ps *patients) patient(request context.Context) (ctx context.Context, release func()) {
	p := ps.newPatience(request)
	p.until = time.Now().Add(AnswerWithin)
	return p, p.release
}

// unhurried is patient for an operation that may have a lot to ask for, a request at a time, each
// of which has a bound of its own: the listing of a large directory.
func (ps *patients) unhurried(request context.Context) (ctx context.Context, release func()) {
	p := ps.newPatience(request)
	return p, p.release
}

func (ps *patients) newPatience(request context.Context) *patience {
	return &patience{Context: context.WithoutCancel(request), request: request, done: make(chan struct{}), watches: &ps.watches}
}

// Done starts the watch over the request's end.
func (p *patience) Done() <-chan struct{} {
	p.start.Do(func() { p.watches.Go(p.watch) })
	return p.done
}

// Err is context.Canceled once the context has ended, context.DeadlineExceeded if its time was over.
func (p *patience) Err() error {
	select {
	case <-p.done:
		return p.err
	default:
		return nil
	}
}

// Deadline is when the time is over.
func (p *patience) Deadline() (time.Time, bool) { return p.until, !p.until.IsZero() }

func (p *patience) watch() {
	var over <-chan time.Time
	if !p.until.IsZero() {
		t := time.NewTimer(time.Until(p.until))
		defer t.Stop()
		over = t.C
	}
	select {
	case <-p.done:
		return
	case <-over:
		p.cancel(context.DeadlineExceeded)
		return
	case <-p.request.Done():
	}
	grace := time.NewTimer(InterruptGrace)
	defer grace.Stop()
	select {
	case <-p.done:
	case <-over:
		p.cancel(context.DeadlineExceeded)
	case <-grace.C:
		p.cancel(context.Canceled)
	}
}

func (p *patience) cancel(why error) { p.end.Do(func() { p.err = why; close(p.done) }) }

func (p *patience) release() {
	p.cancel(context.Canceled)
	p.start.Do(func() {}) // no watch from now on
}
