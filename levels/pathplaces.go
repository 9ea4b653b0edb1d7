package levels

import (
	"fmt"
	"slices"
	"strings"
)

// placesOf gives the places of an app's paths for an identity, in the order of the rules.
func placesOf(id Identity, o Options) ([]*place, error) {
	paths, identities, err := pathGrants(roleOf(id, o), o.Paths)
	if err != nil {
		return nil, err
	}
	var places []*place
	for _, p := range paths {
		if p.own == "" {
			places = append(places, sharedPlace(p, granted(paths, p.prefix)))
		}
	}
	for _, p := range identities {
		places = identityPlaces(places, paths, p, id.ID)
	}
	return inOrder(places, o.Paths), distinct(places, id)
}

// sharedPlace is that of a path without an identity. Where nothing is granted its keys are nobody's.
func sharedPlace(p *pathGrant, grants Perm) *place {
	pl := &place{
		prefix: p.prefix, pattern: p.pattern, dir: dirOf(p.prefix), shown: grants != None, level: Public, grants: grants,
	}
	switch {
	case !grants.Any(List | Get | Delete):
		pl.level = Uploads
	case p.group:
		pl.level = Group
	}
	return pl
}

// identityPlaces adds the place of the own identity's path, and makes that of all identities' paths: where this
// identity may do anything there, it is the directory of identities that the
// own one stands in. Else other people's keys are out of reach, and the own ones take its place in the mount.
func identityPlaces(places []*place, paths []*pathGrant, p *pathGrant, id string) []*place {
	i := slices.IndexFunc(places, func(pl *place) bool { return pl.prefix == p.own })
	if i < 0 {
		grants := granted(paths, p.own)
		places = append(places, &place{prefix: p.own, pattern: p.own + "*", dir: dirOf(p.own), grants: grants, shown: grants != None})
		i = len(places) - 1
	}
	all := places[i]
	all.level, all.owners, all.list = ProtectedOther, true, all.grants
	if !all.list.Any(Put | Delete) {
		all.list &= List // there is nothing else to be granted on a list of identities
	}
	if id == "" {
		return places
	}
	own := &place{
		prefix: p.prefix, pattern: p.pattern, grants: granted(paths, p.prefix), owner: id, level: ProtectedOwn,
		dir: append(dirOf(p.own), Escape(id)),
	}
	own.shown = own.grants != None
	others := slices.ContainsFunc(paths, func(q *pathGrant) bool {
		return q != p && q.prefix != p.own && strings.HasPrefix(q.prefix, p.own)
	})
	if !all.shown && !others {
		own.level, own.dir = Private, all.dir
	}
	return append(places, own)
}

// dirOf gives the names of the directory that shows a prefix.
func dirOf(prefix string) (names []string) {
	for element := range strings.SplitSeq(strings.TrimSuffix(prefix, "/"), "/") {
		names = append(names, Escape(element))
	}
	return names
}

// inOrder sorts places as the rules are, parents before what lies below them.
func inOrder(places []*place, rules []PathRule) []*place {
	rank := func(pl *place) int {
		return slices.IndexFunc(rules, func(r PathRule) bool {
			prefix, _, err := parsePattern(r.Pattern)
			return err == nil && strings.HasPrefix(pl.prefix, prefix)
		})
	}
	out := slices.Clone(places)
	slices.SortStableFunc(out, func(a, b *place) int {
		if c := rank(a) - rank(b); c != 0 {
			return c
		}
		return len(a.prefix) - len(b.prefix)
	})
	return out
}

// distinct refuses paths that meet the own identity's directory or its symlink.
func distinct(places []*place, id Identity) error {
	for i, pl := range places {
		for _, o := range places[:i] {
			if pl.prefix == o.prefix || pl.shown && o.shown && slices.Equal(pl.dir, o.dir) {
				return fmt.Errorf("paths %q and %q are the same for identity %q: write one of them otherwise", o.pattern, pl.pattern, id.ID)
			}
		}
		for _, o := range places {
			depth := len(o.dir) - 1
			if o.level == ProtectedOwn && len(pl.dir) > depth && slices.Equal(pl.dir[:depth], o.dir[:depth]) && pl.dir[depth] == Me {
				return fmt.Errorf("path %q is hidden by the symlink %q beside the identities of %q: write one of them otherwise", pl.pattern, Me, o.pattern)
			}
		}
	}
	return nil
}
