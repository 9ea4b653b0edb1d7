package fs_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/fs"
)

type valueKey struct{}

// TestInterrupt: an interrupted operation goes on for the grace, and one that
// ends within it never notices.
func TestInterrupt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		request, interrupt := context.WithCancel(context.WithValue(t.Context(), valueKey{}, "v"))
		ctx, release := fs.Patient(request)
		start := time.Now()
		interrupt()
		if ctx.Err() != nil {
			t.Error("ended with the request")
		}
		if ctx.Value(valueKey{}) != "v" {
			t.Error("values are lost")
		}
		<-ctx.Done()
		if waited := time.Since(start); waited != fs.InterruptGrace {
			t.Errorf("ended after %v, want %v", waited, fs.InterruptGrace)
		}
		if !errors.Is(ctx.Err(), context.Canceled) {
			t.Errorf("error %v", ctx.Err())
		}
		release()
		release() // twice is fine
	})
}

// TestInterruptInTime: the work is done before the grace ends.
func TestInterruptInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		request, interrupt := context.WithCancel(t.Context())
		ctx, release := fs.Patient(request)
		work, cancel := context.WithTimeout(ctx, time.Minute) // a context derived from it, as package cache makes
		defer cancel()
		go interrupt()
		time.Sleep(fs.InterruptGrace - time.Nanosecond)
		if work.Err() != nil {
			t.Error("the work was cancelled within the grace")
		}
		release() // ends the watch: synctest fails the test if it does not
		synctest.Wait()
		if work.Err() == nil {
			t.Error("release does not end derived contexts")
		}
	})
}

// TestDeadline: an operation has its time, interrupted or not.
func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, interrupted := range []bool{false, true} {
			request, interrupt := context.WithCancel(t.Context())
			ctx, release := fs.Patient(request)
			start := time.Now()
			time.AfterFunc(fs.AnswerWithin-time.Second, func() {
				if interrupted {
					interrupt()
				}
			})
			<-ctx.Done()
			if waited := time.Since(start); waited != fs.AnswerWithin || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
				t.Errorf("ended after %v with %v", waited, ctx.Err())
			}
			release()
			interrupt()
		}
	})
}

// TestNeverInterrupted: without an interrupt the context of a listing does not end by itself.
func TestNeverInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, release := fs.Unhurried(t.Context())
		done := ctx.Done()
		time.Sleep(time.Hour)
		select {
		case <-done:
			t.Error("ended")
		default:
		}
		release()
		<-ctx.Done()
	})
}

// TestDoneAfterRelease: whoever kept the context sees that it has ended.
func TestDoneAfterRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, release := fs.Patient(t.Context())
		release()
		<-ctx.Done()
		if ctx.Err() == nil {
			t.Error("no error after release")
		}
	})
}
