package cmdline

import (
	"strings"
	"testing"

	"github.com/s3levelfs/s3levelfs/internal/config"
	"github.com/s3levelfs/s3levelfs/store"
)

// TestPlaceOfAProvider: another directory is another place, another key to it is not, and no secret gets into a place's name.
func TestPlaceOfAProvider(t *testing.T) {
	d := store.Description{Name: "dir", Settings: []store.Setting{{Name: "root"}, {Name: "token", Secret: true}}}
	place := func(endpoint, root, token string) string {
		cfg := &config.Loaded{Config: config.Default()}
		cfg.Endpoint = endpoint
		return placeOf(cfg, d, config.ProviderSettings{"root": root, "token": token})
	}
	a := place("", "/a", "hunter2")
	if a != place("", "/a", "hunter3") || strings.Contains(a, "hunter") || strings.Contains(place("", "a\nb", ""), "\n") {
		t.Errorf("place %q", a)
	}
	if b, c := place("", "/b", "hunter2"), place("http://x", "/a", "hunter2"); a == b || a == c {
		t.Errorf("%q, %q and %q are one place", a, b, c)
	}
}
