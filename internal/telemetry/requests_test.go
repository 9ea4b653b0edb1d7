package telemetry_test

import (
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
