package levels

import (
	"slices"
	"strings"
)

// PathOf gives the path of a key. It is the inverse of Resolve: a key that ends
// in a slash is the marker of a directory and gives the directory's path, and
// the prefix of a level gives that of the level's directory.
//
// ok is false where no path leads to the key: it is outside of what the policy
// shows, in somebody else's private directory, hidden behind protected/me, or
// longer than names and keys may be.
func (p *Policy) PathOf(key string) (path string, ok bool) {
	if len(key) > MaxKey+1 || len(key) == MaxKey+1 && !strings.HasSuffix(key, "/") {
		return "", false
	}
	pl := p.region(key)
	if pl == nil || !pl.shown {
		return "", false
	}
	rest := key[len(pl.prefix):]
	if rest == "" {
		return pl.path, pl.target().Kind == Dir
	}
	name := strings.TrimSuffix(key, "/")
	if p.region(name+"/") != pl {
		return "", false
	}
	if element, whole := strings.CutSuffix(rest, "/"); whole {
		rest = element
		if element != "" && p.region(name) != pl {
			return "", false
		}
	}
	path, ok = pl.names(rest)
	if ok && !pl.grants.Has(List) && p.node(path) != nil { // a directory on the way to another place, which no key backs
		return "", false
	}
	return path, ok
}

// names gives the path of a key by the elements that follow the place's prefix.
func (pl *place) names(rest string) (string, bool) {
	var b strings.Builder
	b.WriteString(pl.path)
	for more, first := true, true; more; first = false {
		var element string
		element, rest, more = cut(rest)
		name := Escape(element)
		if len(name) > MaxName || first && pl.linked && name == Me {
			return "", false
		}
		if b.Len() > 0 {
			b.WriteByte('/')
		}
		b.WriteString(name)
	}
	return b.String(), true
}

// Encloses reports whether a place with a longer prefix begins in the directory t: what that holds has keys which begin with the directory's, but
// is none of its own. What is not one directory of the bucket encloses none (see [Target.DirPrefix]).
func (p *Policy) Encloses(t Target) bool {
	dir := t.DirPrefix()
	return dir != "" && slices.ContainsFunc(p.regions, func(pl *place) bool { return len(pl.prefix) > len(dir) && strings.HasPrefix(pl.prefix, dir) })
}
