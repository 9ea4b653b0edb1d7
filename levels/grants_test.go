package levels_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/levels"
)

func TestParseGrants(t *testing.T) {
	guest, withID := levels.Identity{}, levels.Identity{ID: me}
	for _, c := range []struct {
		id   levels.Identity
		text string
		want map[levels.Level]levels.Perm // what differs from the default
	}{
		{guest, "", nil},
		{guest, "public=read", map[levels.Level]levels.Perm{levels.Public: read}},
		{guest, " public = list + get + put , uploads=none", map[levels.Level]levels.Perm{levels.Public: read | p, levels.Uploads: levels.None}},
		{guest, "others=get", map[levels.Level]levels.Perm{levels.ProtectedOther: g, levels.Protected: levels.None}},
		{withID, "protected=all,private=read+write", map[levels.Level]levels.Perm{levels.ProtectedOwn: levels.All, levels.Private: read | p}},
		{signedIn(), "public=read,private=none", map[levels.Level]levels.Perm{levels.Public: read, levels.Private: levels.None}},
	} {
		want := levels.DefaultGrants(c.id.Authenticated)
		maps.Copy(want, c.want)
		if c.want == nil {
			want = nil
		}
		got, err := levels.ParseGrants(c.text, c.id)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%q: %v\n%s", c.text, err, diff)
		}
	}
	for text, want := range map[string]string{
		"public":                  `"public" is no PLACE=RIGHTS`,
		"vault=all":               `"vault" is not known`,
		"public=rw":               `"rw" is not known`,
		"public=read,public=all":  "twice",
		"private=read":            "--identity-id",
		"protected=all":           "--identity-id",
		"public=list,get":         `"get" is no PLACE=RIGHTS`,
		"public=read,,others=all": `"" is no PLACE=RIGHTS`,
	} {
		got, err := levels.ParseGrants(text, guest)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, %v, want one line with %q", text, got, err, want)
		}
	}
}
