package levels_test

import (
	"testing"

	"github.com/s3levelfs/s3levelfs/levels"
)

// TestEncloses: a directory that another level's prefix begins in is told from others.
func TestEncloses(t *testing.T) {
	private, public := "public/d/p", "public/"
	p := policy(t, levels.Identity{ID: me, Authenticated: true}, levels.Options{Prefixes: levels.Prefixes{Private: &private, Public: &public}})
	for path, want := range map[string]bool{
		"public/d": true, "public/d/x": false, "public/dd": false, "private/d": false, "protected/" + me + "/d": false,
		"": false, "public": true, "protected/me": false,
	} {
		target, err := p.Resolve(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Encloses(target); got != want {
			t.Errorf("%q: %v", path, got)
		}
	}
}
