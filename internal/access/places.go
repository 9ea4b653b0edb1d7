package access

import (
	"context"
	"slices"
	"strings"

	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
)

// place is a prefix with rights of its own.
type place struct {
	name   string
	prefix string // of its keys
	list   string // what is listed
	grants levels.Perm
	only   []Op   // nil = all
	object string // a key that exists, "" = none is known

	answers map[Op]answer
}

// answer is what is known of an operation.
type answer struct {
	is      Answer
	certain bool
	why     string
}

// has reports whether an operation makes sense there.
func (p *place) has(o Op) bool { return p.only == nil || slices.Contains(p.only, o) }

// cells are the answers in the order of the table.
func (p *place) cells() []Cell {
	var out []Cell
	for _, o := range Ops() {
		if !p.has(o) {
			continue
		}
		a := p.answers[o]
		out = append(out, Cell{
			Place: p.name, Prefix: p.prefix, Op: o, Answer: a.is, Certain: a.certain, Why: a.why, Granted: p.grants.Has(o.perm()),
		})
	}
	return out
}

// places are all that have rights of their own. Somebody else's are those of an
// identity that has objects, if one can be seen, else of one that does not exist.
func (p *prober) places(ctx context.Context) ([]place, error) {
	mine := p.config.Policy.LevelPrefixes()
	other, all, err := p.other(ctx, mine)
	if err != nil {
		return nil, err
	}
	theirs, err := levels.New(levels.Identity{ID: other, Authenticated: true}, levels.Options{Prefixes: p.config.Prefixes})
	if err != nil {
		return nil, err
	}
	var out []place
	add := func(name string, of []levels.LevelPrefix, l levels.Level, grants levels.Level) {
		if at, ok := find(of, l); ok {
			g, _ := find(mine, grants)
			out = append(out, place{name: name, prefix: at.Prefix, list: at.Prefix, grants: g.Grants})
		}
	}
	add("public", mine, levels.Public, levels.Public)
	if all.list != "" {
		out = append(out, all)
	}
	add("protected own", mine, levels.ProtectedOwn, levels.ProtectedOwn)
	add("protected other", theirs.LevelPrefixes(), levels.ProtectedOwn, levels.ProtectedOther)
	add("private own", mine, levels.Private, levels.Private)
	add("private other", theirs.LevelPrefixes(), levels.Private, levels.Root)
	add("uploads", mine, levels.Uploads, levels.Uploads)
	outside := ".s3levelfs-outside-" + p.nonce + "/"
	if _, within := p.config.Policy.PathOf(outside + "f"); !within { // with an empty prefix nothing is outside
		out = append(out, place{name: "outside", prefix: outside, list: ""})
	}
	for i := range out {
		out[i].answers = map[Op]answer{}
	}
	return out, nil
}

func find(of []levels.LevelPrefix, l levels.Level) (levels.LevelPrefix, bool) {
	at := slices.IndexFunc(of, func(x levels.LevelPrefix) bool { return x.Level == l })
	if at < 0 {
		return levels.LevelPrefix{}, false
	}
	return of[at], true
}

// other finds somebody else's identity id in the listing of protected/, which is a place of its own.
func (p *prober) other(ctx context.Context, mine []levels.LevelPrefix) (id string, all place, err error) {
	id = "s3levelfs-probe-" + p.nonce
	protected, ok := find(mine, levels.ProtectedOther)
	if !ok {
		return id, place{}, nil
	}
	all = place{name: "protected", prefix: protected.Prefix, list: protected.Prefix, grants: protected.Grants & levels.List, only: []Op{List}}
	own := p.config.Policy.Identity().ID
	for page, err := range p.store.List(ctx, protected.Prefix, store.ListOptions{Delimiter: "/", PageSize: 10}) {
		switch {
		case err != nil && (refused(err) || unclear(err)):
			return id, all, nil
		case err != nil:
			return "", place{}, err
		}
		for _, dir := range page.Prefixes {
			found := strings.TrimSuffix(strings.TrimPrefix(dir, protected.Prefix), "/")
			if _, bad := levels.New(levels.Identity{ID: found, Authenticated: true}, levels.Options{}); bad == nil && found != own {
				return found, all, nil
			}
		}
		break // ten names are enough
	}
	return id, all, nil
}
