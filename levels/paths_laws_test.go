package levels_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/s3levelfs/s3levelfs/levels"
)

// iam is the role policy that Amplify's set-up makes of rules, action by action. It is written anew from
// amplify-backend's orchestrator, so that the package is not held against itself.
type iam struct {
	allow, deny map[levels.Perm]map[string]bool
}

func actions() []levels.Perm {
	return []levels.Perm{levels.List, levels.Get, levels.Put, levels.Delete}
}

func policyOf(id levels.Identity, rules []levels.PathRule) iam {
	mine := func(name string) bool { return name == "guest" }
	if id.Authenticated {
		mine = func(name string) bool { return name == "authenticated" || name == "entityidentity" }
		for _, group := range id.Groups {
			if slices.ContainsFunc(rules, func(r levels.PathRule) bool { _, is := r.Rules["groups"+group]; return is }) {
				mine = func(name string) bool { return name == "groups"+group }
				break
			}
		}
	}
	out := iam{map[levels.Perm]map[string]bool{}, map[levels.Perm]map[string]bool{}}
	for _, a := range actions() {
		out.allow[a], out.deny[a] = map[string]bool{}, map[string]bool{}
	}
	all := map[string]bool{}
	for _, r := range rules {
		if len(r.Rules) == 0 && !strings.Contains(r.Pattern, "{") {
			all[strings.TrimSuffix(r.Pattern, "*")] = true
		}
		for name, perm := range r.Rules {
			prefix := strings.NewReplacer(sub, "{entity_id}").Replace(strings.TrimSuffix(r.Pattern, "*"))
			if name == "entityidentity" {
				prefix = strings.ReplaceAll(prefix, "{entity_id}", id.ID)
			} else {
				prefix = strings.ReplaceAll(prefix, "{entity_id}/", "")
			}
			all[prefix] = true
			for _, a := range actions() {
				if mine(name) && perm.Has(a) {
					out.allow[a][prefix] = true
				}
			}
		}
	}
	for path := range all {
		parent := ""
		for other := range all {
			if other != path && strings.HasPrefix(path, other) && len(other) > len(parent) {
				parent = other
			}
		}
		if parent == "" || parent == strings.ReplaceAll(path, id.ID+"/", "") {
			continue
		}
		for _, a := range actions() {
			if out.allow[a][parent] && !out.allow[a][path] {
				out.deny[a][path] = true
			}
		}
	}
	return out
}

// granted evaluates the policy for a key: an explicit deny wins.
func (p iam) granted(key string) (out levels.Perm) {
	matches := func(set map[string]bool) bool {
		for prefix := range set {
			if strings.HasPrefix(key, prefix) {
				return true
			}
		}
		return false
	}
	for _, a := range actions() {
		if matches(p.allow[a]) && !matches(p.deny[a]) {
			out |= a
		}
	}
	return out
}

// drawnRules draws an app: a few paths, most of them related.
func drawnRules(t *rapid.T) (rules []levels.PathRule) {
	patterns := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{
		"a/*", "a/b/*", "a/b/c/*", "a/{entity_id}/*", "a/b/" + sub + "/*", "b/{entity_id}/*", "b/*", "b/me2/*", "b/" + other + "/*",
		"c/‛2F/*", "c/../*", "d/e/f/*", "d/e/{entity_id}/*", "d/*",
	}), 1, 6, rapid.ID[string]).Draw(t, "patterns")
	for _, pattern := range patterns {
		r := levels.PathRule{Pattern: pattern, Rules: map[string]levels.Perm{}}
		for _, who := range []string{"guest", "authenticated", "groupsadmin", "groupseditors", "entityidentity", "resource"} {
			if who == "entityidentity" && !strings.Contains(pattern, "{") || !rapid.Bool().Draw(t, who) {
				continue
			}
			r.Rules[who] = levels.Perm(rapid.IntRange(0, 15).Draw(t, "perm"))
		}
		rules = append(rules, r)
	}
	return rules
}

func drawnIdentity() *rapid.Generator[levels.Identity] {
	return rapid.SampledFrom([]levels.Identity{
		signedIn(), signedIn("editors"), signedIn("x", "admin", "editors"), {ID: me}, {ID: me, Groups: []string{"admin"}},
	})
}

// TestPathRulesKeepTheLaws: whatever the app's rules and whoever mounts, paths and keys are a bijection, and an entry
// has exactly the rights that IAM gives on its key: so that no path leads where nothing is granted.
func TestPathRulesKeepTheLaws(t *testing.T) {
	element := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", me, other, "me", "me2", "‛2F", "..", ".", "", "a‛", "x", "‛‛2F", "‛2E‛2E"})
	rapid.Check(t, func(t *rapid.T) {
		id, rules := drawnIdentity().Draw(t, "identity"), drawnRules(t)
		pol, err := levels.New(id, levels.Options{Paths: rules})
		if err != nil {
			if !strings.Contains(err.Error(), "grants anything") {
				t.Fatal(err)
			}
			return
		}
		policy := policyOf(id, rules)
		for range 20 {
			s := strings.Join(rapid.SliceOfN(element, 1, 3).Draw(t, "path"), "/")
			if at := rapid.SampledFrom(rules).Draw(t, "at").Pattern; rapid.Bool().Draw(t, "below") {
				who := rapid.SampledFrom([]string{me, other}).Draw(t, "who")
				s = strings.NewReplacer("{entity_id}", who, sub, who, "*", s).Replace(at)
			}
			if target, entry := checkLaws(t, "rules", pol, s); entry {
				if want := policy.granted(target.DirPrefix()); target.Grants != want || want == levels.None {
					t.Fatalf("%q: key %q has %v, by the policy %v\n%+v", s, target.Key, target.Grants, want, rules)
				}
			}
			checkKey(t, "rules", pol, s)
			for _, l := range pol.LevelPrefixes() {
				checkKey(t, "rules", pol, l.Prefix+s)
			}
		}
	})
}

func FuzzPathRules(f *testing.F) {
	for _, s := range []string{"", "media/x", "media/albums", "media/albums‛", "profile-pictures/me/x", "profile-pictures/" + me, "notes/" + other} {
		f.Add(s)
	}
	var pols []*levels.Policy
	for _, id := range []levels.Identity{signedIn(), {}, signedIn("admin"), signedIn("editors")} {
		pols = append(pols, policy(f, id, levels.Options{Paths: app()}))
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, pol := range pols {
			checkLaws(t, "app", pol, s)
			checkKey(t, "app", pol, s)
		}
	})
}
