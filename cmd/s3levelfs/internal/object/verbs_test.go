package object

import (
	"strings"
	"testing"

	"github.com/s3levelfs/s3levelfs/levels"
)

// TestAreaKeys: keys are prefix and name as they are; what is another level's, or no key, is refused.
func TestAreaKeys(t *testing.T) {
	empty := ""
	id := levels.Identity{ID: "us-east-1:11111111-2222-3333-4444-555555555555", Authenticated: true}
	custom, err := levels.New(id, levels.Options{Prefixes: levels.Prefixes{Public: &empty}})
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("n", 900)
	for _, c := range []struct {
		policy *levels.Policy
		name   string
		want   string // "" = refused
	}{
		{testPolicy(t), "a//b", "public/a//b"},
		{testPolicy(t), "..", "public/.."},
		{testPolicy(t), "../private/x", "public/../private/x"},
		{testPolicy(t), "/a/", "public//a/"},
		{testPolicy(t), long, "public/" + long},
		{testPolicy(t), "", ""},
		{testPolicy(t), strings.Repeat("n", 1018), ""},
		{testPolicy(t), "\xff", ""},
		{custom, "a", "a"},
		{custom, long, long},
		{custom, "private/somebody/a", ""},
		{custom, "private/" + id.ID + "/a", ""},
		{custom, "private/somebody/" + long, ""},
		{custom, "protected/somebody/a", ""},
	} {
		a, err := newArea(c.policy, "public", "")
		if err != nil {
			t.Fatal(err)
		}
		key, err := a.key(c.name)
		if key != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%.40q: %.40q, %v, want %.40q", c.name, key, err, c.want)
		}
	}
}

// TestGlobs: the patterns of --include and --exclude.
func TestGlobs(t *testing.T) {
	for _, c := range []struct {
		glob, name string
		want       bool
	}{
		{"*.jpg", "a/b.jpg", true},
		{"*.jpg", "a/b.png", false},
		{"a/*.jpg", "a/b.jpg", true},
		{"a/*.jpg", "a/b/c.jpg", false},
		{"a/**", "a/b/c.jpg", true},
		{"**/c.jpg", "c.jpg", true},
		{"**/c.jpg", "a/b/c.jpg", true},
		{"[a-c]?", "b1", true},
		{"[^a]", "b", true},
		{`\*`, "*", true},
		{`\*`, "x", false},
		{"a.b", "axb", false},
	} {
		g, err := parseGlob(c.glob)
		if err != nil || g.match(c.name) != c.want {
			t.Errorf("%q on %q: not %v, %v", c.glob, c.name, c.want, err)
		}
	}
	for _, bad := range []string{"", "[", "[a", "a\\"} {
		if _, err := parseGlob(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
