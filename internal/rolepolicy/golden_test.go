package rolepolicy_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/internal/rolepolicy"
	"github.com/s3levelfs/s3levelfs/levels"
)

var update = flag.Bool("update", false, "write the golden files")

const crud = levels.Get | levels.Put | levels.Delete

// rendering is a document or why there is none.
type rendering func() (rolepolicy.Document, error)

func role(r rolepolicy.Role, o rolepolicy.Options) rendering {
	return func() (rolepolicy.Document, error) { return rolepolicy.New(r, o) }
}

func paths(who string, o rolepolicy.Options) rendering {
	rules := rolepolicy.Rules{
		"public/*":                {"guest": {"read"}, "authenticated": {"get", "list", "write", "delete"}},
		"public/news/*":           {"guest": {"get"}, "groupsadmin": {"read", "write"}},
		"protected/{entity_id}/*": {"authenticated": {"read"}, "entityidentity": {"read", "write", "delete"}},
		"private/{entity_id}/*":   {"entityidentity": {"read", "write", "delete"}},
	}
	return func() (rolepolicy.Document, error) { return rolepolicy.Paths(rules, who, o) }
}

// The statements are those of Amplify's documentation and templates, to the letter.
func TestGolden(t *testing.T) {
	const bucket, id = "my-bucket", "us-east-1:11111111-2222-3333-4444-555555555555"
	full := rolepolicy.Options{Bucket: bucket, Can: crud}
	for name, render := range map[string]rendering{
		"auth":           role(rolepolicy.Auth, full),
		"guest":          role(rolepolicy.Guest, full),
		"group":          role(rolepolicy.Group, full),
		"auth_create":    role(rolepolicy.Auth, rolepolicy.Options{Bucket: bucket, Can: levels.Put}),
		"guest_read":     role(rolepolicy.Guest, rolepolicy.Options{Bucket: bucket, Can: levels.Get}),
		"group_delete":   role(rolepolicy.Group, rolepolicy.Options{Bucket: bucket, Can: levels.Delete}),
		"auth_nothing":   role(rolepolicy.Auth, rolepolicy.Options{Bucket: bucket}),
		"auth_extras":    role(rolepolicy.Auth, rolepolicy.Options{Bucket: bucket, Can: crud, Multipart: true, Tagging: true}),
		"auth_prefixes":  role(rolepolicy.Auth, rolepolicy.Options{Bucket: bucket, Can: crud, Prefixes: levels.Prefixes{Public: new("shared"), Protected: new("50%*/"), Private: new("m$/")}}),
		"auth_literal":   role(rolepolicy.Auth, rolepolicy.Options{Bucket: bucket, Can: crud, IdentityID: id, Principals: []string{"arn:aws:iam::111122223333:role/auth"}}),
		"auth_china":     role(rolepolicy.Auth, rolepolicy.Options{Bucket: bucket, Can: levels.Put, Partition: "aws-cn"}),
		"paths_guest":    paths("guest", rolepolicy.Options{Bucket: bucket}),
		"paths_auth":     paths("authenticated", rolepolicy.Options{Bucket: bucket}),
		"paths_admin":    paths("groupsadmin", rolepolicy.Options{Bucket: bucket, Multipart: true}),
		"paths_auth_one": paths("authenticated", rolepolicy.Options{Bucket: bucket, IdentityID: id}),
	} {
		t.Run(name, func(t *testing.T) {
			d, err := render()
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			e := json.NewEncoder(&got)
			e.SetIndent("", "  ")
			if err := e.Encode(d); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", name+".json")
			if *update {
				if err := os.WriteFile(file, got.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	rule := func(path, who string, actions ...string) rolepolicy.Rules {
		return rolepolicy.Rules{path: {who: actions}}
	}
	of := func(r rolepolicy.Rules, who string) rendering {
		return func() (rolepolicy.Document, error) {
			return rolepolicy.Paths(r, who, rolepolicy.Options{Bucket: "b"})
		}
	}
	prefixed := func(p levels.Prefixes) rendering {
		return role(rolepolicy.Auth, rolepolicy.Options{Bucket: "b", Prefixes: p, Can: crud})
	}
	for want, render := range map[string]rendering{
		"no bucket is set: use --bucket":                             role(rolepolicy.Auth, rolepolicy.Options{}),
		`bucket "b/c" is no name of a bucket`:                        role(rolepolicy.Auth, rolepolicy.Options{Bucket: "b/c"}),
		`identity id "a/b" contains a slash`:                         role(rolepolicy.Auth, rolepolicy.Options{Bucket: "b", IdentityID: "a/b"}),
		"list goes with get":                                         role(rolepolicy.Auth, rolepolicy.Options{Bucket: "b", Can: levels.List}),
		`the protected prefix "protected/" is within the public`:     prefixed(levels.Prefixes{Public: new("")}),
		`the private prefix "public/p/" is within the public`:        prefixed(levels.Prefixes{Private: new("public/p/")}),
		`public prefix and protected prefix are both "x/"`:           prefixed(levels.Prefixes{Public: new("x/"), Protected: new("x/")}),
		"no rules of paths":                                          of(nil, "guest"),
		`role "editor" is not known`:                                 of(rule("a/*", "guest"), "editor"),
		`role "groups" is not known`:                                 of(rule("a/*", "guest"), "groups"),
		`path "a" does not end in /*`:                                of(rule("a", "guest"), "guest"),
		`path "/a/*" has an empty element`:                           of(rule("/a/*", "guest"), "guest"),
		`path "{entity_id}/*": {entity_id} is the last`:              of(rule("{entity_id}/*", "guest"), "guest"),
		`path "a/*", guest: grant "fly" is not known`:                of(rule("a/*", "guest", "fly"), "guest"),
		`path "a/b/c/*" is below "a/b/*" and "a/*": Amplify allows `: of(rolepolicy.Rules{"a/*": {"guest": nil}, "a/b/*": {"guest": nil}, "a/b/c/*": {"guest": nil}}, "guest"),
	} {
		if _, err := render(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v, want %q in it", err, want)
		}
	}
}

func TestParseCRUD(t *testing.T) {
	for s, want := range map[string]levels.Perm{
		"c,r,u,d": crud, "r": levels.Get, "create, read": levels.Get | levels.Put, "U": levels.Put, "delete": levels.Delete, "none": levels.None,
	} {
		if got, err := rolepolicy.ParseCRUD(s); err != nil || got != want {
			t.Errorf("%q: %v, %v", s, got, err)
		}
	}
	for _, s := range []string{"", "x", "r,,d", "crud"} {
		if _, err := rolepolicy.ParseCRUD(s); err == nil || !strings.Contains(err.Error(), "c,r,u,d") {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// Several principals in one bucket policy keep their statements apart.
func TestMerge(t *testing.T) {
	one, err := rolepolicy.New(rolepolicy.Guest, rolepolicy.Options{Bucket: "b", Can: levels.Put, Principals: []string{"p"}})
	if err != nil {
		t.Fatal(err)
	}
	var sids []string
	for _, s := range rolepolicy.Merge(one, one, one).Statement {
		sids = append(sids, s.Sid)
	}
	want := []string{"S3GuestPublicPolicy", "S3GuestUploadPolicy", "S3GuestPublicPolicy2", "S3GuestUploadPolicy2", "S3GuestPublicPolicy3", "S3GuestUploadPolicy3"}
	if diff := cmp.Diff(want, sids); diff != "" {
		t.Error(diff)
	}
}

// Grants of the whole set are those that package levels has by default.
func TestGrantsAreTheDefaults(t *testing.T) {
	for r, signedIn := range map[rolepolicy.Role]bool{rolepolicy.Auth: true, rolepolicy.Guest: false} {
		want := levels.DefaultGrants(signedIn)
		got := rolepolicy.Grants(r, crud)
		got[levels.Private] |= levels.None // named in the defaults, absent where nothing is granted
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}
