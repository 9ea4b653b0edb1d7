package access_test

import (
	"strings"
	"testing"

	"github.com/s3levelfs/s3levelfs/internal/access"
	"github.com/s3levelfs/s3levelfs/levels"
)

// TestTableOfPathRules: of an app with path rules each path is a row, held against the rules; what lies in a deeper path is asked about there.
func TestTableOfPathRules(t *testing.T) {
	const all = levels.List | levels.Get | levels.Put | levels.Delete
	policy, err := levels.New(levels.Identity{ID: me, Authenticated: true}, levels.Options{Paths: []levels.PathRule{
		{Pattern: "media/*", Rules: map[string]levels.Perm{"authenticated": levels.List | levels.Get}},
		{Pattern: "media/drop/*", Rules: map[string]levels.Perm{"authenticated": levels.Put}},
		{Pattern: "profile/{entity_id}/*", Rules: map[string]levels.Perm{"entityidentity": all, "authenticated": levels.List | levels.Get}},
		{Pattern: "admin/*", Rules: map[string]levels.Perm{"groupsadmin": all}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	own := "profile/" + me + "/"
	b := &bucket{objects: map[string]bool{"media/drop/a": true, "media/f": true, own + "f": true, "profile/" + other + "/f": true}}
	b.may = func(want levels.Perm, key string) bool {
		if key == "media/drop/a" && want == levels.Get {
			return false
		}
		return strings.HasPrefix(key, "media/drop/") && want == levels.Delete || grantsOf(policy)(want, key)
	}
	r, err := access.Probe(t.Context(), b, access.Config{Policy: policy, Paths: true})
	if err != nil || len(r.Left) > 0 || b.made > 0 {
		t.Fatalf("%v, left %q, made %d", err, r.Left, b.made)
	}
	var places []string
	for _, c := range r.Cells {
		if len(places) == 0 || places[len(places)-1] != c.Place {
			places = append(places, c.Place)
		}
	}
	if got := strings.Join(places, " "); got != "media/ media/drop/ profile/ profile/me/ outside" {
		t.Errorf("places %s", got)
	}
	for place, want := range map[string]string{
		"media/": "yes yes yes no no no", "media/drop/": "no no~ no~ yes yes yes!",
		"profile/": "yes yes yes no no no", "profile/me/": "yes yes yes yes yes yes", "outside": "no no~ no~ no no no",
	} {
		if got := row(r, place); got != want {
			t.Errorf("%s: %s, want %s", place, got, want)
		}
	}
}
