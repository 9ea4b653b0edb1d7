package crew_test

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/internal/crew"
)

// goroutine is the number of the goroutine that asks.
func goroutine() string {
	var buf [64]byte
	first, _, _ := strings.Cut(string(buf[:runtime.Stack(buf[:], false)]), " [")
	return first
}

// TestWorkersAreUsedAgain: work that comes one after another is done by one goroutine, work at once by as many as there is of it, and nobody
// is left who has waited for a while.
func TestWorkersAreUsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var wg sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c := crew.New(ctx, &wg)
		var mu sync.Mutex
		seen := map[string]int{}
		work := func(wait <-chan struct{}) func() {
			return func() {
				mu.Lock()
				seen[goroutine()]++
				mu.Unlock()
				<-wait
			}
		}
		now := make(chan struct{})
		close(now)
		for range 10 {
			c.Hand(work(now))
			synctest.Wait()
		}
		if len(seen) != 1 {
			t.Errorf("work one after another: %v", seen)
		}
		gate := make(chan struct{})
		for range 5 {
			c.Hand(work(gate))
			synctest.Wait()
		}
		if len(seen) != 5 {
			t.Errorf("five at once: %v", seen)
		}
		close(gate)
		time.Sleep(time.Minute) // of the bubble's clock
		wg.Wait()               // ctx has not ended: patience has
	})
}

// TestEndInterruptsNoWork: the end of ctx ends those who wait, and work under way goes on.
func TestEndInterruptsNoWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var wg sync.WaitGroup
		ctx, cancel := context.WithCancel(t.Context())
		c := crew.New(ctx, &wg)
		gate := make(chan struct{})
		done := 0
		c.Hand(func() { <-gate; done++ })
		c.Hand(func() {})
		cancel()
		synctest.Wait()
		close(gate)
		wg.Wait()
		if done != 1 {
			t.Error("the work was not ended")
		}
	})
}
