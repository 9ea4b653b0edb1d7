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
	only   []Op     // nil = all
	deeper []string // prefixes of places that lie in this one
	object string   // a key that exists, "" = none is known

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

// holds tells whether a key is this place's, and not that of one which lies in it.
func (p *place) holds(key string) bool {
	return strings.HasPrefix(key, p.prefix) && !slices.ContainsFunc(p.deeper, func(d string) bool { return strings.HasPrefix(key, d) })
}

// pathPlaces are those of an app with path rules: what its rules give this identity anything in. The own id is shortened in their names.
func (p *prober) pathPlaces() []place {
	all := p.config.Policy.LevelPrefixes()
	slices.SortFunc(all, func(a, b levels.LevelPrefix) int { return strings.Compare(a.Prefix, b.Prefix) })
	out := make([]place, 0, len(all)+1)
	for _, at := range all {
		pl := place{name: at.Prefix, prefix: at.Prefix, list: at.Prefix, grants: at.Grants}
		if id := p.config.Policy.Identity().ID; id != "" && strings.HasSuffix(at.Prefix, "/"+id+"/") {
			pl.name = strings.TrimSuffix(at.Prefix, id+"/") + levels.Me + "/"
		}
		for _, o := range all {
			if o.Prefix != at.Prefix && strings.HasPrefix(o.Prefix, at.Prefix) {
				pl.deeper = append(pl.deeper, o.Prefix)
			}
		}
		out = append(out, pl)
	}
	return out
}

// places are all that have rights of their own.
func (p *prober) places(ctx context.Context) (out []place, err error) {
	if p.config.Paths {
		out = p.pathPlaces()
	} else if out, err = p.levelPlaces(ctx); err != nil {
		return nil, err
	}
	outside := ".s3levelfs-outside-" + p.nonce + "/"
	if _, within := p.config.Policy.PathOf(outside + "f"); !within { // with an empty prefix nothing is outside
		out = append(out, place{name: "outside", prefix: outside, list: ""})
	}
	for i := range out {
		out[i].answers = map[Op]answer{}
	}
	return out, nil
}

// levelPlaces are those of the levels. Somebody else's are those of an
// identity that has objects, if one can be seen, else of one that does not exist.
func (p *prober) levelPlaces(ctx context.Context) ([]place, error) {
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
