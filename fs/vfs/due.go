package vfs

import (
	"context"
	"strings"
	"sync"
	"time"
)

// dueWait bounds how long a lookup waits for the event of a commit: it is on
// its way by then, unless what was written was dropped without one.
const dueWait = 2 * time.Second

// due are the keys that this mount has changed and whose events have not come
// yet. The uploader forgets an operation when the store has confirmed it and tells
// so a moment later, from another goroutine; in between neither its overlay nor
// the listing knows of the change. A lookup that finds nothing pending under a
// key that is due waits for the event, so that a mount always reads its own writes.
// The lock is a leaf.
type due struct {
	mu   sync.Mutex
	keys map[string]*dueKey
}

type dueKey struct {
	gen  string        // the generation whose event ends it; "" = any
	made bool          // something gets the name: the news of an earlier removal does not end it
	told chan struct{} // closed at the end
}

func newDue() *due { return &due{keys: make(map[string]*dueKey)} }

// mark notes that an event of key will come. It is called before the change is asked
// for, or while it is pending for certain: a mark that is set too late never ends. It
// reports whether the key was not due before.
func (d *due) mark(key string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.keys[key] != nil {
		return false
	}
	d.keys[key] = &dueKey{told: make(chan struct{})}
	return true
}

// expect tells which generation's event ends the mark of key, if it has one.
func (d *due) expect(key, gen string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if k := d.keys[key]; k != nil {
		k.gen, k.made = gen, false
	}
}

// expectMade tells that the event awaited is that of something which gets the name, where
// the generation is not known.
func (d *due) expectMade(key string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if k := d.keys[key]; k != nil {
		k.gen, k.made = "", true
	}
}

// told notes the event of a generation of key ("" = none in particular), or of its removal, after
// which nothing was pending there.
func (d *due) told(key, gen string, removed bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if k := d.keys[key]; k != nil && (k.gen == "" || k.gen == gen) && !(k.made && removed) {
		d.end(key, k)
	}
}

// clear: no event of key is awaited any more.
func (d *due) clear(key string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if k := d.keys[key]; k != nil {
		d.end(key, k)
	}
}

// end is called with mu held.
func (d *due) end(key string, k *dueKey) {
	delete(d.keys, key)
	close(k.told)
}

// rename moves the marks of key, or with directory keys of all below. What is sent under the new
// name may be another generation, whose event ends the mark.
func (d *due) rename(from, to string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	moved := make(map[string]*dueKey)
	for key, k := range d.keys {
		if key == from || strings.HasSuffix(from, "/") && strings.HasPrefix(key, from) {
			moved[key] = k
		}
	}
	for key, k := range moved {
		delete(d.keys, key)
		if d.keys[to+key[len(from):]] != nil {
			close(k.told) // the new name has a mark of its own
			continue
		}
		k.gen = ""
		d.keys[to+key[len(from):]] = k
	}
}

// has tells whether key is due.
func (d *due) has(key string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.keys[key] != nil
}

// below lists the keys under a directory that are due.
func (d *due) below(dir string) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var keys []string
	for key := range d.keys {
		if strings.HasPrefix(key, dir) {
			keys = append(keys, key)
		}
	}
	return keys
}

// wait waits until key is not due. It reports whether it was.
func (d *due) wait(ctx context.Context, key string) bool {
	d.mu.Lock()
	k := d.keys[key]
	d.mu.Unlock()
	if k == nil {
		return false
	}
	timer := time.NewTimer(dueWait)
	defer timer.Stop()
	select {
	case <-k.told:
	case <-ctx.Done():
	case <-timer.C:
		d.mu.Lock()
		if d.keys[key] == k {
			d.end(key, k)
		}
		d.mu.Unlock()
	}
	return true
}
