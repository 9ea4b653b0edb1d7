package rolepolicy

import (
	"errors"
	"fmt"
	"strings"

	"github.com/s3levelfs/s3levelfs/levels"
)

// Sub is the policy variable that stands for the identity id of whoever asks.
// Source: IAM user guide, "Available keys for web identity federation".
const Sub = "${cognito-identity.amazonaws.com:sub}"

// Role is whose policy is meant.
type Role int

// The roles of an identity pool.
const (
	Auth  Role = iota // signed in
	Guest             // not signed in ("unauth")
	Group             // members of a user pool's group
)

// Options say what a role's policy is about. Bucket is required.
type Options struct {
	Bucket string
	// Partition of AWS in ARNs; "" = aws.
	Partition string
	Prefixes  levels.Prefixes

	// Can is what the role may do with objects: a set of Get, Put and Delete.
	// List goes with Get, as in Amplify.
	Can levels.Perm

	// IdentityID is written instead of [Sub], for a policy of one identity.
	IdentityID string
	// Principals make it a bucket policy for these ARNs.
	Principals []string

	// Multipart adds to s3:PutObject what aborts an upload in parts and lists
	// its parts. Amplify's roles lack both: an upload that is given up stays in
	// the bucket, and is paid for, until a lifecycle rule aborts it.
	Multipart bool
	// Tagging adds reading and writing of objects' tags, which Amplify's roles lack.
	Tagging bool
}

// validate reports the first option that can not work.
func (o Options) validate() error {
	switch {
	case o.Bucket == "":
		return errors.New("no bucket is set: use --bucket NAME")
	case strings.ContainsAny(o.Bucket, "/*?$ "):
		return fmt.Errorf("bucket %q is no name of a bucket: give the name alone", o.Bucket)
	case strings.ContainsAny(o.IdentityID, "/"):
		return fmt.Errorf("identity id %q contains a slash: give the identity pool's id", o.IdentityID)
	case o.Can&^(levels.Get|levels.Put|levels.Delete) != levels.None:
		return fmt.Errorf("%s: list goes with get: it can not be given alone", o.Can)
	}
	return nil
}

func (o Options) bucketARN() string {
	partition := o.Partition
	if partition == "" {
		partition = "aws"
	}
	return "arn:" + partition + ":s3:::" + o.Bucket
}

// own is the element of a key that is the identity's own.
func (o Options) own() string {
	if o.IdentityID == "" {
		return Sub
	}
	return literal(o.IdentityID)
}

// ParseCRUD reads Amplify's words for what a role may do: a comma-separated set
// of c, u (or create, update: both s3:PutObject), r (read: get and list) and d
// (delete); "none" is none of them. Source: `amplify update storage`.
func ParseCRUD(s string) (levels.Perm, error) {
	can := levels.None
	for word := range strings.SplitSeq(s, ",") {
		switch strings.ToLower(strings.TrimSpace(word)) {
		case "none":
		case "c", "create", "u", "update":
			can |= levels.Put
		case "r", "read":
			can |= levels.Get
		case "d", "delete":
			can |= levels.Delete
		default:
			return levels.None, fmt.Errorf("%q is not a set of c, r, u and d: write them with commas between, such as r or c,r,u,d, or none", s)
		}
	}
	return can, nil
}

// Grants are the rights by level of a role with this policy, as package levels
// takes them. A group's members have theirs in the whole bucket.
func Grants(r Role, can levels.Perm) map[levels.Level]levels.Perm {
	full := can & (levels.Get | levels.Put | levels.Delete)
	if full.Has(levels.Get) {
		full |= levels.List
	}
	read := full & (levels.List | levels.Get)
	g := map[levels.Level]levels.Perm{
		levels.Public: full, levels.Uploads: full & levels.Put,
		levels.Protected: full & levels.List, levels.ProtectedOwn: read, levels.ProtectedOther: read,
	}
	switch r {
	case Auth:
		g[levels.ProtectedOwn], g[levels.Private] = full, full
	case Group:
		for _, l := range []levels.Level{levels.ProtectedOwn, levels.ProtectedOther, levels.Private, levels.Uploads} {
			g[l] = full
		}
	case Guest:
	}
	return g
}

// New renders the policy of a role. Its errors are those of configuration: one
// line with the value and the mend.
func New(r Role, o Options) (Document, error) {
	if err := o.validate(); err != nil {
		return Document{}, err
	}
	b := builder{Options: o}
	if r == Group {
		b.allow("S3GroupPolicy", o.Can, "*")
		b.listAll("S3GroupListPolicy")
		return b.document(), nil
	}
	p, err := o.places()
	if err != nil {
		return Document{}, err
	}
	own := "/*"
	who := "S3Guest"
	if r == Auth {
		who = "S3Auth"
	}
	b.allow(who+"PublicPolicy", o.Can, p.public+"*")
	if r == Auth {
		b.allow(who+"ProtectedPolicy", o.Can, p.protected+o.own()+own)
		b.allow(who+"PrivatePolicy", o.Can, p.private+o.own()+own)
	}
	b.allow(who+"UploadPolicy", o.Can&levels.Put, p.uploads+"*")
	b.allow(who+"ReadPolicy", o.Can&levels.Get, p.protected+"*")
	listed := []string{p.public, p.public + "*", p.protected, p.protected + "*"}
	if r == Auth {
		listed = append(listed, p.private+o.own()+"/", p.private+o.own()+own)
	}
	if o.Can.Has(levels.Get) {
		b.list(who+"ListPolicy", Allow, listed)
	}
	return b.document(), nil
}

// places are the levels' prefixes as patterns that match nothing but themselves.
type places struct{ public, protected, private, uploads string }

// places refuses prefixes of which one begins with another: the rights of the
// shorter one would reach into the other's keys, and no policy can take them
// back without taking the owner's.
func (o Options) places() (places, error) {
	if _, err := levels.New(levels.Identity{}, levels.Options{Prefixes: o.Prefixes}); err != nil {
		return places{}, err
	}
	def := func(s *string, d string) string {
		if s == nil {
			return d
		}
		return *s
	}
	all := []struct{ level, prefix string }{
		{"public", def(o.Prefixes.Public, "public/")},
		{"protected", def(o.Prefixes.Protected, "protected/")},
		{"private", def(o.Prefixes.Private, "private/")},
		{"uploads", def(o.Prefixes.Uploads, "uploads/")},
	}
	for _, a := range all {
		for _, b := range all {
			if a.level != b.level && strings.HasPrefix(b.prefix, a.prefix) {
				return places{}, fmt.Errorf("the %s prefix %q is within the %s prefix %q: a policy would give the rights of %s in both; choose prefixes apart",
					b.level, b.prefix, a.level, a.prefix, a.level)
			}
		}
	}
	return places{literal(all[0].prefix), literal(all[1].prefix), literal(all[2].prefix), literal(all[3].prefix)}, nil
}
