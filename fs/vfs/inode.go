package vfs

import (
	"strings"
	"sync"
	"sync/atomic"
)

// inode is one entry of the inode table: a key that the kernel, or an open
// file, knows. The key of a directory ends in "/", so that a file and a
// directory never share an inode.
type inode struct {
	ino     uint64
	gen     uint64
	key     string // "" once the name is gone
	version string // the version that gen stands for; "" = not known yet
	open    int    // open files: the entry outlives Forget while > 0
	known   uint64 // the generation that the kernel holds a reference to; 0 = none

	born    uint64 // the uploader's operations up to this one were about another file of the name
	changed uint64 // inodes.clock when this mount changed what the name stands for

	// served: bytes of this generation were given to the kernel or taken from it, which may
	// have kept them in pages that outlive the handle. Each generation has its own.
	served *atomic.Bool
}

// inodes is the inode table. It has its own lock, the innermost of the package
// (a leaf below FS.mu): it is held for map operations only.
//
// A number is the FNV-1a hash of the key, probed upwards while another live key
// has it, so that it is the same after a remount unless two live keys collide.
// A renamed entry keeps its number as long as it is live.
type inodes struct {
	mu    sync.Mutex
	byKey map[string]*inode
	byIno map[uint64]*inode
	clock uint64 // changes by this mount

	// gens is the last generation that was given out, by all numbers together: none comes twice. The kernel may know one that is
	// not known here any more, for it forgets a file and looks it up again at once, and the news of the one may come after the other. If
	// another version got that generation then, the pages of the old one would be taken for its own.
	gens uint64
}

func newInodes() *inodes {
	return &inodes{byKey: make(map[string]*inode), byIno: make(map[uint64]*inode)}
}

// hashKey is the number that a key gets when nobody else has it.
func hashKey(key string) uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	for i := range len(key) {
		h = (h ^ uint64(key[i])) * prime
	}
	return h
}

// peek gives the number of key without entering it: for readdir, whose entries
// the kernel may never look up. The answer is a promise only if the key is live.
// A version that is not the entry's will be a new generation once it is looked up.
func (t *inodes) peek(key, version string) (ino, gen uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.byKey[key]
	switch {
	case n == nil:
		return t.free(key), t.gens + 1
	case version != "" && n.version != "" && n.version != version:
		return n.ino, t.gens + 1
	}
	return n.ino, n.gen
}

// free finds the number for a new key. Called with mu held.
func (t *inodes) free(key string) uint64 {
	for ino := hashKey(key); ; ino++ {
		if ino > RootIno && t.byIno[ino] == nil {
			return ino
		}
	}
}

// fresh gives a generation that nothing has had. Called with mu held.
func (t *inodes) fresh() uint64 {
	t.gens++
	return t.gens
}

// now is a mark of time for sighting.since.
func (t *inodes) now() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.clock
}

// stamp notes a change by this mount. Called with mu held.
func (t *inodes) stamp(n *inode) {
	t.clock++
	n.changed = t.clock
}

// sighting is what somebody has found under a name.
type sighting struct {
	version string // of the store; "" = the bytes are this mount's own, pending or just committed
	since   uint64 // when the search began, by inodes.now
	born    uint64 // of a file that this mount has just made; 0 = of one that was there
	known   bool   // the kernel is told of it
}

// look returns the number and generation of key. A version that is not the entry's is a
// foreign change: the generation grows. But stale tells that this mount has changed meanwhile what the name stands
// for: the version may be of the time before, and says nothing.
func (t *inodes) look(key string, s sighting) (ino, gen uint64, stale bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.enter(key, s)
}

// lookAgain is look where it changes nothing that is known; else it reports false.
func (t *inodes) lookAgain(key string, s sighting) (ino, gen uint64, same bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := t.byKey[key]; n != nil && (n.changed > s.since || n.version != s.version) {
		return 0, 0, false
	}
	ino, gen, _ = t.enter(key, s)
	return ino, gen, true
}

