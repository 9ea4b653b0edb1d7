package levels_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/s3levelfs/s3levelfs/levels"
)

const (
	l, g, p, d = levels.List, levels.Get, levels.Put, levels.Delete

	read = l | g
	sub  = "${cognito-identity.amazonaws.com:sub}"
)

type rules = map[string]levels.Perm

// gen1 is the layout of Amplify Gen 1 as the documentation writes it for Gen 2.
func gen1() []levels.PathRule {
	return []levels.PathRule{
		{Pattern: "public/*", Rules: rules{"guest": levels.All, "authenticated": levels.All}},
		{Pattern: "protected/{entity_id}/*", Rules: rules{"guest": read, "authenticated": read, "entityidentity": levels.All}},
		{Pattern: "private/{entity_id}/*", Rules: rules{"entityidentity": levels.All}},
		{Pattern: "uploads/*", Rules: rules{"guest": p, "authenticated": p}},
	}
}

// app is a layout with everything that Gen 2 allows.
func app() []levels.PathRule {
	return []levels.PathRule{
		{Pattern: "media/*", Rules: rules{"guest": read, "authenticated": levels.All, "groupsadmin": levels.All}},
		{Pattern: "media/albums/*", Rules: rules{"guest": read, "authenticated": read, "groupseditors": levels.All}},
		{Pattern: "media/in/drafts/*", Rules: rules{"authenticated": read | p}},
		{Pattern: "profile-pictures/" + sub + "/*", Rules: rules{"entityidentity": read | p}},
		{Pattern: "profile-pictures/*", Rules: rules{"authenticated": read, "guest": g}},
		{Pattern: "notes/{entity_id}/*", Rules: rules{"entityidentity": levels.All}},
		{Pattern: "admin/*", Rules: rules{"groupsadmin": levels.All, "groupseditors": read}},
		{Pattern: "deep/down/*", Rules: rules{"authenticated": read}},
		{Pattern: "inbox/*", Rules: rules{"authenticated": p, "resource": levels.All}},
	}
}

func signedIn(groups ...string) levels.Identity {
	return levels.Identity{ID: me, Authenticated: true, Groups: groups}
}

// TestLevelsAsPaths: the levels, written as a Gen 2 app's paths, are the same mount.
func TestLevelsAsPaths(t *testing.T) {
	paths := []string{
		"", "public", "public/a", "public/a/‛2F/b", "public/a‛", "protected", "protected/me", "protected/me/x", "protected/" + me,
		"protected/" + me + "‛", "protected/" + me + "/a/b", "protected/" + other, "protected/" + other + "/f", "private", "private/x",
		"private/" + other + "/x", "uploads", "uploads/x", "other", "public/..", "x", "me", "a/b", me, me + "/f",
	}
	keys := []string{
		"public/", "public/a", "protected/", "protected/" + me + "/", "protected/" + me, "protected/" + other + "/a", "protected/me/x",
		"private/" + me + "/a", "private/" + other + "/a", "private/", "uploads/x", "x", "",
	}
	for _, id := range []levels.Identity{signedIn(), {}, {ID: me}} {
		for _, only := range []string{"", "public", "protected", "private"} {
			want, err := levels.New(id, levels.Options{Uploads: true, Only: only})
			if err != nil || only == "private" && !id.Authenticated {
				continue // a guest's private/ can be asked for alone, though nothing is granted there: no rule says that there is one
			}
			got := policy(t, id, levels.Options{Paths: gen1(), Only: only})
			name := fmt.Sprintf("%+v, level %q", id, only)
			ignore := cmpopts.IgnoreFields(levels.Target{}, "Place")
			if diff := cmp.Diff(want.Roots(), got.Roots(), ignore); diff != "" {
				t.Errorf("%s: root: %s", name, diff)
			}
			if diff := cmp.Diff(want.LevelPrefixes(), got.LevelPrefixes()); diff != "" {
				t.Errorf("%s: prefixes: %s", name, diff)
			}
			for _, path := range paths {
				a, err1 := want.Resolve(path)
				b, err2 := got.Resolve(path)
				if diff := cmp.Diff(a, b, ignore); diff != "" || fmt.Sprint(err1) != fmt.Sprint(err2) {
					t.Errorf("%s: %q: %v, %v\n%s", name, path, err1, err2, diff)
				}
				if a, b := want.Entries(path), got.Entries(path); !cmp.Equal(a, b, ignore) {
					t.Errorf("%s: entries of %q: %v, want %v", name, path, b, a)
				}
				if a, b := want.Follow(path), got.Follow(path); a != b {
					t.Errorf("%s: %q leads to %q, want %q", name, path, b, a)
				}
			}
			for _, key := range keys {
				a, ok1 := want.PathOf(key)
				b, ok2 := got.PathOf(key)
				if a != b || ok1 != ok2 {
					t.Errorf("%s: %q is shown as %q, %v, want %q, %v", name, key, b, ok2, a, ok1)
				}
			}
		}
	}
}

