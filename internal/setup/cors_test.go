package setup_test

import (
	"encoding/xml"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/s3levelfs/s3levelfs/internal/setup"
	"github.com/s3levelfs/s3levelfs/store/s3store"
)

func TestMergeCORS(t *testing.T) {
	want := setup.AmplifyCORS(nil, []string{"x-amz-meta-author", "etag"})
	if diff := cmp.Diff([]string{"x-amz-server-side-encryption", "x-amz-request-id", "x-amz-id-2", "ETag", "x-amz-version-id", "x-amz-meta-author"}, want.ExposeHeaders); diff != "" {
		t.Error(diff)
	}
	other := s3store.CORSRule{ID: "theirs", AllowedMethods: []string{"GET"}, AllowedOrigins: []string{"https://theirs"}, ExposeHeaders: []string{"x"}}
	age := int32(5)
	own := s3store.CORSRule{ID: setup.CORSRuleID, AllowedMethods: []string{"GET", "PATCH"}, AllowedOrigins: []string{"https://*.old"}, AllowedHeaders: []string{"x-*"}, MaxAgeSeconds: &age}

	merged, changes, err := setup.MergeCORS([]s3store.CORSRule{other}, want)
	if diff := cmp.Diff([]s3store.CORSRule{other, want}, merged); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if diff := cmp.Diff([]string{"adds rule S3CORSRuleId1 for *"}, changes); diff != "" {
		t.Error(diff)
	}
	if again, changes, err := setup.MergeCORS(merged, want); len(changes) > 0 || err != nil || cmp.Diff(merged, again) != "" {
		t.Errorf("a second time: %v, %v", changes, err)
	}

	merged, changes, err = setup.MergeCORS([]s3store.CORSRule{own, other}, setup.AmplifyCORS([]string{"https://*.old"}, nil))
	if err != nil {
		t.Fatal(err)
	}
	wantOwn := s3store.CORSRule{
		ID: setup.CORSRuleID, AllowedMethods: []string{"GET", "PATCH", "HEAD", "PUT", "POST", "DELETE"}, AllowedOrigins: []string{"https://*.old"},
		AllowedHeaders: []string{"x-*", "*"}, ExposeHeaders: want.ExposeHeaders[:5], MaxAgeSeconds: &age,
	}
	if diff := cmp.Diff([]s3store.CORSRule{wantOwn, other}, merged); diff != "" {
		t.Error(diff)
	}
	if len(changes) != 3 || changes[0] != "rule S3CORSRuleId1 gains methods HEAD, PUT, POST, DELETE" || changes[1] != "rule S3CORSRuleId1 gains request headers *" {
		t.Errorf("%q", changes)
	}

	// What the own rule lets one origin do is not opened to another.
	merged, changes, err = setup.MergeCORS([]s3store.CORSRule{own, other}, setup.AmplifyCORS([]string{"https://new"}, nil))
	if err != nil || len(merged) != 3 || cmp.Diff(own, merged[0]) != "" || merged[2].ID != "S3CORSRuleId2" || changes[0] != "adds rule S3CORSRuleId2 for https://new" {
		t.Errorf("%+v, %q, %v", merged, changes, err)
	}
	if _, _, err := setup.MergeCORS(make([]s3store.CORSRule, 100), want); err == nil || !strings.Contains(err.Error(), "100 CORS rules") {
		t.Error(err)
	}
}

