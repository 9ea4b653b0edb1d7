package perms

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/s3levelfs/s3levelfs/internal/rolepolicy"
	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/tests/rig"
)

// who is one account of the server with the identity that it signs in as.
type who struct {
	name, access, secret string
	identity             string // "" = a guest
}

// bucketPolicy renders Amplify's Auth_Role and Unauth_Role policies as the bucket policy of these accounts, with
// literal identity ids.
func bucketPolicy(t *testing.T, accounts []who) string {
	t.Helper()
	var docs []rolepolicy.Document
	for _, w := range accounts {
		role := rolepolicy.Auth
		if w.identity == "" {
			role = rolepolicy.Guest
		}
		d, err := rolepolicy.New(role, rolepolicy.Options{
			Bucket: rig.Bucket, Can: levels.Get | levels.Put | levels.Delete, IdentityID: w.identity, Principals: []string{w.access},
		})
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, d)
	}
	text, err := json.Marshal(rolepolicy.Merge(docs...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// granted reports whether the role's policy allows what a request asks.
func granted(w who, r rig.Request) bool {
	key := strings.TrimPrefix(strings.TrimPrefix(r.Path, "/"+rig.Bucket), "/")
	private, protected := "private/"+w.identity+"/", "protected/"+w.identity+"/"
	own := strings.HasPrefix(key, "public/") ||
		w.identity != "" && (strings.HasPrefix(key, protected) || strings.HasPrefix(key, private))
	switch {
	case key == "" && r.Method == "GET":
		p := r.Query.Get("prefix")
		return strings.HasPrefix(p, "public/") || strings.HasPrefix(p, "protected/") ||
			w.identity != "" && strings.HasPrefix(p, private)
	case key == "" && r.Method == "POST":
		return r.Query.Has("delete") // its keys are in the body; the server judges each
	case r.Method == "GET", r.Method == "HEAD":
		return own || strings.HasPrefix(key, "protected/")
	case r.Method == "PUT":
		return own || strings.HasPrefix(key, "uploads/")
	}
	return own
}