// TestPathRules: what each role sees of an app and may do there.
func TestPathRules(t *testing.T) {
	type want struct {
		kind   levels.Kind
		grants levels.Perm
		key    string
		mode   uint32
	}
	own, others := "profile-pictures/"+me, "profile-pictures/"+other
	hidden := want{key: "no path leads there"}
	for _, c := range []struct {
		name  string
		id    levels.Identity
		roots string
		paths map[string]want
	}{
		{"signed in", signedIn(), "media profile-pictures notes deep inbox", map[string]want{
			"media":               {levels.Dir, levels.All, "media", 0o777},
			"media/x":             {levels.Entry, levels.All, "media/x", 0o777},
			"media/albums":        {levels.Dir, read, "media/albums", 0o555},
			"media/albums/x":      {levels.Entry, read, "media/albums/x", 0o555},
			"media/in":            {levels.Dir, levels.All, "media/in", 0o777}, // on the way to drafts: always there
			"media/in/x":          {levels.Entry, levels.All, "media/in/x", 0o777},
			"media/in/drafts":     {levels.Dir, read | p, "media/in/drafts", 0o777},
			"profile-pictures":    {levels.Dir, l, "profile-pictures", 0o555},
			own:                   {levels.Dir, read | p, own, 0o755},
			own + "/f":            {levels.Entry, read | p, own + "/f", 0o755},
			others + "/f":         {levels.Entry, read, others + "/f", 0o555},
			"profile-pictures/me": {levels.Symlink, l, "", 0o555},
			"notes":               {levels.Dir, levels.All, "notes/" + me, 0o700},
			"notes/a":             {levels.Entry, levels.All, "notes/" + me + "/a", 0o700},
			"admin":               hidden,
			"admin/x":             hidden,
			"deep":                {levels.Synthetic, l, "", 0o555},
			"deep/x":              hidden,
			"deep/down/x":         {levels.Entry, read, "deep/down/x", 0o555},
			"inbox/x":             {levels.Entry, p, "inbox/x", 0o300},
			"public/x":            hidden,
		}},
		{"guest", levels.Identity{}, "media profile-pictures", map[string]want{
			"media/x":          {levels.Entry, read, "media/x", 0o555},
			"media/albums/x":   {levels.Entry, read, "media/albums/x", 0o555},
			"media/in/drafts":  hidden, // the path takes back what media/* allows
			"profile-pictures": {levels.Synthetic, levels.None, "", 0o555},
			others + "/f":      {levels.Entry, g, others + "/f", 0o111},
			"notes":            hidden,
			"inbox":            hidden,
		}},
		{"admin", signedIn("nobody", "admin"), "media admin", map[string]want{
			"media/x":        {levels.Entry, levels.All, "media/x", 0o777},
			"media/albums/x": hidden, // neither editors' rule nor that of all who are signed in is an admin's
			own + "/f":       hidden, // nor that of the identity
			"notes":          hidden,
			"admin/x":        {levels.Entry, levels.All, "admin/x", 0o700},
		}},
		{"editor and admin", signedIn("editors", "admin"), "media admin", map[string]want{
			"media":          {levels.Synthetic, l, "", 0o555},
			"media/x":        hidden,
			"media/albums/x": {levels.Entry, levels.All, "media/albums/x", 0o777},
			"admin/x":        {levels.Entry, read, "admin/x", 0o500},
		}},
		{"member of a group without rules", signedIn("nobody"), "media profile-pictures notes deep inbox", nil},
	} {
		pol := policy(t, c.id, levels.Options{Paths: app()})
		if got := strings.Join(roots(pol), " "); got != c.roots {
			t.Errorf("%s: root has %q, want %q", c.name, got, c.roots)
		}
		for path, want := range c.paths {
			target, err := pol.Resolve(path)
			if want == hidden {
				if !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s: %q: %+v, %v, want nothing", c.name, path, target, err)
				}
				continue
			}
			if err != nil || target.Kind != want.kind || target.Grants != want.grants || target.Key != want.key {
				t.Errorf("%s: %q: %+v, %v, want %+v", c.name, path, target, err, want)
			}
			if mode := target.Mode(true); mode != want.mode && target.Kind != levels.Symlink {
				t.Errorf("%s: %q has mode %o, want %o", c.name, path, mode, want.mode)
			}
		}
	}
}

