package levels

import (
	"fmt"
	"io/fs"
	"strings"
)

// Kind says what a path is by the policy alone, whatever is stored.
type Kind uint8

// The kinds.
const (
	Synthetic Kind = iota // a directory that no listing backs: the root; protected/ where identities can not be listed; what only leads to a path
	Dir                   // a level's own directory, or one in it that leads to another path's: always there, listed by Target.Prefix, never removed
	Entry                 // a file or directory below one, which exists if the store (or vfs's overlay) says so
	Symlink               // protected/me
)

// Target is what a path stands for.
type Target struct {
	Level  Level
	Kind   Kind
	Grants Perm

	// Key is the object's key; for a directory the key of its marker without
	// the trailing slash, but for a directory whose name is empty (a/‛2F),
	// which keeps it. "" for Synthetic and Symlink. Of a Dir it is Prefix
	// without its trailing slash, and no key of the level.
	Key string

	Place  string // the pattern of the path rules that the target is of; "" without such rules
	Prefix string // of the level: every key of it begins with it; of a Dir its own keys'
	Owner  string // identity id of protected/<id> and private
	Link   string // of a Symlink: its target, relative to its directory

	// Parent and Name are, for an Entry, the prefix whose delimited listing
	// shows it and its element in there: Key is Parent + Name (and the slash
	// of a nameless directory).
	Parent, Name string

	// Foreign: the name denotes what other programs made (see Names in the
	// package's doc). It must never be created, and what it denotes must exist.
	Foreign bool

	// Beside: the name is that of the file Key which stands beside a directory
	// of the same name; where there is no such pair it denotes nothing.
	Beside bool
}

// DirPrefix is the prefix of all keys below the target as a directory, "" for
// Synthetic and Symlink (and for a level whose verbatim prefix is empty). It ends
// in a slash but for a level with a verbatim prefix that has none.
func (t Target) DirPrefix() string {
	switch t.Kind {
	case Dir:
		return t.Prefix
	case Entry:
		if strings.HasSuffix(t.Key, "/") {
			return t.Key
		}
		return t.Key + "/"
	case Synthetic, Symlink:
	}
	return ""
}

// DirKey is the key of the target's marker as a directory, without the slash that ends it: Key, but for a directory whose name
// is empty, of which it ends in the slash of the directory around it ("a/" of a//).
func (t Target) DirKey() string { return strings.TrimSuffix(t.DirPrefix(), "/") }

// Mode gives the permission bits of the target as a file or a directory.
func (t Target) Mode(dir bool) uint32 {
	if t.Kind == Synthetic {
		return ModeOf(Root, List, dir) // its entries are the policy's own, whatever is granted below
	}
	return ModeOf(t.Level, t.Grants, dir)
}

// Named is an entry of a directory that exists without any object.
type Named struct {
	Name   string
	Target Target
}

// Roots lists the entries of the mount's root that the policy alone makes.
func (p *Policy) Roots() []Named { return p.Entries("") }

// Entries lists what the policy alone puts into the directory at a path: the levels into
// the root; the own directory and the symlink to it into protected/, whether
// stored or not; with path rules the directories of paths below. Listings may show the directories as well. The symlink
// hides whatever else has its name.
func (p *Policy) Entries(path string) []Named {
	node, at := p.node(path), ""
	if node == nil {
		return nil
	}
	if path != "" {
		at = path + "/"
	}
	var out []Named
	for _, name := range node.names {
		if t, err := p.resolve(at + name); err == nil { // these always resolve
			out = append(out, Named{name, t})
		}
	}
	if node.link != "" {
		out = append(out, Named{Me, p.me(node)})
	}
	return out
}

// Resolve gives what a path stands for. The path is relative to the mount,
// without leading or trailing slash; "" is the root. Names are unescaped into
// key bytes.
//
// Errors: [fs.ErrNotExist] where the path is outside of what the identity has,
// which includes everything below a symlink and below a file's beside-name;
// [fs.ErrInvalid] for what is no path (empty and dot elements, 0x00) or not a
// key's name; [ErrNameTooLong].
func (p *Policy) Resolve(path string) (Target, error) {
	t, err := p.resolve(path)
	if err != nil {
		return Target{}, fmt.Errorf("resolve %q: %w", path, err)
	}
	return t, nil
}

