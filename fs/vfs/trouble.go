package vfs

import (
	"errors"
	"fmt"
	"sync"

	"github.com/s3levelfs/s3levelfs/uploader"
)

// What is wrong with a file is told by the file: user.s3levelfs.state, .error and .conflict.

// maxConflicts bounds the conflicts that are remembered.
const maxConflicts = 10_000

// conflicts remembers which two files are versions of the same name, while this mount lasts and both are there. The
// zero value is ready.
type conflicts struct {
	mu     sync.Mutex
	others map[string]string // each key's other one
}

func (c *conflicts) note(key, other string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.others == nil || len(c.others) >= 2*maxConflicts {
		c.others = map[string]string{}
	}
	c.others[key], c.others[other] = other, key
}

// end: key is gone; the other one is a file like any.
func (c *conflicts) end(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if other, ok := c.others[key]; ok {
		delete(c.others, key)
		if c.others[other] == key {
			delete(c.others, other)
		}
	}
}

func (c *conflicts) of(key string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.others[key]
}

// stateOf is a word for where a file stands: uploader.State's words, and besides, of a file with nothing pending, conflict
// (there is another version of it), base-lost and quarantined (the spool has more of it).
func (v *FS) stateOf(n *node) string {
	switch {
	case n.info != nil && errors.Is(n.info.Err, uploader.ErrConflict):
		return "conflict"
	case n.info != nil && n.info.State != uploader.StateClean:
		return n.info.State.String()
	}
	if kept := v.up.KeptAt(n.key()); len(kept) > 0 {
		if kept[len(kept)-1].BaseLost {
			return uploader.StateBaseLost.String()
		}
		return "quarantined"
	}
	if v.conflicts.of(n.key()) != "" {
		return "conflict"
	}
	return uploader.StateClean.String()
}

// errorOf says what is wrong with a file and where the rest of it is; "" = nothing is.
func (v *FS) errorOf(n *node) string {
	if n.info != nil && n.info.Err != nil {
		return n.info.Err.Error()
	}
	kept := v.up.KeptAt(n.key())
	if len(kept) == 0 {
		return ""
	}
	q := kept[len(kept)-1]
	why := "it was being written when the mount ended"
	if q.BaseLost {
		why = "the version that it was changed from is gone"
	}
	return fmt.Sprintf("%s: `s3levelfs spool export %s` gives what is kept", why, q.Gen)
}

// conflictOf is the path of the other version of a file; "" = there is none.
func (v *FS) conflictOf(n *node) string {
	other := v.conflicts.of(n.key())
	if p, ok := v.policy.PathOf(other); ok && other != "" {
		return p
	}
	return other
}
