package cache

// fact is what is known of a version's bytes that were delivered.
type fact int

const (
	unread     fact = iota
	unverified      // some have nothing that vouches for them but the connection
	verified        // the whole was found to match the store's checksum, and so did what was fetched since
	suspect         // they did not match: an error until they do
	checked         // what was fetched came in parts that match their checksums
	cached          // some were on this machine's disk, as they were delivered once, and none was unverified
)

// String is what users are told.
func (s fact) String() string {
	return [...]string{unread: "", unverified: "no", verified: "yes", suspect: "wrong", checked: "yes", cached: "cached"}[s]
}

// origin is where the bytes of a fetch come from.
type origin int

const (
	nowhere  origin = iota
	plain           // the store, and nothing vouches for them yet
	ofWhole         // the store; with all of the object, whose checksum they match
	ofPart          // the store; with a part, whose checksum they match
	fromTier        // this machine's disk
)

// after is what is known when bytes of an origin have been delivered.
func (s fact) after(o origin) fact {
	switch {
	case o == ofWhole:
		return verified
	case s == suspect, o == nowhere:
	case o == plain:
		return unverified
	case o == ofPart && s == unread:
		return checked
	case o == fromTier && (s == unread || s == checked):
		return cached
	}
	return s
}

// origin of what f delivers now.
func (f *fetch) origin() origin {
	switch {
	case f.tier.loaded:
		return fromTier
	case f.check == nil:
		return plain
	case f.part > 0:
		return ofPart
	}
	return ofWhole
}

// noteDelivery remembers what a delivery of f makes of its version. Cache.mu is held.
func (c *Cache) noteDelivery(f *fetch) {
	o := f.origin()
	if o == plain {
		// A byte that a verification has had already is fetched again: what was right then says nothing of it.
		if v := c.verifiers[f.v.versionKey]; v != nil && f.pieces[f.next-len(f.held)].off < v.pos.Load() {
			v.again = true
		}
	}
	if o == f.noted {
		return
	}
	f.noted = o
	was, _ := c.facts.Get(f.v.versionKey)
	c.note(f.v.versionKey, was.after(o))
	if o == ofWhole {
		c.dropPages(f.v.versionKey)
	}
}

// note remembers what is known of a version, and counts those that nothing vouches for. Cache.mu is held.
func (c *Cache) note(k versionKey, state fact) {
	was, _ := c.facts.Get(k)
	if was == unverified {
		c.unverified--
	}
	if state == unverified {
		c.unverified++
	}
	c.facts.Add(k, state)
}

// dropPages drops what random reads brought of a version that was found right as a whole: nothing has vouched for that.
// Cache.mu is held.
func (c *Cache) dropPages(k versionKey) {
	e := c.table.entries[k]
	if e == nil {
		return
	}
	for id, s := range e.units {
		if id.page() && s.block != nil {
			c.table.remove(s.block)
		}
	}
}

// Verified tells of the bytes of obj that this cache got from the store, since they were last found right as a whole if they were: "yes"
// when each of them came with a checksum of the store, of the whole or of its part, that it matches; "no" when some did not: nothing
// vouches for those but the connection; "wrong" when they do not match. "cached" is neither: some came from this machine's disk, where
// a process before this one has kept them as they were delivered, and whether they had been verified is not known there. It is
// "" while nothing was fetched. Only the latest few thousand versions are known.
func (c *Cache) Verified(obj Object) string {
	v := c.version(obj, nil)
	c.mu.Lock()
	defer c.mu.Unlock()
	state, _ := c.facts.Peek(v.versionKey)
	return state.String()
}
