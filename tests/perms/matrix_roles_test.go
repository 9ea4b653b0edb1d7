package perms

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/s3levelfs/s3levelfs/tests/rig"
)

const guestID = "us-east-1:99999999-2222-3333-4444-555555555555"

// matrixRole is an account of the server, the policy of its role, and how it mounts.
type matrixRole struct {
	name, identity string
	statements     []roleStatement
	options        []string
	rights         map[string]string // by place: which of l, g, p, d; a place that is missing has none
	untold         bool              // the mount takes Amplify's defaults for granted, until the server says otherwise
}

// roleStatement allows actions on what begins with the prefixes; {id} is the role's identity.
type roleStatement struct {
	actions  []string
	prefixes []string // of "list" without any: unconditionally
}

func (r matrixRole) access() string { return strings.ToUpper(strings.ReplaceAll(r.name, " ", "")) }
func (r matrixRole) secret() string { return r.access() + "-secret-0123456789" }

// other is somebody else's identity.
func (r matrixRole) other() string {
	if r.identity == bobID {
		return aliceID
	}
	return bobID
}

// matrixRoles are the roles of the acceptance's matrix, each with the policy that Amplify's guide, its command line
// or an app's owner gives it.
func matrixRoles() []matrixRole {
	list := roleStatement{[]string{"ListBucket"}, []string{"public/", "protected/"}}
	reads := roleStatement{[]string{"GetObject"}, []string{"public/", "protected/"}}
	crud := []string{"GetObject", "PutObject", "DeleteObject"}
	drop := roleStatement{[]string{"PutObject"}, []string{"uploads/"}}
	signedIn := []roleStatement{
		{crud, []string{"public/", "protected/{id}/", "private/{id}/"}},
		drop, reads, list,
		{[]string{"ListBucket"}, []string{"private/{id}/"}},
	}
	full := map[string]string{"public": "lgpd", "own": "lgpd", "other": "lg", "private": "lgpd", "uploads": "p"}
	readOnly := map[string]string{"public": "lg", "own": "lg", "other": "lg"}
	return []matrixRole{
		{
			name: "guest read-only", identity: guestID, rights: readOnly,
			statements: []roleStatement{reads, list},
			options:    []string{"--guest", "--grants", "public=read,uploads=none"},
		},
		{
			name: "guest read-only untold", identity: guestID, rights: readOnly, untold: true,
			statements: []roleStatement{reads, list},
			options:    []string{"--guest"},
		},
		{
			name: "guest without list", identity: guestID, // names are found by HEAD alone
			rights:     map[string]string{"public": "gp", "own": "g", "other": "g"},
			statements: []roleStatement{reads, {[]string{"PutObject"}, []string{"public/"}}},
			options:    []string{"--guest", "--grants", "public=get+put,others=get,uploads=none"},
		},
		{
			name: "guest CRUD", identity: guestID,
			rights:     map[string]string{"public": "lgpd", "own": "lg", "other": "lg", "uploads": "p"},
			statements: []roleStatement{{crud, []string{"public/"}}, drop, reads, list},
			options:    []string{"--guest"},
		},
		{
			name: "guest with own prefixes", identity: guestID, rights: full, statements: signedIn,
			options: []string{"--guest", "--identity-id", guestID, "--grants", "protected=all,private=all"},
		},
		{name: "owner", identity: aliceID, rights: full, statements: signedIn, options: []string{"--identity-id", aliceID}},
		{name: "other", identity: bobID, rights: full, statements: signedIn, options: []string{"--identity-id", bobID}},
		{
			name: "group member", identity: aliceID, // of a group of the command line's: create, update and read, in the whole bucket
			rights:     map[string]string{"public": "lgp", "own": "lgp", "other": "lgp", "private": "lgp", "uploads": "lgp", "outside": "lgp"},
			statements: []roleStatement{{[]string{"GetObject", "PutObject"}, []string{""}}, {[]string{"ListBucket"}, nil}},
			options: []string{
				"--identity-id", aliceID, "--grants",
				"public=read+write,protected=read+write,others=read+write,private=read+write,uploads=read+write",
			},
		},
	}
}

// matrixPolicy renders the roles' policies as that of the bucket.
func matrixPolicy(t *testing.T, roles []matrixRole) string {
	t.Helper()
	const arn = "arn:aws:s3:::" + rig.Bucket
	var statements []map[string]any
	for _, r := range roles {
		for _, s := range r.statements {
			one := map[string]any{"Effect": "Allow", "Principal": map[string]any{"AWS": []string{r.access()}}}
			var actions, resources, prefixes []string
			for _, a := range s.actions {
				actions = append(actions, "s3:"+a)
			}
			for _, p := range s.prefixes {
				p = strings.ReplaceAll(p, "{id}", r.identity)
				resources = append(resources, arn+"/"+p+"*")
				prefixes = append(prefixes, p, p+"*")
			}
			if s.actions[0] == "ListBucket" {
				resources = []string{arn}
				if prefixes != nil {
					one["Condition"] = map[string]any{"StringLike": map[string]any{"s3:prefix": prefixes}}
				}
			}
			one["Action"], one["Resource"] = actions, resources
			statements = append(statements, one)
		}
	}
	text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
