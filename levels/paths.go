package levels

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// PathRule is what an Amplify Gen 2 app says of a path (defineStorage's access,
// and buckets[].paths in amplify_outputs.json).
type PathRule struct {
	// Pattern is the path as written: "media/*", "profile/{entity_id}/*", or with
	// "${cognito-identity.amazonaws.com:sub}" in the place of "{entity_id}", as the outputs have it.
	Pattern string

	// Rules are the grants by who has them: "guest", "authenticated",
	// "groups<name>" of a user pool's group, "entityidentity" of the identity that a path
	// with an identity is of, "resource" of the app's functions, which are nobody here.
	Rules map[string]Perm
}

// The names of rules. Source: amplify-backend, storage access rules, as they are in the outputs.
const (
	ruleGuest  = "guest"
	ruleAuth   = "authenticated"
	ruleEntity = "entityidentity"
	ruleOther  = "resource"
	ruleGroup  = "groups" // and the group's name
)

// tokens are the two ways to write the place of the identity in a pattern.
func tokens() [2]string { return [2]string{"{entity_id}", "${cognito-identity.amazonaws.com:sub}"} }

// parsePattern gives the prefix of keys that a pattern is of, less the identity.
// The rules are those of amplify-backend, validateStorageAccessPaths.
func parsePattern(pattern string) (prefix string, entity bool, err error) {
	wrong := func(what string) error {
		return fmt.Errorf(`path %q %s: write it as "media/*" or "media/{entity_id}/*"`, pattern, what)
	}
	prefix, whole := strings.CutSuffix(pattern, "*")
	for _, token := range tokens() {
		if before, is := strings.CutSuffix(prefix, token+"/"); is {
			prefix, entity = before, true
			break
		}
	}
	switch {
	case !whole || !strings.HasSuffix(pattern, "/*"):
		return "", false, wrong("does not end in /*")
	case strings.HasPrefix(pattern, "/"):
		return "", false, wrong("begins with a slash")
	case strings.Contains(pattern, "//"):
		return "", false, wrong("has an empty element")
	case strings.Contains(prefix, "*"):
		return "", false, wrong("has a wildcard that is not its end")
	case prefix == "":
		return "", false, wrong("begins with the identity")
	case !strings.HasSuffix(prefix, "/"), strings.Contains(prefix, "{entity_id}"), strings.Contains(prefix, "${"):
		return "", false, wrong("has an identity, or a variable, that is not its last element")
	case strings.ContainsFunc(prefix, isControl) || !utf8.ValidString(prefix):
		return "", false, wrong("contains a control character or is not UTF-8")
	case len(prefix) > MaxKey/2:
		return "", false, wrong(fmt.Sprintf("is longer than %d bytes", MaxKey/2))
	}
	for element := range strings.SplitSeq(strings.TrimSuffix(prefix, "/"), "/") {
		if len(Escape(element)) > MaxName {
			return "", false, wrong(fmt.Sprintf("has an element of more than %d bytes", MaxName))
		}
	}
	return prefix, entity, nil
}

// role is which rules are an identity's, by IAM. One role is in force at a time:
// that of guests, that of all who are signed in, or that of one group, which has
// the group's rules alone: neither those of all who are signed in nor those of
// the identity.
type role struct {
	id    string
	group string // "" = none
	guest bool
	merge bool // what all who are signed in may read is the group's, too
}

func roleOf(id Identity, o Options) role {
	r := role{id: id.ID, guest: !id.Authenticated, merge: o.MergeGroups}
	if r.guest {
		return r
	}
	for _, group := range id.Groups { // the first that the app has rules for: others have no role of their own
		if slices.ContainsFunc(o.Paths, func(p PathRule) bool { _, is := p.Rules[ruleGroup+group]; return is }) {
			r.group = group
			break
		}
	}
	return r
}

// perms are the role's grants by the rules of one path: on all that lies below it, and on
// what is the identity's own.
func (r role) perms(rules map[string]Perm) (all, own Perm) {
	switch {
	case r.guest:
		return rules[ruleGuest], None
	case r.group == "":
		return rules[ruleAuth], rules[ruleEntity]
	}
	all = rules[ruleGroup+r.group]
	if r.merge {
		all |= rules[ruleAuth] & (List | Get)
		own = rules[ruleEntity] & (List | Get)
	}
	return all, own
}

// pathGrant is a path of the app with what the role may do there.
type pathGrant struct {
	prefix  string // of keys
	pattern string // as written
	perm    Perm
	own     string // of a path with an identity, the own one: the prefix in front of that
	deny    Perm   // what the parent allows and this path does not
	group   bool   // only groups have rules
}

