package levels

import (
	"errors"
	"fmt"
	"maps"
	"strings"
)

// Bounds of names and keys, in bytes.
const (
	MaxName = 255  // of one path element: NAME_MAX
	MaxKey  = 1024 // of a key: S3 user guide, "Naming Amazon S3 objects"
)

// ErrNameTooLong is the failure of a path whose element is longer than
// [MaxName] or whose key is longer than [MaxKey].
var ErrNameTooLong = errors.New("name is too long")

// Options choose what a [Policy] shows.
type Options struct {
	// Grants by level; nil is [DefaultGrants]. In a map that is not nil a
	// missing level has no grants, but for Protected, whose List (may the
	// identities be listed) is then that of ProtectedOther.
	Grants map[Level]Perm

	Prefixes Prefixes

	// Paths are the access rules of an app without levels (Amplify Gen 2). Where there
	// are any they are layout and grants: Grants and Prefixes must be unset, and
	// Uploads means nothing.
	Paths []PathRule

	// MergeGroups lets members of a group with rules read what all who are signed in may
	// read, as Amplify's own listing of locations does since 6.15. It is for apps
	// whose group roles grant that, too: Amplify's do not.
	MergeGroups bool

	// Only puts one level at the root: "public", "protected" or "private", with
	// Paths any directory; "" shows all.
	Only string

	Uploads bool // show uploads/
}

// Policy is the access model for one identity. It never changes.
type Policy struct {
	id      Identity
	regions []*place // longest prefix first
	root    *dirNode
}

// New makes the policy. Its errors are configuration errors: one line that
// names the value and the mend.
func New(id Identity, o Options) (*Policy, error) {
	if err := id.validate(); err != nil {
		return nil, err
	}
	if len(o.Paths) > 0 {
		return newPaths(id, o)
	}
	if err := o.Prefixes.validate(id.ID); err != nil {
		return nil, err
	}
	var only []string
	switch o.Only {
	case "":
	case Public.String(), Protected.String(), Private.String():
		only = []string{o.Only}
	default:
		return nil, fmt.Errorf("level %q is not known: use public, protected or private", o.Only)
	}
	if o.Only == Private.String() && id.ID == "" {
		return nil, errors.New("level private needs an identity id: sign in or give --identity-id")
	}
	p := &Policy{id: id}
	p.build(o.layout(id, o.grants(id)), only)
	return p, nil
}

// grants are those of all levels.
func (o Options) grants(id Identity) map[Level]Perm {
	grants := maps.Clone(o.Grants)
	if grants == nil {
		grants = DefaultGrants(id.Authenticated)
	} else if _, set := grants[Protected]; !set {
		grants[Protected] = grants[ProtectedOther]
	}
	grants[Protected] &= List // there is nothing else to be granted on a list of identities
	return grants
}

// Identity is whom the policy is for.
func (p *Policy) Identity() Identity { return p.id }

// LevelPrefix is a prefix of keys that share their grants.
type LevelPrefix struct {
	Level  Level
	Prefix string // every key of the level begins with it
	Grants Perm
}

// Writable reports whether anything can be written or deleted there: only such
// prefixes are worth a probe.
func (l LevelPrefix) Writable() bool { return l.Grants.Any(Put | Delete) }

// LevelPrefixes lists what the mount shows, the longest prefix first, so that
// the first one that a key begins with is the key's.
func (p *Policy) LevelPrefixes() []LevelPrefix {
	var out []LevelPrefix
	for _, pl := range p.regions {
		if pl.shown {
			out = append(out, LevelPrefix{Level: pl.level, Prefix: pl.prefix, Grants: pl.grants})
		}
	}
	return out
}

// cut splits a path into its first element and the rest.
func cut(path string) (first, rest string, more bool) {
	return strings.Cut(path, "/")
}
