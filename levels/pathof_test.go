package levels_test

import (
	"strings"
	"testing"

	"github.com/s3levelfs/s3levelfs/levels"
)

// TestBelow: a directory holds its own keys, those without a path too, and none of another level's.
func TestBelow(t *testing.T) {
	private, public := "public/d/p", "public/"
	p := policy(t, levels.Identity{ID: me, Authenticated: true}, levels.Options{Prefixes: levels.Prefixes{Private: &private, Public: &public}})
	long := strings.Repeat("n", levels.MaxName+1)
	for _, c := range []struct {
		path, key string
		want      bool
	}{
		{"public/d", "public/d/", true},
		{"public/d", "public/d/x", true},
		{"public/d", "public/d/" + long, true},
		{"public/d", "public/d//..//", true},
		{"public/d", "public/d", false},
		{"public/d", "public/dd/x", false},
		{"public/d", "public/d/p" + me + "/x", false},
		{"public/d", "public/d/p" + other + "/x", false},
		{"private/d", private + me + "/d/x", true},
		{"private/d", private + other + "/d/x", false},
		{"protected/" + me + "/d", "protected/" + me + "/d/x", true},
		{"protected/" + me + "/d", "protected/" + other + "/d/x", false},
		{"", "public/d/x", false},
		{"protected/me", "protected/" + me + "/x", false},
	} {
		target, err := p.Resolve(c.path)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Below(target, c.key); got != c.want {
			t.Errorf("%q below %q: %v", c.key, c.path, got)
		}
	}
}
