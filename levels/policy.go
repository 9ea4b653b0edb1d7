package levels

import (
	"errors"
	"fmt"
	"maps"
	"slices"
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

	// Only puts one level at the root: "public", "protected" or "private";
	// "" shows all.
	Only string

	Uploads bool // show uploads/
}

// Policy is the access model for one identity. It never changes.
type Policy struct {
	id      Identity
	grants  map[Level]Perm
	regions regions // longest prefix first
	only    Level   // Root: all levels
	uploads bool
}

// New makes the policy. Its errors are configuration errors: one line that
// names the value and the mend.
func New(id Identity, o Options) (*Policy, error) {
	if err := id.validate(); err != nil {
		return nil, err
	}
	rs := o.Prefixes.regions()
	if err := rs.validate(id.ID); err != nil {
		return nil, err
	}
	p := &Policy{id: id, regions: rs.sorted(), uploads: o.Uploads}
	switch o.Only {
	case "":
	case Public.String():
		p.only = Public
	case Protected.String():
		p.only = Protected
	case Private.String():
		if id.ID == "" {
			return nil, errors.New("level private needs an identity id: sign in or give --identity-id")
		}
		p.only = Private
	default:
		return nil, fmt.Errorf("level %q is not known: use public, protected or private", o.Only)
	}
	if p.grants = maps.Clone(o.Grants); p.grants == nil {
		p.grants = DefaultGrants(id.Authenticated)
	} else if _, set := p.grants[Protected]; !set {
		p.grants[Protected] = p.grants[ProtectedOther]
	}
	p.grants[Protected] &= List // there is nothing else to be granted on a list of identities
	p.grants[Root] = List
	return p, nil
}

// Identity is whom the policy is for.
func (p *Policy) Identity() Identity { return p.id }

// hasPrivate: somebody without an id has no private directory, and a guest only
// one whose role grants something there.
func (p *Policy) hasPrivate() bool {
	return p.id.ID != "" && (p.id.Authenticated || p.only == Private || p.grants[Private] != None)
}

// prefix is the prefix of a level's keys; owner matters in protected alone.
func (p *Policy) prefix(l Level, owner string) string {
	switch l {
	case Protected:
		return p.regions.prefix(Protected)
	case ProtectedOwn, ProtectedOther:
		return p.regions.prefix(Protected) + owner + "/"
	case Private:
		return p.regions.prefix(Private) + p.id.ID + "/"
	case Public, Uploads:
		return p.regions.prefix(l)
	case Root:
	}
	return ""
}

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
	add := func(l Level, show bool, owner string) {
		if show {
			out = append(out, LevelPrefix{Level: l, Prefix: p.prefix(l, owner), Grants: p.grants[l]})
		}
	}
	shown := func(l Level) bool { return p.only == Root || p.only == l }
	for _, r := range p.regions {
		switch r.level {
		case Public:
			add(Public, shown(Public), "")
		case Protected:
			add(ProtectedOwn, shown(Protected) && p.id.ID != "", p.id.ID)
			if shown(Protected) {
				out = append(out, LevelPrefix{Level: ProtectedOther, Prefix: r.prefix, Grants: p.grants[ProtectedOther]})
			}
		case Private:
			add(Private, shown(Private) && p.hasPrivate(), "")
		case Uploads:
			add(Uploads, p.only == Root && p.uploads, "")
		case Root, ProtectedOwn, ProtectedOther:
		}
	}
	slices.SortStableFunc(out, func(a, b LevelPrefix) int { return len(b.Prefix) - len(a.Prefix) })
	return out
}

// level gives the level of a directory name in the root.
func (p *Policy) level(name string) (Level, bool) {
	for _, l := range []Level{Public, Protected, Private, Uploads} {
		if name != l.String() {
			continue
		}
		return l, l != Private && l != Uploads || l == Private && p.hasPrivate() || l == Uploads && p.uploads
	}
	return Root, false
}

// cut splits a path into its first element and the rest.
func cut(path string) (first, rest string, more bool) {
	return strings.Cut(path, "/")
}
