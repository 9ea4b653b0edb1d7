package store_test

import (
	"strings"
	"testing"

	"github.com/s3levelfs/s3levelfs/store"
)

// limited is a provider with bounds of its own.
type limited struct {
	*minimal
	limits store.Limits
}

func (l limited) Limits() store.Limits { return l.limits }

// TestLimitsOfOneRequest: no object of a provider without parts is larger than one Put, whatever else its limits say; bounds that nothing fits in
// are refused.
func TestLimitsOfOneRequest(t *testing.T) {
	l := store.WholeLimits()
	l.MaxPut = 100
	want := l
	want.MaxObject, want.MaxPart, want.MaxCopy, want.CopyCond, want.LooseCond = 100, 100, 100, true, true
	for name, l := range map[string]store.Limits{
		"of WholeLimits": l, "alone": {MaxPut: 100, MaxObject: 1 << 20, MaxKey: l.MaxKey, MaxDelete: l.MaxDelete, NoParts: true},
	} {
		if got := whole(t, limited{newMinimal(), l}).Limits(); got != want {
			t.Errorf("%s: %+v", name, got)
		}
	}
	for _, spoil := range []func(*store.Limits){
		func(l *store.Limits) { l.MaxPut = 0 },
		func(l *store.Limits) { l.MaxObject = -1 },
		func(l *store.Limits) { l.MaxKey = 0 },
		func(l *store.Limits) { l.MaxDelete = 0 },
	} {
		l := store.WholeLimits()
		spoil(&l)
		if _, err := store.FromProvider(limited{newMinimal(), l}); err == nil || !strings.Contains(err.Error(), `"minimal"`) {
			t.Errorf("%+v: %v", l, err)
		}
	}
}

// closing notes its end.
type closing struct {
	limited

	closed *int
}

func (c closing) Close() error {
	*c.closed++
	return nil
}

// TestRefusedProviderIsClosed: what it has begun when it was configured ends.
func TestRefusedProviderIsClosed(t *testing.T) {
	closed := 0
	r := store.NewRegistry()
	if err := r.AddPluggable(func() store.Provider { return closing{limited{newMinimal(), store.Limits{}}, &closed} }); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Open(t.Context(), "minimal", store.Options{}); err == nil || closed != 1 {
		t.Errorf("%v, closed %d times", err, closed)
	}
}
