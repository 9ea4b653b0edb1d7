package vfs

import (
	"context"
	"time"
)

// mark is a point in time before a batch of a directory was read: by the clocks of all who could know of a change since.
type mark struct {
	since   uint64 // inodes.now
	ticket  uint64 // crossings.now
	op      uint64 // of the uploader
	changes uint64 // of the listing
}

// sighted is what an entry of a directory was found to be: a stored file with nothing pending.
type sighted struct {
	key   string
	until time.Time // how long the listing is believed
	mark  *mark
}

func (v *FS) mark() *mark {
	return &mark{since: v.inodes.now(), ticket: v.crossings.now(), op: v.up.LastOp(), changes: v.listing.Changes()}
}

// sight notes how an entry was found, where that may be told again.
func (m *mark) sight(n *node, full bool) *sighted {
	if !full || n.info != nil || n.target.Beside || !n.stored() {
		return nil
	}
	return &sighted{key: n.target.Key, until: n.until, mark: m}
}

// Again is Lookup of an entry that a DirStream gave a moment ago, without looking it up: for READDIRPLUS, which asks for each. It
// reports false, and has changed nothing, where that might say other than Lookup: where this mount has made any change since, the name
// has anything pending, or another version of it is known.
func (v *FS) Again(ctx context.Context, e *DirEntry) (Attr, bool) {
	s := e.found
	if s == nil || !time.Now().Before(s.until) {
		return Attr{}, false
	}
	if _, pending := v.up.Lookup(s.key); pending {
		return Attr{}, false
	}
	if waited, err := v.up.AwaitEvents(ctx, s.key); waited || err != nil {
		return Attr{}, false
	}
	if v.up.LastOp() != s.mark.op || v.listing.Changes() != s.mark.changes {
		return Attr{}, false
	}
	a := e.Attr
	var same bool
	if a.Ino, a.Gen, same = v.inodes.lookAgain(s.key, sighting{version: a.Version, since: s.mark.since, known: true}); !same {
		return Attr{}, false
	}
	if v.crossings.since(s.mark.ticket, s.key) { // what was entered is entered again by the lookup that follows
		return Attr{}, false
	}
	a.TTL = max(0, time.Until(s.until))
	return a, true
}
