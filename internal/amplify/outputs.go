package amplify

import (
	"slices"
	"strings"
)

// outputs reads amplify_outputs.json of Gen 2. Source: the schemas of @aws-amplify/client-config, versions 1 to 1.5.
func (r *reader) outputs(c cursor) {
	a := r.app
	version := c.get("version")
	switch {
	case !version.there():
		cursor{r: r, line: c.line, path: "version"}.fail(`write "version": "1" as `+"`npx ampx generate outputs`"+` does`, "is missing")
	case version.as(kindString) && version.n.text != "1" && !strings.HasPrefix(version.n.text, "1."):
		version.fail("generate the file with `npx ampx generate outputs --outputs-version 1`, or update s3levelfs", "is %q, which is not known (1, 1.1 and so on are)", version.n.text)
	}
	auth := c.get("auth")
	auth.get("aws_region").or(c.get("storage", "aws_region")).str("Region", &a.Region)
	auth.get("identity_pool_id").str("IdentityPool.ID", &a.IdentityPool.ID)
	auth.get("user_pool_id").str("UserPool.ID", &a.UserPool.ID)
	auth.get("user_pool_client_id").str("UserPool.ClientID", &a.UserPool.ClientID)
	if guests := auth.get("unauthenticated_identities_enabled"); guests.there() {
		yes, ok := guests.yes()
		guests.guests(yes, ok && !yes)
	}
	auth.get("mfa_configuration").oneOf("MFA.Mode", &a.MFA.Mode, word{"NONE", "OFF"}, word{"OPTIONAL", "OPTIONAL"}, word{"REQUIRED", "ON"})
	a.MFA.Methods = auth.get("mfa_methods").list([]string{"SMS", "TOTP", "EMAIL"})
	a.UsernameAttributes = auth.get("username_attributes").list([]string{"email", "phone_number", "username"})
	r.groups(auth.get("groups"))
	if storage := c.get("storage"); storage.there() {
		r.storage(storage)
	}
}

// groups reads [{"admin": {"precedence": 0}}, …].
func (r *reader) groups(c cursor) {
	for _, item := range c.items() {
		for _, m := range item.members() {
			g := Group{Name: m.name}
			m.get("precedence").whole(&g.Precedence)
			if slices.ContainsFunc(r.app.Groups, func(o Group) bool { return o.Name == g.Name }) {
				m.fail("keep one of both", "is a group that is there already")
			}
			r.app.Groups = append(r.app.Groups, g)
		}
	}
	if len(r.app.Groups) > 0 {
		c.set("Groups")
	}
}

// storage reads the buckets; the one of storage.bucket_name is the first.
func (r *reader) storage(c cursor) {
	r.bucket(c.get("bucket_name"), c.get("aws_region"), cursor{r: r})
	if len(r.app.Buckets) == 0 {
		cursor{r: r, line: c.line, path: "storage.bucket_name"}.fail("generate the file again with `npx ampx generate outputs`", "is missing")
	}
	var all []named
	for _, item := range c.get("buckets").items() {
		if !item.as(kindObject) {
			continue
		}
		n := named{nameAt: item.get("name"), bucket: item.get("bucket_name"), region: item.get("aws_region"), paths: item.get("paths")}
		if n.nameAt.str("", &n.name); n.name == "" {
			item.fail("give it a name, as defineStorage does", "is a bucket without a name")
		}
		all = append(all, n)
	}
	if len(all) > 0 {
		r.buckets(all)
	}
}
