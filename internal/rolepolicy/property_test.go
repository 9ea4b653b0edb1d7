package rolepolicy_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/s3levelfs/s3levelfs/internal/rolepolicy"
	"github.com/s3levelfs/s3levelfs/levels"
)

const bucketARN = "arn:aws:s3:::b"

// objectActions are the actions of package levels' rights on objects.
func objectActions() map[levels.Perm]string {
	return map[levels.Perm]string{levels.Get: "s3:GetObject", levels.Put: "s3:PutObject", levels.Delete: "s3:DeleteObject"}
}

// scene is a policy and the access model of the same role.
type scene struct {
	doc      rolepolicy.Document
	policy   *levels.Policy
	prefixes levels.Prefixes
	sub      string
	ids      []string
	starts   []string // beginnings of keys
}

// drawScene makes both of the same random settings. ok is false where New refuses the prefixes, which levels may take.
func drawScene(t *rapid.T) (scene, bool) {
	prefix := func(name, def string) *string {
		s := rapid.SampledFrom([]string{def, def, "x*/", "y?/deep/", "$z", "pub", "${aws:username}/", ""}).Draw(t, name)
		return &s
	}
	prefixes := levels.Prefixes{Public: prefix("public", "public/"), Protected: prefix("protected", "protected/"), Private: prefix("private", "private/")}
	ids := []string{"us-east-1:aaaa", "us-east-1:bbbb", "*", "a$b"}
	role := rapid.SampledFrom([]rolepolicy.Role{rolepolicy.Auth, rolepolicy.Guest}).Draw(t, "role")
	can := levels.Perm(rapid.IntRange(0, 7).Draw(t, "can")) << 1
	s := scene{prefixes: prefixes, ids: ids, sub: rapid.SampledFrom(ids).Draw(t, "who")}
	o := rolepolicy.Options{Bucket: "b", Prefixes: prefixes, Can: can, Multipart: rapid.Bool().Draw(t, "multipart"), Tagging: rapid.Bool().Draw(t, "tagging")}
	if rapid.Bool().Draw(t, "literal") {
		o.IdentityID = s.sub
	}
	doc, err := rolepolicy.New(role, o)
	if err != nil {
		return s, false
	}
	s.doc = doc
	s.policy, err = levels.New(levels.Identity{ID: s.sub, Authenticated: role == rolepolicy.Auth},
		levels.Options{Prefixes: prefixes, Grants: rolepolicy.Grants(role, can), Uploads: true})
	if err != nil {
		return s, false
	}
	s.starts = []string{"", *prefixes.Public, *prefixes.Protected, *prefixes.Private, "uploads/", "public", "private/", "x1/", "y1/deep/"}
	return s, true
}

// What the policy allows is what the mount grants, for every identity, key and operation.
func TestPolicyIsLevelsGrants(t *testing.T) {
	keys, listings, granted := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		s, ok := drawScene(t)
		if !ok {
			t.Skip("prefixes that New refuses")
		}
		for range 20 {
			key := drawKey(t, s)
			k, g := checkKey(t, s, key)
			keys, granted = keys+k, granted+g
			listings += checkListing(t, s, key)
		}
	})
	t.Logf("%d questions about keys (%d of them granted), %d about listings", keys, granted, listings)
}

// drawKey draws a key in, around and outside of the levels.
func drawKey(t *rapid.T, s scene) string {
	start := rapid.SampledFrom(s.starts).Draw(t, "start")
	middle := rapid.SampledFrom([]string{"", s.sub + "/", s.ids[0] + "/", s.ids[1] + "/", s.sub, "dir/"}).Draw(t, "middle")
	return start + middle + rapid.SampledFrom([]string{"f", "a b", "d/e", "*"}).Draw(t, "end")
}

// checkKey compares the rights on an object.
func checkKey(t *rapid.T, s scene, key string) (n, granted int) {
	if key == *s.prefixes.Protected+s.sub {
		return 0, 0 // the own directory has its name: a file of it is not shown, whatever the policy says of all that is protected
	}
	grants := levels.None
	if path, ok := s.policy.PathOf(key); ok {
		target, err := s.policy.Resolve(path)
		if err != nil {
			t.Fatalf("%q: %v", path, err)
		}
		if target.Kind != levels.Entry {
			return 0, 0 // the own directory's name: no file can have it
		}
		grants = target.Grants
	}
	for perm, action := range objectActions() {
		got := allowed(s.doc, request{action: action, resource: bucketARN + "/" + key, sub: s.sub})
		if got != grants.Has(perm) {
			t.Fatalf("%s of %q as %q: the policy says %v, the mount %v\n%+v", action, key, s.sub, got, grants, s.doc)
		}
		n++
		if got {
			granted++
		}
	}
	return n, granted
}

