package levels

import "strings"

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

// Below reports whether a key is among what the directory t holds, and goes with it: also one that no path leads to, as its names are
// too long. What belongs to a place with a longer prefix, which may begin in the directory, is not; nor is anything below what is not
// one directory of the bucket (see [Target.DirPrefix]).
func (p *Policy) Below(t Target, key string) bool {
	dir := t.DirPrefix()
	return dir != "" && strings.HasPrefix(key, dir) && p.region(key) == p.region(dir)
}
