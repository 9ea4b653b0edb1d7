package perms

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/s3levelfs/s3levelfs/tests/rig"
)

// who is one account of the server with the identity that it signs in as.
type who struct {
	name, access, secret string
	identity             string // "" = a guest
}

// statement is one of a bucket policy.
type statement struct {
	Effect    string
	Principal map[string][]string
	Action    []string
	Resource  []string
	Condition map[string]map[string][]string `json:",omitempty"`
}

// rolePolicy renders Amplify's Auth_Role or Unauth_Role policy for one account
// as a bucket policy. Source: Amplify Storage guide, "Manual setup: IAM
// policies", with the list condition's prefixes of the CLI's template; the
// variable ${cognito-identity.amazonaws.com:sub} is the literal identity id.
func rolePolicy(w who) []statement {
	const arn = "arn:aws:s3:::" + rig.Bucket
	principal := map[string][]string{"AWS": {w.access}}
	allow := func(actions []string, resources ...string) statement {
		s := statement{Effect: "Allow", Principal: principal, Action: actions}
		for _, r := range resources {
			s.Resource = append(s.Resource, arn+"/"+r)
		}
		return s
	}
	crud := []string{"s3:GetObject", "s3:PutObject", "s3:DeleteObject"}
	prefixes := []string{"public/", "public/*", "protected/", "protected/*"}
	own := []string{"public/*"}
	if w.identity != "" {
		own = append(own, "protected/"+w.identity+"/*", "private/"+w.identity+"/*")
		prefixes = append(prefixes, "private/"+w.identity+"/", "private/"+w.identity+"/*")
	}
	list := statement{
		Effect: "Allow", Principal: principal, Action: []string{"s3:ListBucket"}, Resource: []string{arn},
		Condition: map[string]map[string][]string{"StringLike": {"s3:prefix": prefixes}},
	}
	return []statement{
		allow(crud, own...),
		allow([]string{"s3:PutObject"}, "uploads/*"),
		allow([]string{"s3:GetObject"}, "protected/*"),
		list,
	}
}

func bucketPolicy(t *testing.T, accounts []who) string {
	t.Helper()
	var all []statement
	for _, w := range accounts {
		all = append(all, rolePolicy(w)...)
	}
	text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": all})
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