// checkListing compares the right to list the directories above a key.
func checkListing(t *rapid.T, s scene, key string) (n int) {
	path, ok := s.policy.PathOf(key)
	for ok {
		target, err := s.policy.Resolve(path)
		if err != nil {
			t.Fatalf("%q: %v", path, err)
		}
		if prefix := target.DirPrefix(); prefix != "" {
			n++
			got := allowed(s.doc, request{action: "s3:ListBucket", resource: bucketARN, prefix: prefix, sub: s.sub})
			if got != target.Grants.Has(levels.List) {
				t.Fatalf("list %q as %q: the policy says %v, the mount %v\n%+v", prefix, s.sub, got, target.Grants, s.doc)
			}
		}
		at := strings.LastIndexByte(path, '/')
		ok = at > 0
		path = path[:max(at, 0)]
	}
	if allowed(s.doc, request{action: "s3:ListBucket", resource: bucketARN, sub: s.sub}) {
		t.Fatalf("the bucket's root may be listed: %+v", s.doc)
	}
	return n + 1
}

// A path decides for all that is below it and below no longer path, but that the identity's own path adds to what the one above gives.
func TestPathsAreTheLongest(t *testing.T) {
	keys := 0
	words := []string{"get", "list", "write", "delete", "read"}
	patterns := []string{"a/*", "a/b/*", "c/*", "c/{entity_id}/*", "d/{entity_id}/*", "e*f/*"}
	rapid.Check(t, func(t *rapid.T) {
		rules, spec := rolepolicy.Rules{}, map[string]levels.Perm{}
		for _, p := range rapid.SliceOfNDistinct(rapid.SampledFrom(patterns), 1, 6, rapid.ID).Draw(t, "patterns") {
			rules[p] = map[string][]string{}
			for _, who := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"guest", "authenticated", "entityidentity", "groupsx"}), 1, 4, rapid.ID).Draw(t, p) {
				if who == "entityidentity" && !strings.Contains(p, "{") {
					continue
				}
				actions := rapid.SliceOf(rapid.SampledFrom(words)).Draw(t, who)
				rules[p][who] = actions
				can, err := levels.ParsePerm(strings.Join(actions, ","))
				if err != nil {
					t.Fatal(err)
				}
				path := strings.ReplaceAll(strings.TrimSuffix(p, "*"), "{entity_id}/", "")
				if who == "entityidentity" {
					path = strings.ReplaceAll(strings.TrimSuffix(p, "*"), "{entity_id}", "me")
				}
				spec[path] |= levels.None
				if who == "authenticated" || who == "entityidentity" {
					spec[path] |= can
				}
			}
		}
		doc, err := rolepolicy.Paths(rules, "authenticated", rolepolicy.Options{Bucket: "b"})
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"a/f", "a/b/f", "a/bf", "c/f", "c/me/f", "c/you/f", "d/me/f", "d/you/f", "eXf/f", "f"} {
			want := longest(spec, key)
			for perm, action := range objectActions() {
				keys++
				if got := allowed(doc, request{action: action, resource: bucketARN + "/" + key, sub: "me"}); got != want.Has(perm) {
					t.Fatalf("%s of %q: %v, want %v\nrules %v\n%+v", action, key, got, want, rules, doc)
				}
			}
			dir := key[:strings.LastIndexByte(key, '/')+1]
			if got := allowed(doc, request{action: "s3:ListBucket", resource: bucketARN, prefix: dir, sub: "me"}); got != want.Has(levels.List) {
				t.Fatalf("list %q: %v, want %v\nrules %v\n%+v", dir, got, want, rules, doc)
			}
		}
	})
	t.Logf("%d questions about keys", keys)
}

// longest is what the rules say of a key; paths are without their last star.
func longest(spec map[string]levels.Perm, key string) levels.Perm {
	at, can := -1, levels.None
	for path, p := range spec {
		if under(path, key) && len(path) > at {
			at, can = len(path), p
		}
	}
	for path, p := range spec {
		if own := path + "me/"; under(own, key) {
			can |= p
		}
	}
	return can
}

// under: the one star in a path of the test stands for a name.
func under(path, key string) bool {
	if path == "e*f/" {
		return strings.HasPrefix(key, "e") && strings.Contains(key, "f/")
	}
	return strings.HasPrefix(key, path)
}
