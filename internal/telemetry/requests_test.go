package telemetry_test

import (
	"context"
	"errors"
	"testing"

	"github.com/s3levelfs/s3levelfs/internal/telemetry"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/op"
)

// Answers that ask to slow down are counted apart from other failures.
func TestThrottledRequestsAreCounted(t *testing.T) {
	f := faultstore.New(memstore.New(memstore.Config{}),
		faultstore.Rule{Op: op.Head, Fault: faultstore.SlowDown()},
		faultstore.Rule{Op: op.Delete, Fault: faultstore.InternalError()})
	r := telemetry.CountRequests(f)
	if _, err := r.Head(t.Context(), "k", store.Cond{}); !errors.Is(err, store.ErrThrottled) {
		t.Errorf("head: %v", err)
	}
	_ = r.Delete(t.Context(), "k", store.Cond{})
	if s := r.Stats(); s.Throttled != 1 || s.Failed["head"] != 1 || s.Failed["delete"] != 1 {
		t.Errorf("%+v", s)
	}
}

// Who waits for the credentials is told by the first request that is accepted again, whoever has sent it.
func TestAcceptedAgain(t *testing.T) {
	for _, fault := range []faultstore.Fault{faultstore.Expired(), faultstore.BadCredentials()} {
		mem := memstore.New(memstore.Config{})
		mem.PutString("k", "x")
		r := telemetry.CountRequests(faultstore.New(mem, faultstore.Rule{Nth: 2, Count: 2, Fault: fault}, faultstore.Rule{Nth: 2, Fault: faultstore.InternalError()}))
		told := 0
		r.OnAccepted(func() {
			told++
			r.Stats() // it may ask
		})
		for i, want := range []int{0, 0, 0, 0, 1, 1} {
			_, _ = r.Head(t.Context(), "k", store.Cond{})
			if told != want {
				t.Errorf("%v: told %d times after request %d", fault, told, i+1)
			}
		}
	}
}

// A request that its sender gives up is no failure of the store.
func TestGivenUpRequestsAreNoFailures(t *testing.T) {
	r := telemetry.CountRequests(faultstore.New(memstore.New(memstore.Config{}), faultstore.Rule{Op: op.Head, Fault: faultstore.Stall()}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Head(ctx, "k", store.Cond{}); !errors.Is(err, context.Canceled) {
		t.Fatalf("head: %v", err)
	}
	if s := r.Stats(); s.Count["head"] != 1 || s.Failed["head"] != 0 || s.LastError != "" {
		t.Errorf("%+v", s)
	}
}
