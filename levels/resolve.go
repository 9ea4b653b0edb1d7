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
	Synthetic Kind = iota // a directory that no listing backs: the root; protected/ where identities can not be listed
	Dir                   // a level's own directory: always there, listed by Target.Prefix, never removed
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

	Prefix string // of the level: every key of it begins with it
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

// Mode gives the permission bits of the target as a file or a directory.
func (t Target) Mode(dir bool) uint32 { return ModeOf(t.Level, t.Grants, dir) }

// Named is an entry of a directory that exists without any object.
type Named struct {
	Name   string
	Target Target
}

// Roots lists the entries of the mount's root that the policy alone makes.
func (p *Policy) Roots() []Named {
	root, err := p.Resolve("")
	if err != nil { // the root always resolves
		return nil
	}
	return p.Entries(root)
}

// Entries lists what the policy alone puts into a directory: the levels into
// the root; the own directory and the symlink to it into protected/, whether
// stored or not. Listings may show the own directory as well. The symlink
// hides whatever else has its name.
func (p *Policy) Entries(t Target) []Named {
	switch {
	case t.Kind == Synthetic && t.Level == Root:
		var out []Named
		for _, l := range []Level{Public, Protected, Private, Uploads} {
			if _, shown := p.level(l.String()); shown {
				out = append(out, Named{Name: l.String(), Target: p.dir(l, "")})
			}
		}
		return out
	case t.Level == Protected && t.Kind != Symlink && p.id.ID != "":
		return []Named{
			{Name: Escape(p.id.ID), Target: p.dir(ProtectedOwn, p.id.ID)},
			{Name: Me, Target: p.me()},
		}
	}
	return nil
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
	level, rest, more := p.only, path, path != ""
	if level == Root {
		if path == "" {
			return Target{Level: Root, Kind: Synthetic, Grants: List}, nil
		}
		var name string
		var shown bool
		name, rest, more = cut(path)
		if level, shown = p.level(name); !shown {
			return Target{}, fs.ErrNotExist
		}
	}
	if !more {
		return p.dir(level, ""), nil
	}
	if level == Protected && p.id.ID != "" {
		first, below, deep := cut(rest)
		switch {
		case first == Me && deep:
			return Target{}, fs.ErrNotExist
		case first == Me:
			return p.me(), nil
		case first == Escape(p.id.ID) && !deep:
			return p.dir(ProtectedOwn, p.id.ID), nil
		case first == Escape(p.id.ID):
			return p.entry(p.dir(ProtectedOwn, p.id.ID), below)
		}
	}
	return p.entry(p.dir(level, ""), rest)
}

// dir is a level's own directory. Private's owner is the identity.
func (p *Policy) dir(l Level, owner string) Target {
	if l == Private {
		owner = p.id.ID
	}
	prefix := p.prefix(l, owner)
	t := Target{
		Level: l, Kind: Dir, Grants: p.grants[l], Owner: owner,
		Prefix: prefix, Key: strings.TrimSuffix(prefix, "/"),
	}
	if l == Protected && !t.Grants.Has(List) {
		t.Kind, t.Key, t.Prefix = Synthetic, "", ""
	}
	return t
}

func (p *Policy) me() Target {
	return Target{Level: Protected, Kind: Symlink, Grants: p.grants[Protected], Owner: p.id.ID, Link: Escape(p.id.ID)}
}

// entry resolves what lies below a level's directory.
func (p *Policy) entry(dir Target, path string) (Target, error) {
	t := dir
	t.Kind = Entry
	t.Prefix = p.prefix(dir.Level, dir.Owner)
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
		if dir.Level == Protected && depth == 0 { // the element is an identity
			t.Level, t.Owner = ProtectedOther, element
			t.Grants = p.grants[ProtectedOther]
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
	if !p.owns(t.Level, t.Key) || !p.owns(t.Level, t.DirPrefix()) {
		return Target{}, fs.ErrNotExist
	}
	return t, nil
}

// owns reports whether a key that begins with the level's prefix is the level's,
// and not that of a longer prefix below it.
func (p *Policy) owns(l Level, key string) bool {
	switch l {
	case Public, Private, Uploads:
		return p.regions.of(key) == l
	case Protected, ProtectedOwn, ProtectedOther:
		return p.regions.of(key) == Protected
	case Root:
	}
	return false
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

// Follow replaces a leading protected/me by the own directory, as the kernel
// does for a mount; other paths are returned as they are.
func (p *Policy) Follow(path string) string {
	if p.id.ID == "" {
		return path
	}
	at := ""
	switch p.only {
	case Root:
		at = Protected.String() + "/"
	case Protected:
	default:
		return path
	}
	rest, in := strings.CutPrefix(path, at+Me)
	if !in || rest != "" && rest[0] != '/' {
		return path
	}
	return at + Escape(p.id.ID) + rest
}