// TestEntriesOfPaths: directories of paths below others are there whether anything is stored in them or not.
func TestEntriesOfPaths(t *testing.T) {
	pol := policy(t, signedIn(), levels.Options{Paths: app()})
	for path, want := range map[string]string{
		"media": "albums in", "media/in": "drafts", "deep": "down", "profile-pictures": me + " me", "notes": "", "media/albums": "", "none": "",
	} {
		var names []string
		for _, e := range pol.Entries(path) {
			names = append(names, e.Name)
			if target, err := pol.Resolve(path + "/" + e.Name); err != nil || !cmp.Equal(target, e.Target) {
				t.Errorf("%q in %q is %+v, resolves to %+v, %v", e.Name, path, e.Target, target, err)
			}
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%q has %q, want %q", path, got, want)
		}
	}
}

// TestOnlyOnePath: any directory of the paths can be the root.
func TestOnlyOnePath(t *testing.T) {
	pol := policy(t, signedIn(), levels.Options{Paths: app(), Only: "media/albums"})
	if target, err := pol.Resolve("x"); err != nil || target.Key != "media/albums/x" || target.Grants != read || target.Place != "media/albums/*" {
		t.Errorf("x is %+v, %v", target, err)
	}
	if path, ok := pol.PathOf("media/x"); ok {
		t.Errorf("media/x is shown as %q", path)
	}
	if names := roots(policy(t, signedIn(), levels.Options{Paths: app(), Only: "media"})); strings.Join(names, " ") != "albums in" {
		t.Errorf("media alone has %q", names)
	}
}

// TestMergedGroups: a member of a group reads what all who are signed in read, and changes nothing more.
func TestMergedGroups(t *testing.T) {
	pol := policy(t, signedIn("admin"), levels.Options{Paths: app(), MergeGroups: true})
	for path, want := range map[string]levels.Perm{
		"media/x": levels.All, "media/albums/x": read, "media/in/drafts/x": read, "notes/x": read, "deep/down/x": read,
		"profile-pictures/" + me + "/x": read, "admin/x": levels.All,
	} {
		if target, err := pol.Resolve(path); err != nil || target.Grants != want {
			t.Errorf("%q: %v, %v, want %v", path, target.Grants, err, want)
		}
	}
	if _, err := pol.Resolve("inbox"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the right to put is merged: %v", err)
	}
}

