package fs

import (
	"sync"
	"syscall"
)

// defaultRemembered is how many files the kernel may remember if Options do not say.
const defaultRemembered = 1 << 17

// remembered are the files and symlinks that the kernel has a reference to, the ones that it has had for longest first. The kernel
// gives none back as long as it has memory, and each costs about a kilobyte here: where there are too many, the kernel is told to drop the oldest.
// Directories do not count: a program may stand in one, and would find itself nowhere.
type remembered struct {
	max   int
	drop  func(*node) bool // has the kernel drop the name of a node; false = not now. It may wait for the kernel
	crowd chan struct{}    // there may be too many

	mu          sync.Mutex
	n           int   // guarded by mu
	first, last *node // guarded by mu: a list by node.listed
}

// link is a node's place in the list.
type link struct {
	in         bool
	prev, next *node
}

func newRemembered(most int, drop func(*node) bool) *remembered {
	if most <= 0 {
		most = defaultRemembered
	}
	return &remembered{max: most, drop: drop, crowd: make(chan struct{}, 1)}
}

// add notes that the kernel is told of a node.
func (r *remembered) add(n *node) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n.listed.in {
		return
	}
	n.listed = link{in: true, prev: r.last}
	if r.last == nil {
		r.first = n
	} else {
		r.last.listed.next = n
	}
	r.last = n
	if r.n++; r.n > r.max {
		select {
		case r.crowd <- struct{}{}:
		default:
		}
	}
}

// remove notes that the kernel has dropped a node.
func (r *remembered) remove(n *node) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unlink(n)
}

// unlink is remove. Called with mu held.
func (r *remembered) unlink(n *node) {
	l := n.listed
	if !l.in {
		return
	}
	if l.prev == nil {
		r.first = l.next
	} else {
		l.prev.listed.next = l.next
	}
	if l.next == nil {
		r.last = l.prev
	} else {
		l.next.listed.prev = l.prev
	}
	n.listed = link{}
	r.n--
}

// count is how many there are.
func (r *remembered) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n
}

// full tells that only those should be added that somebody has asked for by name.
func (r *remembered) full() bool { return r.count() > r.max*3/4 }

// run keeps the bound until done is closed. It is a goroutine of its own: the kernel takes a notice when it has the locks of the directory.
func (r *remembered) run(done <-chan struct{}) {
	for {
		select {
		case <-done:
			return
		case <-r.crowd:
			r.shed(done)
		}
	}
}

// shed goes once at most through what there is, until an eighth is free. What can not be dropped now goes to the end.
func (r *remembered) shed(done <-chan struct{}) {
	for range r.count() {
		select {
		case <-done:
			return
		default:
		}
		r.mu.Lock()
		n := r.first
		if n == nil || r.n <= r.max-r.max/8 {
			r.mu.Unlock()
			return
		}
		r.unlink(n)
		r.mu.Unlock()
		if !r.drop(n) {
			r.add(n)
		}
	}
}

// forgettable has the kernel drop the name of a file, from which it gives the file back unless somebody has it open.
func (m *mount) forgettable(n *node) bool {
	name, parent := n.Parent()
	if parent == nil {
		return true // without a name it goes when it is closed
	}
	dir, ok := parent.Operations().(*node)
	if !ok || m.vfs.Held(n.StableAttr().Ino) || dir.busy.Load() > 0 {
		return false
	}
	switch errno := parent.NotifyEntry(name); errno {
	case 0, syscall.ENOENT, syscall.ENODEV, syscall.ENOTCONN: // the last two: unmounted meanwhile
		return true
	default:
		return false
	}
}
