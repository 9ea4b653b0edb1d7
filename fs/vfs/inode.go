package vfs

import (
	"hash/fnv"
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
	known   bool   // the kernel holds a reference

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
}

func newInodes() *inodes {
	return &inodes{byKey: make(map[string]*inode), byIno: make(map[uint64]*inode)}
}

// hashKey is the number that a key gets when nobody else has it.
func hashKey(key string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(key)) // a hash never fails
	return h.Sum64()
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
		return t.free(key), 1
	case version != "" && n.version != "" && n.version != version:
		return n.ino, n.gen + 1
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

// look returns the number and generation of key, now known to the kernel if
// known is set. A version that is neither "" nor the entry's is a foreign change:
// the generation grows. local says that the bytes are this mount's own (pending
// or just committed), which never changes the generation.
func (t *inodes) look(key, version string, local, known bool) (ino, gen uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.byKey[key]
	if n == nil {
		n = &inode{ino: t.free(key), gen: 1, key: key, version: version, served: new(atomic.Bool)}
		t.byKey[key], t.byIno[n.ino] = n, n
	}
	if version != "" && n.version != version {
		if n.version != "" && !local {
			n.gen++
			n.served = new(atomic.Bool)
		}
		n.version = version
	}
	n.known = n.known || known
	return n.ino, n.gen
}

// adopt records that key now has version by our own doing: same generation.
func (t *inodes) adopt(key, version string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := t.byKey[key]; n != nil {
		n.version = version
	}
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

// keep notes that the kernel holds the number.
func (t *inodes) keep(ino uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := t.byIno[ino]; n != nil {
		n.known = true
	}
}

// forget: the kernel has no reference any more.
func (t *inodes) forget(ino uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := t.byIno[ino]; n != nil {
		n.known = false
		t.collect(n)
	}
}

// collect removes an entry that nobody knows. Called with mu held.
func (t *inodes) collect(n *inode) {
	if n.known || n.open > 0 {
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
	if !n.known && n.open == 0 {
		delete(t.byIno, n.ino)
	}
	return n.ino, true
}

// rename moves the entry of from, and with a directory key those of everything
// below it, to the new names. Entries that had these names lose them.
func (t *inodes) rename(from, to string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !strings.HasSuffix(from, "/") {
		t.move(from, to)
		return
	}
	var below []string
	for key := range t.byKey {
		if strings.HasPrefix(key, from) {
			below = append(below, key)
		}
	}
	for _, key := range below {
		t.move(key, to+key[len(from):])
	}
}

// move re-keys one entry. Called with mu held.
func (t *inodes) move(from, to string) {
	n := t.byKey[from]
	if n == nil {
		return
	}
	if old := t.byKey[to]; old != nil {
		old.key = ""
	}
	delete(t.byKey, from)
	n.key = to
	t.byKey[to] = n
}
