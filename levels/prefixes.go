package levels

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Prefixes are the key prefixes of the levels; nil means Amplify's default
// ("public/", "protected/", "private/", "uploads/"). Others are used verbatim:
// nothing is normalised and no slash is added.
type Prefixes struct {
	Public    *string
	Protected *string // "<identity id>/" follows
	Private   *string // "<identity id>/" follows
	Uploads   *string
}

// regions are the configured prefixes, the longest first: a key belongs to the
// first one that it begins with.
type regions []region

type region struct {
	prefix string
	level  Level // Public, Protected, Private or Uploads
}

func (p Prefixes) regions() regions {
	def := func(s *string, d string) string {
		if s == nil {
			return d
		}
		return *s
	}
	return regions{
		{def(p.Public, "public/"), Public},
		{def(p.Protected, "protected/"), Protected},
		{def(p.Private, "private/"), Private},
		{def(p.Uploads, "uploads/"), Uploads},
	}
}

// sorted puts the longest prefix first.
func (rs regions) sorted() regions {
	out := slices.Clone(rs)
	slices.SortStableFunc(out, func(a, b region) int { return len(b.prefix) - len(a.prefix) })
	return out
}

// prefix is the configured prefix of a level.
func (rs regions) prefix(l Level) string {
	for _, r := range rs {
		if r.level == l {
			return r.prefix
		}
	}
	return ""
}

// of gives the level whose prefix is the longest that key begins with, Root
// for none.
func (rs regions) of(key string) Level {
	for _, r := range rs {
		if strings.HasPrefix(key, r.prefix) {
			return r.level
		}
	}
	return Root
}

// validate refuses prefixes that are no keys and those that would give one key
// two levels, or a level the keys of somebody's private directory.
func (rs regions) validate(id string) error {
	all := slices.Clone(rs)
	if id != "" {
		for _, l := range []Level{Protected, Private} {
			all = append(all, region{rs.prefix(l) + id + "/", l})
		}
	}
	for i, r := range all {
		if strings.ContainsFunc(r.prefix, isControl) || !utf8.ValidString(r.prefix) {
			return fmt.Errorf("%s prefix %q contains a control character or is not UTF-8: choose another", r.level, r.prefix)
		}
		for _, o := range all[:i] {
			if r.prefix == o.prefix {
				return fmt.Errorf("%s prefix and %s prefix are both %q: choose different ones", o.level, r.level, r.prefix)
			}
		}
	}
	private := rs.prefix(Private)
	for _, r := range rs {
		rest, below := strings.CutPrefix(r.prefix, private)
		if r.level == Private || !below {
			continue
		}
		// "<private prefix><id>/" may begin with r's prefix, or r's with it. A
		// first element without a colon is no identity of Cognito's.
		first, _, whole := strings.Cut(rest, "/")
		if !whole || strings.Contains(first, ":") {
			return fmt.Errorf("%s prefix %q reaches into other people's private directories below %q: "+
				"end it in a slash or choose one outside", r.level, r.prefix, private)
		}
	}
	return nil
}
