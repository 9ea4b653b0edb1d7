package levels_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/levels"
)

const me, other = "us-east-1:11111111-2222-3333-4444-555555555555", "us-east-1:99999999-2222-3333-4444-555555555555"

func policy(t testing.TB, id levels.Identity, o levels.Options) *levels.Policy {
	t.Helper()
	p, err := levels.New(id, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func owner(t testing.TB) *levels.Policy {
	return policy(t, levels.Identity{ID: me, Authenticated: true}, levels.Options{Uploads: true})
}

func guest(t testing.TB) *levels.Policy {
	return policy(t, levels.Identity{}, levels.Options{Uploads: true})
}

func roots(p *levels.Policy) (names []string) {
	for _, e := range p.Roots() {
		names = append(names, e.Name)
	}
	return names
}

func TestRoots(t *testing.T) {
	signedIn := levels.Identity{ID: me, Authenticated: true}
	for _, c := range []struct {
		name string
		id   levels.Identity
		o    levels.Options
		want []string
	}{
		{"signed in", signedIn, levels.Options{}, []string{"public", "protected", "private"}},
		{"with uploads", signedIn, levels.Options{Uploads: true}, []string{"public", "protected", "private", "uploads"}},
		{"guest", levels.Identity{}, levels.Options{}, []string{"public", "protected"}},
		{"guest with id", levels.Identity{ID: me}, levels.Options{}, []string{"public", "protected"}},
		{
			"guest with private granted",
			levels.Identity{ID: me},
			levels.Options{Grants: map[levels.Level]levels.Perm{levels.Private: levels.Get}},
			[]string{"public", "protected", "private"},
		},
		{"only public", signedIn, levels.Options{Only: "public"}, nil},
		{"only private", signedIn, levels.Options{Only: "private"}, nil},
		{"only protected", signedIn, levels.Options{Only: "protected"}, []string{me, "me"}},
		{"only protected, guest", levels.Identity{}, levels.Options{Only: "protected"}, nil},
	} {
		if diff := cmp.Diff(c.want, roots(policy(t, c.id, c.o))); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}

func TestResolve(t *testing.T) {
	own := "protected/" + me
	for path, want := range map[string]levels.Target{
		"":       {Level: levels.Root, Kind: levels.Synthetic, Grants: levels.List},
		"public": {Level: levels.Public, Kind: levels.Dir, Grants: levels.All, Key: "public", Prefix: "public/"},
		"public/a": {
			Level: levels.Public, Kind: levels.Entry, Grants: levels.All, Key: "public/a", Prefix: "public/",
			Parent: "public/", Name: "a",
		},
		"public/a/b\x01": {
			Level: levels.Public, Kind: levels.Entry, Grants: levels.All, Key: "public/a/b‛01", Prefix: "public/",
			Parent: "public/a/", Name: "b‛01",
		},
		"public/a/‛2F": {
			Level: levels.Public, Kind: levels.Entry, Grants: levels.All, Key: "public/a//", Prefix: "public/",
			Parent: "public/a/", Name: "", Foreign: true,
		},
		"public/a/‛2F/b": {
			Level: levels.Public, Kind: levels.Entry, Grants: levels.All, Key: "public/a//b", Prefix: "public/",
			Parent: "public/a//", Name: "b", Foreign: true,
		},
		"public/a‛": {
			Level: levels.Public, Kind: levels.Entry, Grants: levels.All, Key: "public/a", Prefix: "public/",
			Parent: "public/", Name: "a", Foreign: true, Beside: true,
		},
		"protected": {Level: levels.Protected, Kind: levels.Dir, Grants: levels.List, Key: "protected", Prefix: "protected/"},
		"protected/me": {
			Level: levels.Protected, Kind: levels.Symlink, Grants: levels.List, Owner: me, Link: me,
		},
		"protected/" + me: {
			Level: levels.ProtectedOwn, Kind: levels.Dir, Grants: levels.All, Key: own, Prefix: own + "/", Owner: me,
		},
		"protected/" + me + "/f": {
			Level: levels.ProtectedOwn, Kind: levels.Entry, Grants: levels.All, Key: own + "/f", Prefix: own + "/", Owner: me,
			Parent: own + "/", Name: "f",
		},
		"protected/" + other: {
			Level: levels.ProtectedOther, Kind: levels.Entry, Grants: levels.List | levels.Get,
			Key: "protected/" + other, Prefix: "protected/" + other + "/", Owner: other,
			Parent: "protected/", Name: other,
		},
		"protected/" + other + "/d/f": {
			Level: levels.ProtectedOther, Kind: levels.Entry, Grants: levels.List | levels.Get,
			Key: "protected/" + other + "/d/f", Prefix: "protected/" + other + "/", Owner: other,
			Parent: "protected/" + other + "/d/", Name: "f",
		},
		"private": {
			Level: levels.Private, Kind: levels.Dir, Grants: levels.All,
			Key: "private/" + me, Prefix: "private/" + me + "/", Owner: me,
		},
		"private/x": {
			Level: levels.Private, Kind: levels.Entry, Grants: levels.All,
			Key: "private/" + me + "/x", Prefix: "private/" + me + "/", Owner: me,
			Parent: "private/" + me + "/", Name: "x",
		},
		"uploads/x": {
			Level: levels.Uploads, Kind: levels.Entry, Grants: levels.Put, Key: "uploads/x", Prefix: "uploads/",
			Parent: "uploads/", Name: "x",
		},
	} {
		got, err := owner(t).Resolve(path)
		if err != nil {
			t.Errorf("%q: %v", path, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", path, diff)
		}
	}
}

func TestResolveRefuses(t *testing.T) {
	long := strings.Repeat("n", 256)
	deep := "public" + strings.Repeat("/"+long[:200], 6)
	bytes255 := strings.Repeat("\x01", 255)
	for _, c := range []struct {
		path string
		want error
	}{
		{"other", fs.ErrNotExist},
		{"Public", fs.ErrNotExist},
		{"/public", fs.ErrNotExist},
		{"..", fs.ErrNotExist},
		{"protected/me/x", fs.ErrNotExist},
		{"public/a‛/b", fs.ErrNotExist},
		{"public/../private/x", fs.ErrInvalid},
		{"public/..", fs.ErrInvalid},
		{"public//x", fs.ErrInvalid},
		{"public/", fs.ErrInvalid},
		{"public/a\x00", fs.ErrInvalid},
		{"public/\x00", fs.ErrInvalid},
		{"public/‛C3‛A9", fs.ErrInvalid},
		{"public/" + long, levels.ErrNameTooLong},
		{deep, levels.ErrNameTooLong},
		{"public/" + bytes255, levels.ErrNameTooLong}, // 1,275 bytes of key
	} {
		if got, err := owner(t).Resolve(c.path); !errors.Is(err, c.want) {
			t.Errorf("%q: %+v, %v, want %v", c.path, got, err, c.want)
		}
	}
	if _, err := guest(t).Resolve("private/x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("guest's private: %v", err)
	}
	for _, name := range []string{long[:255], strings.Repeat("\x01", 200), strings.Repeat("é", 127)} {
		if _, err := owner(t).Resolve("public/" + name); err != nil {
			t.Errorf("%d bytes: %v", len(name), err)
		}
	}
}

// TestGrantTable is design section 1's table, operation by operation.
func TestGrantTable(t *testing.T) {
	const l, g, p, d = levels.List, levels.Get, levels.Put, levels.Delete
	signedIn := owner(t)
	for _, c := range []struct {
		who     string
		policy  *levels.Policy
		path    string
		granted levels.Perm
	}{
		{"guest", guest(t), "public/x", l | g | p | d},
		{"guest", guest(t), "protected/" + me + "/x", l | g},
		{"guest", guest(t), "uploads/x", p},
		{"guest", guest(t), "", l},
		{"owner", signedIn, "public", l | g | p | d},
		{"owner", signedIn, "protected", l},
		{"owner", signedIn, "protected/me", l | g},
		{"owner", signedIn, "protected/" + me + "/x", l | g | p | d},
		{"owner", signedIn, "protected/" + other + "/x", l | g},
		{"owner", signedIn, "private/x", l | g | p | d},
		{"owner", signedIn, "uploads", p},
	} {
		for _, want := range []levels.Perm{l, g, p, d} {
			err := c.policy.Check(c.path, want)
			switch {
			case c.granted.Has(want) && err != nil:
				t.Errorf("%s %q %v: %v", c.who, c.path, want, err)
			case !c.granted.Has(want) && !errors.Is(err, fs.ErrPermission):
				t.Errorf("%s %q %v: %v, want ErrPermission", c.who, c.path, want, err)
			}
		}
	}
	if err := guest(t).Check("private", l); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("guest's private: %v", err)
	}
}

// TestAllGrants: each of the 16 sets grants exactly its members, in Check and
// in the mode bits.
func TestAllGrants(t *testing.T) {
	for set := levels.None; set <= levels.All; set++ {
		p := policy(t, levels.Identity{ID: me, Authenticated: true}, levels.Options{
			Grants: map[levels.Level]levels.Perm{levels.Private: set, levels.ProtectedOther: set},
		})
		for want := levels.None; want <= levels.All; want++ {
			if got := p.Check("private/x", want) == nil; got != set.Has(want) {
				t.Errorf("grants %v: %v is %v", set, want, got)
			}
		}
		if got := p.Check("protected", levels.List) == nil; !got {
			t.Errorf("grants %v: protected/ always has entries of its own", set)
		}
		target, err := p.Resolve("protected")
		if err != nil {
			t.Fatal(err)
		}
		if got := target.Mode(true); got != 0o555 {
			t.Errorf("grants %v: protected/ has mode %o", set, got)
		}
		if got := target.Kind == levels.Dir; got != set.Has(levels.List) {
			t.Errorf("grants %v: protected/ can be listed: %v", set, got)
		}
		file, dir := levels.ModeOf(levels.Private, set, false), levels.ModeOf(levels.Private, set, true)
		if (file&0o400 != 0) != set.Has(levels.Get) || (file&0o200 != 0) != set.Has(levels.Put) || file&0o177 != 0 {
			t.Errorf("grants %v: file mode %o", set, file)
		}
		if (dir&0o400 != 0) != set.Has(levels.List) || (dir&0o200 != 0) != set.Any(levels.Put|levels.Delete) ||
			(dir&0o100 != 0) != (set != levels.None) {
			t.Errorf("grants %v: directory mode %o", set, dir)
		}
		if back, err := levels.ParsePerm(set.String()); err != nil || back != set {
			t.Errorf("%v reads as %v, %v", set, back, err)
		}
	}
}

func TestModeOf(t *testing.T) {
	for _, c := range []struct {
		path      string
		dir, file uint32
	}{
		{"", 0o555, 0},
		{"public/x", 0o777, 0o666},
		{"protected", 0o555, 0},
		{"protected/" + me + "/x", 0o755, 0o644},
		{"protected/" + other + "/x", 0o555, 0o444},
		{"private/x", 0o700, 0o600},
		{"uploads/x", 0o300, 0o200},
	} {
		target, err := owner(t).Resolve(c.path)
		if err != nil {
			t.Fatal(err)
		}
		if got := target.Mode(true); got != c.dir {
			t.Errorf("%q: directory %o, want %o", c.path, got, c.dir)
		}
		if got := target.Mode(false); c.file != 0 && got != c.file {
			t.Errorf("%q: file %o, want %o", c.path, got, c.file)
		}
	}
}

func TestBadOptions(t *testing.T) {
	str := func(s string) *string { return &s }
	signedIn := levels.Identity{ID: me, Authenticated: true}
	for i, c := range []struct {
		id   levels.Identity
		o    levels.Options
		want string
	}{
		{levels.Identity{Authenticated: true}, levels.Options{}, "empty"},
		{levels.Identity{ID: "a/b"}, levels.Options{}, `"a/b" contains a slash`},
		{levels.Identity{ID: ".."}, levels.Options{}, `".." is a dot name`},
		{levels.Identity{ID: "."}, levels.Options{}, `"." is a dot name`},
		{levels.Identity{ID: "me"}, levels.Options{}, "symlink"},
		{levels.Identity{ID: "a\nb"}, levels.Options{}, `"a\nb" contains a control character`},
		{levels.Identity{ID: "a\xff"}, levels.Options{}, "UTF-8"},
		{levels.Identity{ID: strings.Repeat("i", 256)}, levels.Options{}, "longer than 255"},
		{signedIn, levels.Options{Only: "vault"}, `"vault" is not known`},
		{levels.Identity{}, levels.Options{Only: "private"}, "needs an identity id"},
		{signedIn, levels.Options{Prefixes: levels.Prefixes{Public: str("private/")}}, `both "private/"`},
		{signedIn, levels.Options{Prefixes: levels.Prefixes{Public: str(""), Private: str("")}}, `both ""`},
		{signedIn, levels.Options{Prefixes: levels.Prefixes{Public: str("private/" + me + "/")}}, "both"},
		{signedIn, levels.Options{Prefixes: levels.Prefixes{Public: str("private/" + other + "/")}}, "other people's"},
		{signedIn, levels.Options{Prefixes: levels.Prefixes{Public: str("private/us")}}, "other people's"},
		{signedIn, levels.Options{Prefixes: levels.Prefixes{Public: str("a\x01/")}}, "control character"},
	} {
		_, err := levels.New(c.id, c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%d: %v, want one line with %q", i, err, c.want)
		}
	}
}

func TestPrefixesAreVerbatim(t *testing.T) {
	str := func(s string) *string { return &s }
	p := policy(t, levels.Identity{ID: me, Authenticated: true}, levels.Options{Prefixes: levels.Prefixes{
		Public: str(""), Private: str("myPrivatePrefix"), Protected: str("a/b/"),
	}})
	for path, want := range map[string]string{
		"public/x":               "x",
		"private/cp.txt":         "myPrivatePrefix" + me + "/cp.txt", // as Amplify does, amplify.md section 1
		"protected/" + me + "/x": "a/b/" + me + "/x",
		"public/‛2F/x":           "/x",
		"public/private":         "private", // the default prefix means nothing here
	} {
		target, err := p.Resolve(path)
		if err != nil || target.Key != want {
			t.Errorf("%q: %q, %v, want %q", path, target.Key, err, want)
		}
		if back, ok := p.PathOf(want); !ok || back != path {
			t.Errorf("%q: shown as %q, %v", want, back, ok)
		}
	}
	for _, path := range []string{
		"public/myPrivatePrefix" + other + "/x", "public/myPrivatePrefix" + me + "/cp.txt", "public/a/b/" + me + "/x", "public/a/b",
	} {
		if got, err := p.Resolve(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %q, %v, want ErrNotExist", path, got.Key, err)
		}
	}
}

func TestPathOfHides(t *testing.T) {
	p := owner(t)
	for _, key := range []string{
		"", "x", "public", "private/x", "private/" + other + "/x", "private/" + me, "protected/me/x", "protected/me",
		"public/" + strings.Repeat("n", 256), "public/" + strings.Repeat("n/", 600),
	} {
		if got, ok := p.PathOf(key); ok {
			t.Errorf("%q is shown as %q", key, got)
		}
	}
	for key, want := range map[string]string{
		"public/": "public", "public/a/": "public/a", "public/a//": "public/a/‛2F", "private/" + me + "/": "private",
		"protected/" + me + "/": "protected/" + me, "public/a//b": "public/a/‛2F/b", "public/../b": "public/‛2E‛2E/b",
	} {
		if got, ok := p.PathOf(key); !ok || got != want {
			t.Errorf("%q is shown as %q, %v, want %q", key, got, ok, want)
		}
	}
	only := policy(t, levels.Identity{ID: me, Authenticated: true}, levels.Options{Only: "private"})
	if got, ok := only.PathOf("private/" + me + "/a"); !ok || got != "a" {
		t.Errorf("--level private: %q, %v", got, ok)
	}
	if got, ok := only.PathOf("public/a"); ok {
		t.Errorf("--level private shows %q", got)
	}
}

func TestFollow(t *testing.T) {
	for path, want := range map[string]string{
		"protected/me": "protected/" + me, "protected/me/a/b": "protected/" + me + "/a/b",
		"protected/mean": "protected/mean", "public/me": "public/me", "me": "me",
	} {
		if got := owner(t).Follow(path); got != want {
			t.Errorf("%q: %q, want %q", path, got, want)
		}
	}
	if got := guest(t).Follow("protected/me"); got != "protected/me" {
		t.Errorf("without an id: %q", got)
	}
}

func TestLevelPrefixes(t *testing.T) {
	var got []string
	for _, l := range owner(t).LevelPrefixes() {
		got = append(got, fmt.Sprint(l.Prefix, " ", l.Grants, " ", l.Writable()))
	}
	want := []string{
		"protected/" + me + "/ list,get,put,delete true", "private/" + me + "/ list,get,put,delete true",
		"protected/ list,get false", "uploads/ put true", "public/ list,get,put,delete true",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
