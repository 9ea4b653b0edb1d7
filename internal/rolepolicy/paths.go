package rolepolicy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/s3levelfs/s3levelfs/levels"
)

// Rules are an Amplify Gen 2 app's rules of access: by the pattern of a path, by
// who ("guest", "authenticated", "entityidentity", "groups" and the group's
// name), what they may do ("get", "list", "read" = both, "write", "delete").
// It is the shape of storage.buckets[].paths in amplify_outputs.json, where
// {entity_id} is already the policy variable; either is taken.
//
//	{"public/*": {"guest": ["get", "list"]}, "mine/{entity_id}/*": {"entityidentity": ["read", "write"]}}
type Rules map[string]map[string][]string

// Whose rules [Paths] reads.
const (
	RuleGuest         = "guest"
	RuleAuthenticated = "authenticated" // who is signed in, and in no group
	RuleEntity        = "entityidentity"
	RuleGroups        = "groups" // the group's name follows
)

// entityID is what a definition of storage has in the place of the identity.
const entityID = "{entity_id}"

// Paths renders the policy of the role that is meant by who: [RuleGuest],
// [RuleAuthenticated] (with the rules of [RuleEntity]) or [RuleGroups] and a
// name. o.Can and o.Prefixes do not matter.
//
// As in Gen 2 a path below another one takes back what it does not allow again,
// by a Deny, for the roles that the upper path has rules for; but for the
// identity's own path directly below, whose rights are added to the others'.
// Source: amplify-backend, packages/backend-storage, storage_access_orchestrator.ts.
func Paths(rules Rules, who string, o Options) (Document, error) {
	if err := o.validate(); err != nil {
		return Document{}, err
	}
	if len(rules) == 0 {
		return Document{}, errors.New("there are no rules of paths: give a file with storage.buckets[].paths")
	}
	all, mine, err := rules.of(who)
	if err != nil {
		return Document{}, err
	}
	b := builder{Options: o}
	for _, action := range []levels.Perm{levels.Get, levels.List, levels.Put, levels.Delete} {
		var granted, denied []string
		for _, path := range all {
			if mine[path].Has(action) {
				granted = append(granted, path)
				continue
			}
			if parent, ok := parentOf(path, all); ok && mine[parent].Has(action) && strings.ReplaceAll(path, Sub+"/", "") != parent {
				denied = append(denied, path)
			}
		}
		granted = slices.DeleteFunc(granted, func(p string) bool { // what the upper path grants need not be said again
			parent, ok := parentOf(p, all)
			return ok && mine[parent].Has(action)
		})
		b.paths(Allow, action, granted)
		b.paths(Deny, action, denied)
	}
	return b.document(), nil
}

// paths is one statement about one right on patterns of paths.
func (b *builder) paths(effect string, right levels.Perm, paths []string) {
	if len(paths) == 0 {
		return
	}
	sid := "S3Paths" + effect
	patterns := make([]string, len(paths))
	for i, p := range paths {
		patterns[i] = b.pattern(p)
	}
	if right == levels.List {
		var prefixes []string
		for _, p := range patterns {
			prefixes = append(prefixes, strings.TrimSuffix(p, "*"), p)
		}
		b.list(sid+"List", effect, prefixes)
		return
	}
	name := map[levels.Perm]string{levels.Get: "Get", levels.Put: "Write", levels.Delete: "Delete"}[right]
	b.objects(sid+name, effect, b.actions(right), patterns)
}

// pattern writes a path so that its stars and the identity are IAM's, and all else is text.
func (b *builder) pattern(path string) string {
	var parts []string
	for part := range strings.SplitSeq(path, Sub) {
		stars := strings.Split(part, "*")
		for i, s := range stars {
			stars[i] = literal(s)
		}
		parts = append(parts, strings.Join(stars, "*"))
	}
	return strings.Join(parts, b.own())
}

// of reads the rules: all paths, sorted, and what who may do on each.
func (r Rules) of(who string) (all []string, mine map[string]levels.Perm, err error) {
	group, isGroup := strings.CutPrefix(who, RuleGroups)
	if who != RuleGuest && who != RuleAuthenticated && (!isGroup || group == "") {
		return nil, nil, fmt.Errorf("role %q is not known: use guest, authenticated, or groups and the group's name", who)
	}
	mine = map[string]levels.Perm{}
	known := map[string]bool{}
	for pattern, byRule := range r {
		if err := checkPattern(pattern); err != nil {
			return nil, nil, err
		}
		for rule, actions := range byRule {
			path := substitute(pattern, rule)
			known[path] = true
			can, err := levels.ParsePerm(strings.Join(actions, ","))
			if err != nil {
				return nil, nil, fmt.Errorf("path %q, %s: %w", pattern, rule, err)
			}
			if rule == who || rule == RuleEntity && who == RuleAuthenticated {
				mine[path] |= can
			}
		}
	}
	all = slices.Sorted(maps.Keys(known))
	for _, path := range all {
		parent, ok := parentOf(path, all)
		if !ok {
			continue
		}
		if upper, ok := parentOf(parent, all); ok {
			return nil, nil, fmt.Errorf("path %q is below %q and %q: Amplify allows one path above another at most; leave one out", path, parent, upper)
		}
	}
	return all, mine, nil
}

// checkPattern refuses what Gen 2 refuses.
func checkPattern(p string) error {
	const mend = `write it as "photos/*" or "photos/{entity_id}/*"`
	switch {
	case !strings.HasSuffix(p, "/*"):
		return fmt.Errorf("path %q does not end in /*: %s", p, mend)
	case strings.HasPrefix(p, "/"), strings.Contains(p, "//"):
		return fmt.Errorf("path %q has an empty element: %s", p, mend)
	case strings.Contains(p, entityID) && (strings.HasPrefix(p, entityID) || !strings.HasSuffix(p, "/"+entityID+"/*") || strings.Count(p, entityID) > 1):
		return fmt.Errorf("path %q: {entity_id} is the last element before /*, and not the first: %s", p, mend)
	}
	return nil
}

// substitute puts the identity, or everybody, in the place of {entity_id}.
func substitute(pattern, rule string) string {
	if rule == RuleEntity {
		return strings.ReplaceAll(pattern, entityID, Sub)
	}
	everybody := strings.NewReplacer(entityID, "*", Sub, "*").Replace(pattern)
	return strings.Replace(everybody, "/*/*", "/*", 1)
}

// parentOf is the path that another one begins with.
func parentOf(path string, all []string) (string, bool) {
	parent, found := "", false
	for _, p := range all {
		if p != path && strings.HasPrefix(path, strings.TrimSuffix(p, "*")) && len(p) > len(parent) {
			parent, found = p, true
		}
	}
	return parent, found
}
