package amplify

import (
	"fmt"
	"slices"
	"strings"
)

// entities are the ways to write "the identity id of who asks" in a path: as defineStorage has it, and as the policies and the
// outputs file have it.
func entities() []string {
	return []string{"${cognito-identity.amazonaws.com:sub}", "{entity_id}"}
}

// paths reads the access rules of a bucket: path -> rule -> actions.
func (r *reader) paths(c cursor, field string) (all []Path) {
	for i, m := range c.members() {
		if wrong := checkPattern(m.name); wrong != "" {
			m.fail(`write paths as defineStorage has them: "media/*", "private/`+entities()[0]+`/*"`, "%s", wrong)
		}
		here := fmt.Sprintf("%s.Paths[%d]", field, i)
		m.set(here)
		p := Path{Pattern: m.name, Rules: map[string][]string{}}
		for _, rule := range m.members() {
			if !knownRule(rule.name) {
				rule.fail("use guest, authenticated, entityidentity, resource, or groups and a group's name", "is a rule that is not known")
			}
			rule.set(here + ".Rules[" + rule.name + "]")
			p.Rules[rule.name] = rule.list([]string{"get", "list", "write", "delete"})
		}
		all = append(all, p)
	}
	return all
}

func knownRule(name string) bool {
	group, ok := strings.CutPrefix(name, "groups")
	return ok && group != "" || slices.Contains([]string{"guest", "authenticated", "entityidentity", "resource"}, name)
}

// checkPattern says what is wrong with a path, "" if nothing. Source: defineStorage's rules for paths, Amplify Gen 2.
func checkPattern(pattern string) string {
	body, ok := strings.CutSuffix(pattern, "/*")
	switch {
	case !ok:
		return "does not end in /*"
	case strings.HasPrefix(pattern, "/"):
		return "begins with a slash"
	case strings.Contains(pattern, "//"):
		return "has an empty part (//)"
	case strings.Contains(body, "*"):
		return "has a * that is not its end"
	}
	parts := strings.Split(body, "/")
	for i, part := range parts {
		entity := slices.Contains(entities(), part)
		switch {
		case entity && i == 0:
			return "begins with the identity's id"
		case entity && i < len(parts)-1:
			return "has the identity's id before its last part"
		case !entity && strings.ContainsAny(part, "{}"):
			return "has braces that are not the identity's id"
		case part == "." || part == "..":
			return "has a part " + part + ", which no app can reach"
		}
	}
	return ""
}