// enter is look. Called with mu held.
func (t *inodes) enter(key string, s sighting) (ino, gen uint64, stale bool) {
	n := t.byKey[key]
	if n == nil {
		n = &inode{ino: t.free(key), gen: t.fresh(), key: key, version: s.version, born: s.born, served: new(atomic.Bool)}
		t.byKey[key], t.byIno[n.ino] = n, n
	}
	if s.version != "" && n.changed > s.since {
		return n.ino, n.gen, true
	}
	if s.version != "" && n.version != s.version {
		if n.version != "" {
			n.gen = t.fresh()
			n.served = new(atomic.Bool)
		}
		n.version = s.version
	}
	if s.known {
		n.known = n.gen
	}
	return n.ino, n.gen, false
}

// adopt records that key now has version by our own doing, the uploader's operation op: same generation.
func (t *inodes) adopt(key, version string, op uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := t.byKey[key]; n != nil && n.born < op {
		n.version = version
		t.stamp(n)
	}
}

// keyOf gives the name that an inode has now; false if it has none.
func (t *inodes) keyOf(ino, gen uint64) (key string, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.byIno[ino]
	if n == nil || n.gen != gen || n.key == "" {
		return "", false
	}
	return n.key, true
}

// live gives the number of a key that the table has, 0 if it has not.
func (t *inodes) live(key string) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := t.byKey[key]; n != nil {
		return n.ino
	}
	return 0
}

// hold counts an open file of ino, which keeps the entry; drop ends it. It gives the mark of
// the generation that was opened: a mark that is set, where a newer one has taken its place.
func (t *inodes) hold(ino, gen uint64) (served *atomic.Bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.byIno[ino]
	if n != nil {
		n.open++
	}
	if n != nil && n.gen == gen {
		return n.served
	}
	served = new(atomic.Bool)
	served.Store(true)
	return served
}

func (t *inodes) drop(ino uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.byIno[ino]
	if n == nil {
		return
	}
	n.open--
	t.collect(n)
}

// held tells whether an open file has the number.
func (t *inodes) held(ino uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.byIno[ino]
	return n != nil && n.open > 0
}

// keep notes that the kernel holds the number.
func (t *inodes) keep(ino uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := t.byIno[ino]; n != nil {
		n.known = n.gen
	}
}

// forget: the kernel has no reference to the generation any more. It may have one to a newer one.
func (t *inodes) forget(ino, gen uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := t.byIno[ino]; n != nil && n.known == gen {
		n.known = 0
		t.collect(n)
	}
}

// collect removes an entry that nobody knows. Called with mu held.
func (t *inodes) collect(n *inode) {
	if n.known != 0 || n.open > 0 {
		return
	}
	delete(t.byIno, n.ino)
	if t.byKey[n.key] == n {
		delete(t.byKey, n.key)
	}
}

// unname takes the name from key's entry: unlinked, or replaced. Its number
// stays taken while the kernel or an open file knows it.
func (t *inodes) unname(key string) (ino uint64, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.byKey[key]
	if n == nil {
		return 0, false
	}
	delete(t.byKey, key)
	n.key = ""
	t.stamp(n)
	t.collect(n)
	return n.ino, true
}

// rename moves the entry of from, and with a directory key those of everything
// below it, to the new names. Entries that had these names lose them. born is the last operation of the
// uploader before the rename.
func (t *inodes) rename(from, to string, born uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !strings.HasSuffix(from, "/") {
		t.move(from, to, born)
		return
	}
	var below []string
	for key := range t.byKey {
		if strings.HasPrefix(key, from) {
			below = append(below, key)
		}
	}
	for _, key := range below {
		t.move(key, to+key[len(from):], born)
	}
}

// move re-keys one entry. Called with mu held.
func (t *inodes) move(from, to string, born uint64) {
	n := t.byKey[from]
	if n == nil {
		return
	}
	if old := t.byKey[to]; old != nil {
		old.key = ""
		t.collect(old)
	}
	delete(t.byKey, from)
	n.key, n.born = to, max(n.born, born)
	t.byKey[to] = n
	t.stamp(n)
}
