package levels

import (
	"fmt"
	"strings"
)

// ParseGrants reads grants as people write them, "public=read,private=all": the
// places public, protected (the own directory), others (other people's), private and uploads, each
// with words of [ParsePerm] joined by "+". What is not named keeps [DefaultGrants]; of no text at
// all the map is nil. A place of the identity's own needs an id.
func ParseGrants(text string, id Identity) (map[Level]Perm, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	places := map[string]Level{
		"public": Public, "protected": ProtectedOwn, "others": ProtectedOther, "private": Private, "uploads": Uploads,
	}
	grants, named := DefaultGrants(id.Authenticated), make(map[Level]bool)
	for one := range strings.SplitSeq(text, ",") {
		name, rights, ok := strings.Cut(strings.TrimSpace(one), "=")
		if !ok {
			return nil, fmt.Errorf("grant %q is no PLACE=RIGHTS: write it as public=read+delete", one)
		}
		name = strings.TrimSpace(name)
		level, known := places[name]
		perm, err := ParsePerm(strings.ReplaceAll(rights, "+", ","))
		switch {
		case !known:
			return nil, fmt.Errorf("place %q is not known: use public, protected, others, private or uploads", name)
		case named[level]:
			return nil, fmt.Errorf("place %q is there twice: join its rights with +", name)
		case err != nil:
			return nil, fmt.Errorf("grants of %s: %w", name, err)
		case level.Own() && perm != None && id.ID == "":
			return nil, fmt.Errorf("%s=%s is the own directory of nobody: give --identity-id too", name, perm)
		}
		named[level], grants[level] = true, perm
	}
	grants[Protected] = grants[ProtectedOther] & List
	return grants, nil
}
