package levels

// layout gives the places of the levels, in the order of the mount's root.
func (o Options) layout(id Identity, grants map[Level]Perm) []*place {
	name := func(l Level) []string { return []string{l.String()} }
	protected, private := o.Prefixes.of(Protected), o.Prefixes.of(Private)
	places := []*place{
		{level: Public, dir: name(Public), prefix: o.Prefixes.of(Public), grants: grants[Public], shown: true},
		{
			level: ProtectedOther, dir: name(Protected), prefix: protected, grants: grants[ProtectedOther], shown: true,
			owners: true, list: grants[Protected],
		},
		{prefix: private}, // other people's: no path leads there
		{level: Uploads, dir: name(Uploads), prefix: o.Prefixes.of(Uploads), grants: grants[Uploads], shown: o.Uploads},
	}
	if id.ID == "" {
		return places
	}
	own := []*place{
		{
			level: ProtectedOwn, dir: append(name(Protected), Escape(id.ID)), prefix: protected + id.ID + "/",
			grants: grants[ProtectedOwn], owner: id.ID, shown: true,
		},
		{
			level: Private, dir: name(Private), prefix: private + id.ID + "/", grants: grants[Private], owner: id.ID,
			shown: id.Authenticated || o.Only == Private.String() || grants[Private] != None, // a guest whose role grants nothing there has none
		},
	}
	return append(places[:3:3], append(own, places[3])...)
}
