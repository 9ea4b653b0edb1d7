package amplify

import "strings"

// read tells the shapes apart by the keys that only one of them has.
func (r *reader) read(root cursor) {
	if root.n.kind == kindComputed {
		root.path = "the configuration"
		root.computed(root.n)
		return
	}
	if !root.as(kindObject) {
		root.fail("name the file that Amplify's tools have written", "is not an object")
		return
	}
	if len(root.n.members) == 0 && root.n.spread == nil {
		root.fail("run `amplify push` (Gen 1) or `npx ampx sandbox` (Gen 2), which write what the app has", "is the configuration of an app that has nothing yet (an empty object)")
		return
	}
	has := func(keys ...string) bool {
		n := root.n
		for _, k := range keys {
			if n = n.value(k); n == nil {
				return false
			}
		}
		return true
	}
	switch {
	case has("UserAgent"), has("auth", "plugins"), has("storage", "plugins"):
		r.app.Shape = ShapeMobile
		r.mobile(root)
	case has("version"), has("auth", "user_pool_id"), has("auth", "identity_pool_id"), has("storage", "bucket_name"), has("storage", "buckets"):
		r.app.Shape = ShapeOutputs
		r.outputs(root)
	case has("Auth"), has("Storage"):
		r.app.Shape = ShapeManual
		r.manual(root)
	case has("CredentialsProvider"), has("CognitoUserPool"), has("S3TransferUtility"):
		r.app.Shape = ShapeNative
		r.native(root, cursor{r: r}, cursor{r: r})
	case hasPrefix(root.n, "aws_"), root.n.spread != nil:
		r.app.Shape = ShapeExports
		r.exports(root)
	default:
		root.fail("name amplify_outputs.json, amplifyconfiguration.json, aws-exports.js, or a file with Auth and Storage", "is none of an Amplify app's configurations")
		return
	}
	r.pools()
}

func hasPrefix(n *node, prefix string) bool {
	for _, m := range n.members {
		if strings.HasPrefix(m.name, prefix) {
			return true
		}
	}
	return false
}

// pools checks the ids of the pools and takes the regions in them where the file names none. Each is easily taken for the other.
func (r *reader) pools() {
	a := r.app
	region, _, ok := strings.Cut(a.IdentityPool.ID, ":")
	if a.IdentityPool.ID != "" && (!ok || region == "") {
		r.badID("IdentityPool.ID", "identity pool", "us-east-1:11111111-2222-3333-4444-555555555555", a.IdentityPool.ID)
	}
	if a.IdentityPool.Region == "" {
		a.IdentityPool.Region = region
		r.same("IdentityPool.Region", "IdentityPool.ID")
	}
	region, _, ok = strings.Cut(a.UserPool.ID, "_")
	if a.UserPool.ID != "" && (!ok || region == "" || strings.Contains(a.UserPool.ID, ":")) {
		r.badID("UserPool.ID", "user pool", "us-east-1_AbCdEfGhI", a.UserPool.ID)
	}
	if a.UserPool.Region == "" {
		a.UserPool.Region = region
		r.same("UserPool.Region", "UserPool.ID")
	}
}

func (r *reader) badID(field, what, example, value string) {
	if r.err == nil {
		r.err = &Error{
			File: r.app.File, Line: r.app.Line(field), Key: what + " id",
			Problem: quote(value) + " is not the id of " + article(what), Mend: "write one such as " + example,
		}
	}
}

// same gives a field the origin of another.
func (r *reader) same(field, as string) {
	if line := r.app.Line(as); line > 0 {
		r.app.lines[field] = line
	}
}

// bucket begins the only bucket of a shape that knows one; its region may be the project's.
func (r *reader) bucket(name, region, testing cursor) {
	if !name.there() {
		return
	}
	var b Bucket
	name.str("Buckets[0].BucketName", &b.BucketName)
	region.str("Buckets[0].Region", &b.Region)
	if yes, ok := testing.yes(); ok {
		if yes {
			b.Endpoint, b.PathStyle = LocalEndpoint, true
		}
		testing.set("Buckets[0].Endpoint")
		testing.set("Buckets[0].PathStyle")
	}
	r.app.Buckets = []Bucket{b}
}

// guests notes what the file says of them.
func (c cursor) guests(allowed, denied bool) {
	switch {
	case allowed:
		c.r.app.Guests = GuestsAllowed
	case denied:
		c.r.app.Guests = GuestsDenied
	default:
		return
	}
	c.set("Guests")
}

// prefixes reads Amplify's customPrefix.
func (r *reader) prefixes(c cursor) {
	p := &r.app.Prefixes
	c.get("public").verbatim("Prefixes.Public", &p.Public)
	c.get("protected").verbatim("Prefixes.Protected", &p.Protected)
	c.get("private").verbatim("Prefixes.Private", &p.Private)
}

// level reads a default level; Amplify's version 6 says guest for public.
func (c cursor) level() {
	c.oneOf("DefaultLevel", &c.r.app.DefaultLevel,
		word{"public", "public"}, word{"guest", "public"}, word{"protected", "protected"}, word{"private", "private"})
}
