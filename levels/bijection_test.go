package levels_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/s3levelfs/s3levelfs/levels"
)

// layouts are policies whose prefixes meet in every way that New allows.
func layouts(t testing.TB) map[string]*levels.Policy {
	str := func(s string) *string { return &s }
	id := levels.Identity{ID: me, Authenticated: true}
	out := map[string]*levels.Policy{
		"defaults": owner(t),
		"guest":    guest(t),
		"private":  policy(t, id, levels.Options{Only: "private"}),
	}
	for name, prefixes := range map[string]levels.Prefixes{
		"empty public":    {Public: str("")},
		"empty private":   {Private: str("")},
		"empty protected": {Protected: str("")},
		"no slashes":      {Public: str("p"), Protected: str("pr"), Private: str("pri"), Uploads: str("u")},
		"nested":          {Public: str("a/"), Protected: str("a/b/"), Private: str("a/b/c/"), Uploads: str("a//")},
		"inside private":  {Private: str("x/"), Public: str("x/pub/"), Uploads: str("x/pub/up/")},
	} {
		out[name] = policy(t, id, levels.Options{Prefixes: prefixes, Uploads: true})
	}
	return out
}

func private(layout string) string {
	switch layout {
	case "empty private":
		return ""
	case "no slashes":
		return "pri"
	case "nested":
		return "a/b/c/"
	case "inside private":
		return "x/"
	}
	return "private/"
}

// checkPath holds the laws of paths, and that nobody's private directory but the own one is reached.
func checkPath(t tb, layout string, p *levels.Policy, path string) {
	t.Helper()
	target, entry := checkLaws(t, layout, p, path)
	if !entry {
		return
	}
	rest, in := strings.CutPrefix(target.Key, private(layout))
	if first, _, below := strings.Cut(rest, "/"); in && below && strings.HasPrefix(first, "us-east-1:") {
		if target.Level != levels.Private || first != me {
			t.Fatalf("%s: %q reaches %q", layout, path, target.Key)
		}
	}
}

// checkLaws holds the laws of paths that every layout keeps, and gives what an entry resolves to.
func checkLaws(t tb, layout string, p *levels.Policy, path string) (target levels.Target, entry bool) {
	t.Helper()
	target, err := p.Resolve(path)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrInvalid) && !errors.Is(err, levels.ErrNameTooLong) {
			t.Fatalf("%q: %v", path, err)
		}
		return target, false
	}
	if strings.Contains(path, "\x00") {
		t.Fatalf("%q resolves", path)
	}
	for element := range strings.SplitSeq(path, "/") {
		if len(element) > levels.MaxName {
			t.Fatalf("%q resolves", path)
		}
	}
	switch target.Kind {
	case levels.Synthetic, levels.Symlink:
		return target, false
	case levels.Dir:
		if back, ok := p.PathOf(target.Prefix); !ok || back != path {
			t.Fatalf("%s: directory %q is %q, which is shown as %q, %v", layout, path, target.Prefix, back, ok)
		}
		return target, false
	case levels.Entry:
	}
	if !strings.HasPrefix(target.Key, target.Prefix) && target.DirPrefix() != target.Prefix {
		t.Fatalf("%s: %q: key %q is outside of %q", layout, path, target.Key, target.Prefix)
	}
	if want := strings.TrimSuffix(target.Key, "/"); target.Name == "" && target.Parent != want+"/" && target.Parent != want ||
		target.Name != "" && target.Parent+target.Name != want {
		t.Fatalf("%s: %q: %q + %q is not %q", layout, path, target.Parent, target.Name, target.Key)
	}
	back, ok := p.PathOf(target.Key)
	if target.Beside {
		back = levels.Beside(back)
	}
	if !ok || back != path {
		t.Fatalf("%s: path %q is %q, which is shown as %q, %v", layout, path, target.Key, back, ok)
	}
	return target, true
}

func checkKey(t tb, layout string, p *levels.Policy, key string) {
	t.Helper()
	path, ok := p.PathOf(key)
	if !ok {
		return
	}
	target, err := p.Resolve(path)
	if err != nil {
		t.Fatalf("%s: key %q is shown as %q: %v", layout, key, path, err)
	}
	if target.Key != key && target.DirPrefix() != key {
		t.Fatalf("%s: key %q is shown as %q, which is %q", layout, key, path, target.Key)
	}
}

// elements draws what paths and keys are made of.
func elements() *rapid.Generator[string] {
	return rapid.OneOf(tricky(), rapid.SampledFrom([]string{
		"public", "protected", "private", "uploads", "me", me, other, "a", "b", "c", "p", "pr", "pri", "u", "x", "pub", "up",
		"", "", ".", "..", "a‛", "‛2F", "‛2E", "pri" + other, "pr" + me, strings.Repeat("n", 255), strings.Repeat("n", 256),
	}))
}

func joined() *rapid.Generator[string] {
	return rapid.Map(rapid.SliceOfN(elements(), 1, 6), func(s []string) string { return strings.Join(s, "/") })
}

func TestPathsAreABijection(t *testing.T) {
	ps := layouts(t)
	rapid.Check(t, func(t *rapid.T) {
		path := joined().Draw(t, "path")
		level := rapid.SampledFrom([]string{"", "public/", "protected/", "protected/" + me + "/", "private/", "uploads/"}).Draw(t, "level")
		for name, p := range ps {
			checkPath(t, name, p, path)
			checkPath(t, name, p, level+path)
		}
	})
}

func TestKeysAreABijection(t *testing.T) {
	ps := layouts(t)
	rapid.Check(t, func(t *rapid.T) {
		key := joined().Draw(t, "key")
		for name, p := range ps {
			for _, l := range append(p.LevelPrefixes(), levels.LevelPrefix{}) {
				checkKey(t, name, p, l.Prefix+key)
			}
		}
	})
}

func FuzzResolve(f *testing.F) {
	for _, s := range []string{
		"", "public", "public/a", "public/../private/x", "public//x", "private/\x00", "protected/me/x", "protected/" + me,
		"public/a‛", "public/‛2F/‛2E‛2E", "public/\x01\xff", "public/private/" + other + "/x", "a/b/c/" + other + "/x", "pri" + other + "/x",
	} {
		f.Add(s)
	}
	ps := layouts(f)
	f.Fuzz(func(t *testing.T, s string) {
		for name, p := range ps {
			checkPath(t, name, p, s)
			checkKey(t, name, p, s)
		}
	})
}
