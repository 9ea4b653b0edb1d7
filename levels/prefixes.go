package levels

import (
	"fmt"
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

// set reports whether any of them is not the default.
func (p Prefixes) set() bool {
	return p.Public != nil || p.Protected != nil || p.Private != nil || p.Uploads != nil
}

// of is the prefix of a level, without the identity.
func (p Prefixes) of(l Level) string {
	set := map[Level]*string{Public: p.Public, Protected: p.Protected, Private: p.Private, Uploads: p.Uploads}[l]
	if set == nil {
		return l.String() + "/"
	}
	return *set
}

// validate refuses prefixes that are no keys and those that would give one key
// two levels, or a level the keys of somebody's private directory.
func (p Prefixes) validate(id string) error {
	type region struct {
		level  Level
		prefix string
	}
	all := []region{{Public, p.of(Public)}, {Protected, p.of(Protected)}, {Private, p.of(Private)}, {Uploads, p.of(Uploads)}}
	named := len(all)
	if id != "" {
		for _, l := range []Level{Protected, Private} {
			all = append(all, region{l, p.of(l) + id + "/"})
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
	private := p.of(Private)
	for _, r := range all[:named] {
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
