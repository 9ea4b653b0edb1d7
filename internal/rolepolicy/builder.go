package rolepolicy

import "github.com/s3levelfs/s3levelfs/levels"

// builder collects statements about one bucket.
type builder struct {
	Options

	statements []Statement
}

func (b *builder) document() Document {
	if b.statements == nil {
		b.statements = []Statement{}
	}
	return Document{Version: version, Statement: b.statements}
}

func (b *builder) add(s Statement) {
	if len(b.Principals) > 0 {
		s.Principal = &Principal{AWS: b.Principals}
	}
	b.statements = append(b.statements, s)
}

// allow grants what can says on the keys that a pattern matches. Nothing is said
// where nothing is granted: a statement without actions is no policy.
func (b *builder) allow(sid string, can levels.Perm, patterns ...string) {
	b.objects(sid, Allow, b.actions(can), patterns)
}

// objects is a statement about objects.
func (b *builder) objects(sid, effect string, actions, patterns []string) {
	if len(actions) == 0 || len(patterns) == 0 {
		return
	}
	s := Statement{Sid: sid, Effect: effect, Action: actions}
	for _, p := range patterns {
		s.Resource = append(s.Resource, b.bucketARN()+"/"+p)
	}
	b.add(s)
}

// list is a statement about listings of these prefixes.
func (b *builder) list(sid, effect string, prefixes []string) {
	b.add(Statement{
		Sid: sid, Effect: effect, Action: []string{actionList}, Resource: []string{b.bucketARN()},
		Condition: &Condition{StringLike: PrefixLike{Prefix: prefixes}},
	})
}

// listAll grants every listing to who may read.
func (b *builder) listAll(sid string) {
	if b.Can.Has(levels.Get) {
		b.add(Statement{Sid: sid, Effect: Allow, Action: []string{actionList}, Resource: []string{b.bucketARN()}})
	}
}

// actions are those on objects that can stands for, and what the options add to them.
func (b *builder) actions(can levels.Perm) []string {
	var out []string
	if can.Has(levels.Get) {
		out = append(out, actionGet)
	}
	if can.Has(levels.Put) {
		out = append(out, actionPut)
	}
	if can.Has(levels.Delete) {
		out = append(out, actionDelete)
	}
	if b.Multipart && can.Has(levels.Put) {
		out = append(out, actionAbort, actionListParts)
	}
	if b.Tagging && can.Has(levels.Get) {
		out = append(out, actionGetTags)
	}
	if b.Tagging && can.Has(levels.Put) {
		out = append(out, actionPutTags)
	}
	return out
}
