package levels

import (
	"slices"
	"strings"
)

// place is a prefix of keys that share their grants, and the directory of the
// mount that shows them. Layouts ([Options.Prefixes] and [Options.Paths]) differ
// in the places that they make; everything else is the same for both.
type place struct {
	prefix  string // every key of the place begins with it
	pattern string // of an app with path rules: as it was written

	dir   []string // names from the bucket's root to the place's directory
	shown bool     // else no path leads to the keys, which keeps them out of places around this one
	path  string   // of the directory in the mount, if shown

	level  Level  // of what lies below
	grants Perm   // on what lies below
	owner  string // whose keys these are, where they are one identity's
	owners bool   // the first element below is an identity, whose keys the rest are
	list   Perm   // of owners: what is granted on the directory itself
	linked bool   // the directory has the symlink Me
}

// dirNode is a directory that the policy makes: that of a place, or one on the way to it.
type dirNode struct {
	place *place   // nil = on the way
	names []string // of the directories in it that are shown, in the layout's order
	below map[string]*dirNode
	link  string // target of the symlink Me; "" = none
}

// at gives the directory at a path, and makes it.
func (n *dirNode) at(names []string) *dirNode {
	for _, name := range names {
		next := n.below[name]
		if next == nil {
			if n.below == nil {
				n.below = make(map[string]*dirNode)
			}
			next = &dirNode{}
			n.below[name], n.names = next, append(n.names, name)
		}
		n = next
	}
	return n
}

// build makes regions and directories of the places. only are the names of the
// directory that becomes the mount's root; it reports whether there is one.
func (p *Policy) build(places []*place, only []string) bool {
	p.root = &dirNode{}
	found := false
	for _, pl := range places {
		if !pl.shown {
			continue
		}
		if len(pl.dir) < len(only) || !slices.Equal(pl.dir[:len(only)], only) {
			pl.shown = false
			continue
		}
		found = true
		names := pl.dir[len(only):]
		pl.path = strings.Join(names, "/")
		p.root.at(names).place = pl
		if pl.level == ProtectedOwn && len(names) > 0 {
			p.root.at(names[:len(names)-1]).link = names[len(names)-1]
		}
	}
	for _, pl := range places {
		if pl.shown {
			pl.linked = p.root.at(pl.dir[len(only):]).link != ""
		}
	}
	p.regions = slices.Clone(places)
	slices.SortStableFunc(p.regions, func(a, b *place) int { return len(b.prefix) - len(a.prefix) })
	return found
}

// node gives the directory that the policy makes at a path, nil where it makes none.
func (p *Policy) node(path string) *dirNode {
	node := p.root
	for more := path != ""; more && node != nil; {
		var name string
		name, path, more = cut(path)
		node = node.below[name]
	}
	return node
}

// region gives the place that a key belongs to: that of the longest prefix which
// it begins with, shown or not; nil for none.
func (p *Policy) region(key string) *place {
	for _, pl := range p.regions {
		if strings.HasPrefix(key, pl.prefix) {
			return pl
		}
	}
	return nil
}

// owns reports whether what t denotes is the place's, as a file and as a directory, and
// not that of a longer prefix below it.
func (p *Policy) owns(pl *place, t Target) bool {
	return p.region(t.Key) == pl && p.region(t.DirPrefix()) == pl
}

// target is the place's own directory.
func (pl *place) target() Target {
	t := Target{
		Level: pl.level, Kind: Dir, Grants: pl.grants, Place: pl.pattern, Owner: pl.owner,
		Prefix: pl.prefix, Key: strings.TrimSuffix(pl.prefix, "/"),
	}
	if !pl.owners {
		return t
	}
	t.Grants = pl.list
	if !pl.list.Any(Put | Delete) {
		t.Level = Protected
	}
	if !t.Grants.Has(List) {
		t.Kind, t.Key, t.Prefix = Synthetic, "", ""
	}
	return t
}
