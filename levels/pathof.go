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
	level := p.regions.of(key)
	if level == Root || p.only != Root && p.only != level {
		return "", false
	}
	if _, shown := p.level(level.String()); !shown {
		return "", false
	}
	rest, in := strings.CutPrefix(key, p.prefix(level, ""))
	if !in {
		return "", false
	}
	var b strings.Builder
	if p.only == Root {
		b.WriteString(level.String())
	}
	if rest == "" {
		return b.String(), true
	}
	if dir := strings.TrimSuffix(key, "/") + "/"; p.regions.of(dir) != level {
		return "", false
	}
	if element, whole := strings.CutSuffix(rest, "/"); whole {
		rest = element
		if p.regions.of(strings.TrimSuffix(key, "/")) != level && element != "" {
			return "", false
		}
	}
	return p.names(&b, level, rest)
}

// names appends the names of the elements of rest to b.
func (p *Policy) names(b *strings.Builder, level Level, rest string) (string, bool) {
	for more, depth := true, 0; more; depth++ {
		var element string
		element, rest, more = cut(rest)
		name := Escape(element)
		if len(name) > MaxName || level == Protected && depth == 0 && element == Me && p.id.ID != "" {
			return "", false
		}
		if b.Len() > 0 {
			b.WriteByte('/')
		}
		b.WriteString(name)
	}
	return b.String(), true
}
