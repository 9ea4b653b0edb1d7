package listing

import (
	"strings"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
)

// kind of a local change.
type kind uint8

const (
	stored kind = iota
	removed
	newDir
	dirRemoved
	forgotten
)

// change is one thing that this mount did to the bucket.
type change struct {
	seq  uint64
	kind kind
	key  string // directories end in a slash
	obj  *store.Object
}

// changes numbers the local changes and keeps those that a running listing may
// not have seen. Guarded by Index.mu.
type changes struct {
	seq     uint64
	log     []change // ascending by seq; empty while no listing runs
	running map[*run]struct{}
}

// run is one listing from its begin to its end.
type run struct {
	seq   uint64 // changes after this one may be missing in it
	began time.Time
}

// Changes counts the changes that this mount has told of so far.
func (x *Index) Changes() uint64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.changes.seq
}

func (c *changes) begin() *run {
	r := &run{seq: c.seq, began: time.Now()}
	c.running[r] = struct{}{}
	return r
}

// end drops the changes that no running listing needs any more.
func (c *changes) end(r *run) {
	delete(c.running, r)
	oldest := c.seq
	for o := range c.running {
		oldest = min(oldest, o.seq)
	}
	n := 0
	for n < len(c.log) && c.log[n].seq <= oldest {
		n++
	}
	if c.log = c.log[n:]; len(c.log) == 0 {
		c.log = nil
	}
}

// record numbers a change and keeps it if a listing runs.
func (c *changes) record(ch change) {
	c.seq++
	ch.seq = c.seq
	if len(c.running) > 0 {
		c.log = append(c.log, ch)
	}
}

// since calls f for the changes after the begin of r, in order.
func (c *changes) since(r *run, f func(change)) {
	for _, ch := range c.log {
		if ch.seq > r.seq {
			f(ch)
		}
	}
}

// apply makes the change in what is known of a directory; only, if not nil, is the one
// name that c knows. It is idempotent. It reports false if c is not to be kept.
func (ch change) apply(c *content, only *string) bool {
	switch ch.kind {
	case forgotten:
		return ch.key != c.dir
	case newDir:
	case dirRemoved:
		if strings.HasPrefix(c.dir, ch.key) {
			c.clear()
			return true
		}
	case stored, removed:
		if ch.key == c.dir {
			c.self = ch.obj // nil for removed
			return true
		}
	}
	name, below, deep, in := split(c.dir, ch.key)
	if !in || only != nil && *only != name {
		return true
	}
	self := deep && below == ""
	switch {
	case ch.kind == stored && !deep:
		c.put(item{name, ch.obj})
	case ch.kind == stored && self:
		c.put(item{name + "/", ch.obj})
	case ch.kind == stored, ch.kind == newDir:
		c.addDir(name)
	case ch.kind == removed && !deep:
		c.drop(name)
	case ch.kind == removed && self:
		c.mark(name, nil) // the directory stays until dirRemoved
	case ch.kind == dirRemoved && self:
		c.drop(name + "/")
	}
	return true
}
