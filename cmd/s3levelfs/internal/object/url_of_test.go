package object

import (
	"context"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/internal/telemetry"
	"github.com/s3levelfs/s3levelfs/internal/throttle"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/s3store"
)

// linking is a store of a provider that makes URLs.
type linking struct{ store.Store }

func (linking) PresignGet(_ context.Context, key string, _ time.Duration) (string, error) {
	return "https://example.org/" + key, nil
}

// TestURLOfAProvider: url takes those of any provider that makes some, for what it can make.
func TestURLOfAProvider(t *testing.T) {
	mem := memstore.New(memstore.Config{})
	l, err := linkerOf(telemetry.CountRequests(throttle.New(linking{mem}, 1<<20)))
	if err != nil {
		t.Fatal(err)
	}
	got, err := l.Presign(t.Context(), s3store.PresignRequest{Key: "public/k", Expires: time.Minute})
	if left := time.Until(got.Expires); err != nil || got.URL != "https://example.org/public/k" || got.Method != "GET" || left <= 0 || left > time.Minute {
		t.Errorf("%+v, %v", got, err)
	}
	for _, r := range []s3store.PresignRequest{{Key: "k", Put: true}, {Key: "k", Response: s3store.ResponseHeaders{ContentType: "text/x"}}} {
		if _, err := l.Presign(t.Context(), r); cmdline.ExitCode(err) != cmdline.ExitConfig {
			t.Errorf("%+v: %v", r, err)
		}
	}
	if _, err := linkerOf(telemetry.CountRequests(mem)); cmdline.ExitCode(err) != cmdline.ExitConfig {
		t.Errorf("a provider without URLs: %v", err)
	}
}