// TestIdentityBesidePaths: where other paths lie among the identities, the own keys do not take their place.
func TestIdentityBesidePaths(t *testing.T) {
	pol := policy(t, signedIn(), levels.Options{Paths: []levels.PathRule{
		{Pattern: "notes/{entity_id}/*", Rules: rules{"entityidentity": levels.All}},
		{Pattern: "notes/shared/*", Rules: rules{"authenticated": read}},
	}})
	for path, want := range map[string]string{
		"notes/" + me + "/shared/f": "notes/" + me + "/shared/f", "notes/shared/f": "notes/shared/f", "notes/me": "", "notes": "",
	} {
		if target, err := pol.Resolve(path); err != nil || target.Key != want {
			t.Errorf("%q is %q, %v, want %q", path, target.Key, err, want)
		}
	}
	if _, err := pol.Resolve("notes/" + other + "/f"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("another identity's key: %v", err)
	}
}

func TestBadPaths(t *testing.T) {
	one := func(pattern string, who string) []levels.PathRule {
		return []levels.PathRule{{Pattern: pattern, Rules: rules{who: read}}}
	}
	str := func(s string) *string { return &s }
	for i, c := range []struct {
		id   levels.Identity
		o    levels.Options
		want string
	}{
		{signedIn(), levels.Options{Paths: one("/a/*", "guest")}, `"/a/*" begins with a slash`},
		{signedIn(), levels.Options{Paths: one("a/", "guest")}, `"a/" does not end in /*`},
		{signedIn(), levels.Options{Paths: one("a*", "guest")}, `"a*" does not end in /*`},
		{signedIn(), levels.Options{Paths: one("*", "guest")}, `"*" does not end in /*`},
		{signedIn(), levels.Options{Paths: one("a//b/*", "guest")}, "empty element"},
		{signedIn(), levels.Options{Paths: one("a/*/b/*", "guest")}, "wildcard"},
		{signedIn(), levels.Options{Paths: one("{entity_id}/*", "guest")}, "begins with the identity"},
		{signedIn(), levels.Options{Paths: one("a/{entity_id}/b/*", "guest")}, "not its last element"},
		{signedIn(), levels.Options{Paths: one("a/x{entity_id}/*", "guest")}, "not its last element"},
		{signedIn(), levels.Options{Paths: one("a/${aws:username}/*", "guest")}, "not its last element"},
		{signedIn(), levels.Options{Paths: one("a\x01/*", "guest")}, "control character"},
		{signedIn(), levels.Options{Paths: one(strings.Repeat("n", 256)+"/*", "guest")}, "255"},
		{signedIn(), levels.Options{Paths: one(strings.Repeat("n/", 400)+"*", "guest")}, "512"},
		{signedIn(), levels.Options{Paths: one("a/*", "everybody")}, `"everybody"`},
		{signedIn(), levels.Options{Paths: one("a/*", "groups")}, `"groups"`},
		{signedIn(), levels.Options{Paths: one("a/*", "entityidentity")}, `write it as "a/{entity_id}/*"`},
		{signedIn(), levels.Options{Paths: append(one("a/{entity_id}/*", "guest"), one("a/"+sub+"/*", "guest")...)}, "twice"},
		{signedIn(), levels.Options{Paths: append(one("a/{entity_id}/*", "entityidentity"), one("a/"+me+"/*", "authenticated")...)}, "the same"},
		{signedIn(), levels.Options{Paths: append(one("a/{entity_id}/*", "authenticated"), one("a/me/*", "authenticated")...)}, "symlink"},
		{levels.Identity{}, levels.Options{Paths: one("a/*", "authenticated")}, "grants anything to a guest: sign in, or add a rule"},
		{signedIn("x"), levels.Options{Paths: one("a/*", "groupsy")}, "a member of x: sign in as somebody who has a rule, or add one"},
		{signedIn(), levels.Options{Paths: one("a/*", "authenticated"), Only: "b"}, `"b" is not known`},
		{signedIn(), levels.Options{Paths: gen1(), Prefixes: levels.Prefixes{Public: str("x/")}}, "prefixes"},
		{signedIn(), levels.Options{Paths: gen1(), Grants: map[levels.Level]levels.Perm{}}, "grants do not go"},
	} {
		_, err := levels.New(c.id, c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%d: %v, want one line with %q", i, err, c.want)
		}
	}
}