func (p *Policy) resolve(path string) (Target, error) {
	node, rest, more := p.root, path, path != ""
	var nearest *place // around the path
	var inside string  // what follows below its directory
	for {
		if node.place != nil {
			nearest, inside = node.place, rest
		}
		if !more {
			break
		}
		name, below, deep := cut(rest)
		if name == Me && node.link != "" {
			if deep {
				return Target{}, fs.ErrNotExist
			}
			return p.me(node), nil
		}
		next := node.below[name]
		if next == nil {
			break
		}
		node, rest, more = next, below, deep
	}
	switch {
	case !more && node.place != nil:
		return node.place.target(), nil
	case nearest == nil && !more:
		return Target{Level: Root, Kind: Synthetic, Grants: List}, nil
	case nearest == nil:
		return Target{}, fs.ErrNotExist
	}
	t, err := p.entry(nearest, inside)
	if err == nil && !more {
		t.onTheWay()
	}
	return t, err
}

// onTheWay makes the target of a directory in a place that leads to another place: it is always there.
func (t *Target) onTheWay() {
	t.Kind, t.Prefix = Dir, t.DirPrefix()
	t.Parent, t.Name = "", ""
	if !t.Grants.Has(List) {
		t.Kind, t.Key, t.Prefix = Synthetic, "", ""
	}
}

// me is the symlink to the own directory.
func (p *Policy) me(in *dirNode) Target {
	t := Target{Level: Protected, Kind: Symlink, Grants: List, Owner: p.id.ID, Link: in.link}
	if in.place != nil {
		t.Grants, t.Place = in.place.list, in.place.pattern
	}
	return t
}

// entry resolves what lies below a place's directory.
func (p *Policy) entry(pl *place, path string) (Target, error) {
	t := Target{Level: pl.level, Kind: Entry, Grants: pl.grants, Place: pl.pattern, Owner: pl.owner, Prefix: pl.prefix}
	var key strings.Builder
	key.WriteString(t.Prefix)
	for more, depth := true, 0; more; depth++ {
		var name string
		if name, path, more = cut(path); len(name) > MaxName {
			return Target{}, ErrNameTooLong
		}
		element, beside, foreign, err := unescape(name)
		if err != nil {
			return Target{}, err
		}
		if beside && more { // a file has nothing below it
			return Target{}, fs.ErrNotExist
		}
		if pl.owners && depth == 0 { // the element is an identity
			t.Owner = element
			t.Prefix += element + "/"
		}
		t.Parent, t.Name = key.String(), element
		t.Beside, t.Foreign = beside, t.Foreign || foreign
		key.WriteString(element)
		if more || element == "" {
			key.WriteByte('/')
		}
	}
	if t.Key = key.String(); len(t.Key) > MaxKey {
		return Target{}, ErrNameTooLong
	}
	if !p.owns(pl, t) {
		return Target{}, fs.ErrNotExist
	}
	return t, nil
}

// Check reports whether want is granted on path: [fs.ErrPermission] if not, else
// what [Policy.Resolve] says. Directories that the policy makes can be listed
// as granted and nothing else; the symlink can be read (Get, List).
func (p *Policy) Check(path string, want Perm) error {
	t, err := p.Resolve(path)
	if err != nil {
		return err
	}
	has := t.Grants
	switch t.Kind {
	case Synthetic:
		has = List // its entries are the policy's own
	case Symlink:
		has = List | Get
	case Dir, Entry:
	}
	if !has.Has(want) {
		return fmt.Errorf("%q: %s is not granted: %w", path, want&^has, fs.ErrPermission)
	}
	return nil
}

// Follow replaces a protected/me in front by the own directory, as the kernel
// does for a mount; other paths are returned as they are.
func (p *Policy) Follow(path string) string {
	node, at, rest := p.root, "", path
	for {
		name, below, deep := cut(rest)
		if name == Me && node.link != "" {
			at += node.link
			if deep {
				at += "/" + below
			}
			return at
		}
		next := node.below[name]
		if next == nil || !deep {
			return path
		}
		node, at, rest = next, at+name+"/", below
	}
}