// pathGrants reads the rules as the app's set-up makes policies of them: a rule of guests, of all who are signed in or
// of a group on a path with an identity is one for all identities' paths.
// Source: amplify-backend, storage access orchestrator.
//
// identities are the own paths alone; without an id nobody knows their prefix, and they are not among paths.
func pathGrants(r role, rules []PathRule) (paths, identities []*pathGrant, err error) {
	seen := make(map[string]string)
	add := func(g *pathGrant) {
		i := slices.IndexFunc(paths, func(p *pathGrant) bool { return p.prefix == g.prefix && p.own == g.own })
		if i < 0 {
			paths = append(paths, g)
			return
		}
		paths[i].perm |= g.perm
		paths[i].group = paths[i].group && g.group
	}
	for _, rule := range rules {
		prefix, entity, err := parsePattern(rule.Pattern)
		if err != nil {
			return nil, nil, err
		}
		written := prefix
		if entity {
			written += tokens()[0]
		}
		if other, twice := seen[written]; twice {
			return nil, nil, fmt.Errorf("path %q is there twice, also as %q: join their rules", rule.Pattern, other)
		}
		seen[written] = rule.Pattern
		shared, group, err := checkRules(rule, entity)
		if err != nil {
			return nil, nil, err
		}
		all, own := r.perms(rule.Rules)
		if !entity || shared {
			add(&pathGrant{prefix: prefix, pattern: prefix + "*", perm: all, group: group})
		}
		if entity {
			g := &pathGrant{prefix: prefix + r.id + "/", pattern: rule.Pattern, perm: own, own: prefix}
			identities = append(identities, g)
			if r.id != "" {
				add(g)
			}
		}
	}
	deny(paths)
	return paths, identities, nil
}

// checkRules refuses rules that nothing is known of. shared: there is one that is not of the identity; group: those
// are all of groups.
func checkRules(rule PathRule, entity bool) (shared, group bool, err error) {
	group = true
	for name := range rule.Rules {
		switch {
		case name == ruleEntity && !entity:
			return false, false, fmt.Errorf("path %q has a rule for %s but no identity: write it as %q",
				rule.Pattern, name, strings.TrimSuffix(rule.Pattern, "*")+tokens()[0]+"/*")
		case name == ruleEntity:
		case name == ruleOther:
			shared = true // nobody's here, but the path takes back what its parent allows
		case name == ruleGuest, name == ruleAuth:
			shared, group = true, false
		case strings.HasPrefix(name, ruleGroup) && name != ruleGroup:
			shared = true
		default:
			return false, false, fmt.Errorf("path %q has a rule for %q: use guest, authenticated, groups<name>, entityidentity or resource",
				rule.Pattern, name)
		}
	}
	return shared, shared && group, nil
}

// deny finds what each path takes back of what its parent allows. An identity's path takes
// nothing back of the path of all identities.
func deny(paths []*pathGrant) {
	for _, p := range paths {
		var parent *pathGrant
		for _, q := range paths {
			if q != p && strings.HasPrefix(p.prefix, q.prefix) && (parent == nil || len(q.prefix) > len(parent.prefix)) {
				parent = q
			}
		}
		if parent != nil && (p.own == "" || p.own != parent.prefix) {
			p.deny = parent.perm &^ p.perm
		}
	}
}

// granted is what IAM makes of the paths for the keys below a prefix: what one allows and none denies.
func granted(paths []*pathGrant, prefix string) Perm {
	var allow, denied Perm
	for _, p := range paths {
		if strings.HasPrefix(prefix, p.prefix) {
			allow |= p.perm
			denied |= p.deny
		}
	}
	return allow &^ denied
}

// newPaths makes the policy of an app with path rules.
func newPaths(id Identity, o Options) (*Policy, error) {
	switch {
	case o.Grants != nil:
		return nil, errors.New("grants do not go with the app's path rules: leave them out, or change the rules")
	case o.Prefixes.set():
		return nil, errors.New("prefixes of levels do not go with the app's path rules: leave them out")
	}
	places, err := placesOf(id, o)
	if err != nil {
		return nil, err
	}
	p := &Policy{id: id}
	if !slices.ContainsFunc(places, func(pl *place) bool { return pl.shown }) {
		mend := "sign in, or add a rule"
		if id.Authenticated {
			mend = "sign in as somebody who has a rule, or add one"
		}
		return nil, fmt.Errorf("none of the app's %d path rules grants anything to %s: %s", len(o.Paths), id.kind(), mend)
	}
	var only []string
	if o.Only != "" {
		only = strings.Split(o.Only, "/")
	}
	if !p.build(places, only) {
		return nil, fmt.Errorf("level %q is not known: use a directory of the app's path rules", o.Only)
	}
	return p, nil
}
