package telemetry_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/internal/telemetry"
)

// The two ends of the socket agree on events; a stream ends with the mount, with the listener, or with its server.
func TestWatchOverTheSocket(t *testing.T) {
	defer goleak.VerifyNone(t)
	socket := filepath.Join(t.TempDir(), "s")
	s, err := telemetry.Serve(socket, &fake{}, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c := telemetry.Dial(socket)
	var got []string
	note := func(e []byte) error { got = append(got, string(e)); return nil }
	if err := c.Watch(t.Context(), telemetry.WatchRequest{Path: "a b", Prefix: "p&"}, note); err != nil {
		t.Error(err)
	}
	if want := []string{`{"Path":"a b","Prefix":"p&"}`, `{"n":"a<b\n"}`}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	err = c.Watch(t.Context(), telemetry.WatchRequest{Path: "none"}, note)
	if _, ok := errors.AsType[*telemetry.Refused](err); !ok || err.Error() != "no such path" {
		t.Errorf("%v", err)
	}
	enough := errors.New("enough")
	if err := c.Watch(t.Context(), telemetry.WatchRequest{}, func([]byte) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := c.Watch(ctx, telemetry.WatchRequest{}, func([]byte) error { cancel(); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	err = c.Watch(t.Context(), telemetry.WatchRequest{}, func(e []byte) error {
		if string(e)[2] == 'n' { // the last one before it waits
			s.Close()
		}
		return nil
	})
	if !errors.Is(err, telemetry.ErrWatchCut) {
		t.Errorf("%v", err)
	}
}