// Whatever a bucket has stays allowed, what is wanted is allowed then, and a second merge changes nothing.
func TestMergeCORSLosesNothing(t *testing.T) {
	origins := []string{"*", "https://a", "https://*.b", "https://x.b", "http://c:1"}
	headers := []string{"*", "x-amz-*", "content-type", "X-Amz-Date"}
	subset := func(t *rapid.T, from []string, name string) []string {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(from), 1, len(from), rapid.ID).Draw(t, name)
	}
	rapid.Check(t, func(t *rapid.T) {
		var rules []s3store.CORSRule
		for range rapid.IntRange(0, 4).Draw(t, "rules") {
			rules = append(rules, s3store.CORSRule{
				ID:             rapid.SampledFrom([]string{"", "theirs", setup.CORSRuleID}).Draw(t, "id"),
				AllowedMethods: subset(t, setup.CORSMethods(), "methods"), AllowedOrigins: subset(t, origins, "origins"),
				AllowedHeaders: subset(t, headers, "headers"), ExposeHeaders: subset(t, []string{"ETag", "etag", "date"}, "exposed"),
			})
		}
		want := setup.AmplifyCORS(subset(t, origins, "wanted"), nil)
		merged, _, err := setup.MergeCORS(rules, want)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range rules {
			if r.ID != setup.CORSRuleID && cmp.Diff(r, merged[i]) != "" {
				t.Fatalf("a rule of others has changed: %+v, %+v", r, merged[i])
			}
		}
		for _, origin := range []string{"https://a", "https://x.b", "http://c:1", "https://q"} {
			for _, method := range setup.CORSMethods() {
				for _, header := range []string{"", "x-amz-date", "Content-Type"} {
					before, after := setup.Covered(rules, origin, method, header), setup.Covered(merged, origin, method, header)
					wanted := setup.Covered([]s3store.CORSRule{want}, origin, method, header)
					if (before.Allowed || wanted.Allowed) != after.Allowed {
						t.Fatalf("%s %s %q: before %v, wanted %v, after %v\n%+v", origin, method, header, before, wanted, after, merged)
					}
				}
			}
		}
		if _, changes, _ := setup.MergeCORS(merged, want); len(changes) > 0 {
			t.Fatalf("a second time: %v", changes)
		}
	})
}

func TestHidden(t *testing.T) {
	want := setup.AmplifyCORS([]string{"https://a"}, nil)
	first := s3store.CORSRule{ID: "first", AllowedMethods: []string{"GET"}, AllowedOrigins: []string{"*"}, ExposeHeaders: []string{"etag"}}
	got := setup.Hidden([]s3store.CORSRule{first, want}, want)
	if len(got) != 1 || !strings.Contains(got[0], `rule "first" comes first for GET from https://a and does not expose x-amz-server-side-encryption, x-amz-request-id, x-amz-id-2, x-amz-version-id`) {
		t.Errorf("%q", got)
	}
	if got := setup.Hidden([]s3store.CORSRule{want, first}, want); got != nil {
		t.Errorf("%q", got)
	}
}

// The first rule that fits decides, also of what is exposed.
func TestCovered(t *testing.T) {
	rules := []s3store.CORSRule{
		{ID: "first", AllowedMethods: []string{"GET"}, AllowedOrigins: []string{"https://*.example"}, AllowedHeaders: []string{"X-Amz-*"}},
		setup.AmplifyCORS(nil, nil),
	}
	for _, tt := range []struct{ origin, method, header, rule string }{
		{"https://app.example", "GET", "", "first"},
		{"https://app.example", "GET", "x-amz-date", "first"},
		{"https://app.example", "GET", "content-type", setup.CORSRuleID},
		{"https://example", "GET", "", setup.CORSRuleID},
		{"https://app.example", "PUT", "", setup.CORSRuleID},
		{"https://app.example", "PATCH", "", ""},
	} {
		if got := setup.Covered(rules, tt.origin, tt.method, tt.header); got.Rule != tt.rule || got.Allowed != (tt.rule != "") {
			t.Errorf("%+v: %+v", tt, got)
		}
	}
}

func TestCORSXML(t *testing.T) {
	text, err := setup.CORSXML([]s3store.CORSRule{setup.AmplifyCORS([]string{"https://a&b"}, nil)})
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		`<CORSConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`, "<ID>S3CORSRuleId1</ID>", "<AllowedHeader>*</AllowedHeader>",
		"<AllowedOrigin>https://a&amp;b</AllowedOrigin>", "<ExposeHeader>ETag</ExposeHeader>", "<MaxAgeSeconds>3000</MaxAgeSeconds>",
	} {
		if !strings.Contains(string(text), part) {
			t.Errorf("no %s in %s", part, text)
		}
	}
	if err := xml.Unmarshal(text, new(struct{})); err != nil {
		t.Error(err)
	}
}

func TestCheckOrigin(t *testing.T) {
	for _, o := range []string{"*", "https://app.example.com", "http://localhost:3000", "https://*.example.com"} {
		if err := setup.CheckOrigin(o); err != nil {
			t.Error(err)
		}
	}
	for _, o := range []string{"", "app.example.com", "https://", "https://a/", "https://a, https://b", "https://*.*"} {
		if err := setup.CheckOrigin(o); err == nil || !strings.Contains(err.Error(), "https://app.example.com") {
			t.Errorf("%q: %v", o, err)
		}
	}
}
