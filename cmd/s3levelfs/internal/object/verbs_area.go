package object

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/levels"
)

// area is the part of the bucket that a command without a mount works in: a level, or somebody's protected files.
type area struct {
	policy       *levels.Policy
	level        string
	path, prefix string // in the mount and in the bucket
	grants       levels.Perm
}

func newArea(p *levels.Policy, level, owner string) (*area, error) {
	if strings.Contains(owner, "/") {
		return nil, cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("--owner: %q is no identity id: one has no slash", owner))
	}
	if level == "protected" && owner == "" && p.Identity().ID == "" {
		return nil, cmdline.WithCode(cmdline.ExitConfig, errors.New("a guest has no protected files: name whose by --owner ID, or sign in"))
	}
	path := levelPath(p, level, owner)
	prefix, err := levelPrefix(p, path, level, owner)
	if err != nil {
		return nil, err
	}
	t, err := p.Resolve(path)
	if err != nil {
		return nil, fmt.Errorf("level %s: %w", level, err)
	}
	return &area{policy: p, level: level, path: path, prefix: prefix, grants: t.Grants}, nil
}

// may refuses what the grants do not have, before a byte is sent.
func (a *area) may(want levels.Perm) error {
	if a.grants.Has(want) {
		return nil
	}
	return cmdline.WithCode(cmdline.ExitPermission, fmt.Errorf("%s: needs the right to %v, the grants have %v: sign in, use another --level, or see `s3levelfs access`",
		a.path, want, a.grants))
}

// key is that of a name in the area: prefix and name as they are, nothing normalised. It refuses what is no name of the area.
func (a *area) key(name string) (string, error) {
	key := a.prefix + name
	switch {
	case name == "":
		return "", cmdline.WithCode(cmdline.ExitUsage, errors.New("the key is empty: name an object"))
	case len(key) > levels.MaxKey:
		return "", cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("key %q: has %d bytes in the bucket, S3 has at most %d: give a shorter one", name, len(key), levels.MaxKey))
	case !utf8.ValidString(key):
		return "", cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("key %q: is not UTF-8, which S3 demands: give another one", name))
	case !a.holds(key):
		return "", cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("key %q: reaches out of level %s: give the --level that it is of", name, a.level))
	}
	return key, nil
}

// name is what a key of the area is called there.
func (a *area) name(key string) string { return strings.TrimPrefix(key, a.prefix) }

// holds tells whether a key is one of the area: with custom prefixes what begins with its prefix can be another level's. A key
// that no path carries, as its elements are too long, counts by what is left of it when they are shortened.
func (a *area) holds(key string) bool {
	return strings.HasPrefix(key, a.prefix) && inLevel(a.policy, shortened(key), a.path)
}

// shortened is a key that has a path where the key is only too long for one: it begins with the same prefixes.
func shortened(key string) string {
	const keep = 16 // bytes, which need no more than MaxName as a name
	elements := strings.Split(key, "/")
	total := 0
	for i, e := range elements {
		if len(levels.Escape(e)) > levels.MaxName {
			elements[i] = e[:keep]
		}
		if total += len(levels.Escape(elements[i])) + 1; total > levels.MaxKey {
			elements = elements[:i]
			break
		}
	}
	return strings.Join(elements, "/")
}
