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

// patience is a request's context that ends [InterruptGrace] after the
// request's own one. It costs nothing until somebody waits on it: most
// operations are answered from memory and never do.
type patience struct {
	context.Context // values of the request, without its end

	request context.Context //nolint:containedctx // the context is what this type wraps
	start   sync.Once
	end     sync.Once
	done    chan struct{}
	waiter  sync.WaitGroup
}

// patient wraps the context of a request. The caller calls release when the
// operation is over: the context ends then, as with context.WithCancel.
func patient(request context.Context) (ctx context.Context, release func()) {
	p := &patience{Context: context.WithoutCancel(request), request: request, done: make(chan struct{})}
	return p, p.release
}

// Done starts the watch over the request's end.
func (p *patience) Done() <-chan struct{} {
	p.start.Do(func() { p.waiter.Go(p.watch) })
	return p.done
}

// Err is context.Canceled once the context has ended.
func (p *patience) Err() error {
	select {
	case <-p.done:
		return context.Canceled
	default:
		return nil
	}
}

func (p *patience) watch() {
	select {
	case <-p.done:
		return
	case <-p.request.Done():
	}
	grace := time.NewTimer(InterruptGrace)
	defer grace.Stop()
	select {
	case <-p.done:
	case <-grace.C:
		p.cancel()
	}
}

func (p *patience) cancel() { p.end.Do(func() { close(p.done) }) }

func (p *patience) release() {
	p.cancel()
	p.start.Do(func() {}) // no watch from now on
	p.waiter.Wait()
}
