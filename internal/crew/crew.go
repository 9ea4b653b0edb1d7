// Package crew runs short pieces of work on goroutines that have run some before. Their stacks have grown to what a request to the
// store takes; to let a new one grow there costs a tenth of the processor's time for a small file.
package crew

import (
	"context"
	"sync"
	"time"
)

// idle is how long a goroutine waits for more work before it ends.
const idle = 10 * time.Second

// Crew is a set of such goroutines, as many as there is work at a time.
type Crew struct {
	ctx  context.Context
	wg   *sync.WaitGroup
	work chan func() // taken where a goroutine is idle
}

// New makes a crew. Idle goroutines end with ctx, which interrupts no work; wg counts all of them.
func New(ctx context.Context, wg *sync.WaitGroup) *Crew {
	return &Crew{ctx: ctx, wg: wg, work: make(chan func())}
}

// Hand has work done, at once and beside the caller.
func (c *Crew) Hand(work func()) {
	select {
	case c.work <- work:
	default:
		c.wg.Go(func() { c.run(work) })
	}
}

// run works until there has been nothing to do for a while.
func (c *Crew) run(work func()) {
	patience := time.NewTimer(idle)
	defer patience.Stop()
	for {
		work()
		patience.Reset(idle)
		select {
		case work = <-c.work:
		case <-patience.C:
			return
		case <-c.ctx.Done():
			return
		}
	}
}
