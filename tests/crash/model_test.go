package crash

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
)

// content is what a file may hold; nil = the file is absent.
type content *[sha256.Size]byte

func sum(p []byte) content { s := sha256.Sum256(p); return &s }

func equal(a, b content) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}

// file is one name with what it may hold. One worker owns it.
type file struct {
	path    string
	bytes   []byte    // the content after the last operation that ended
	present bool      // whether it existed then
	allowed []content // what it may hold now: more than one after an operation that did not end
	// begun is how many uploads of it had begun before what was closed last was written; -1: nothing was.
	// The test's own goroutine reads it while the worker goes on.
	begun   atomic.Int64
	origins *origins
}

func newFile(path string, o *origins) *file {
	f := &file{path: path, allowed: []content{nil}, origins: o}
	f.begun.Store(-1)
	return f
}

// settle makes the last operation certain.
func (f *file) settle(p []byte, present bool) {
	f.bytes, f.present = p, present
	f.allowed = []content{f.sum()}
}

func (f *file) sum() content {
	if !f.present {
		return nil
	}
	return sum(f.bytes)
}

// unsure says that an operation towards p did not end: before or after are both right.
func (f *file) unsure(p []byte, present bool) {
	after := content(nil)
	if present {
		after = sum(p)
	}
	f.allowed = append(f.allowed, after)
}

// outcome is what a check found.
type outcome int

const (
	right outcome = iota
	lost
	corrupt
	resurrected
)

// check compares the file on disk with what is allowed and makes what it
// finds the new truth.
func (f *file) check(dir string) (outcome, string) {
	p, err := os.ReadFile(filepath.Join(dir, f.path))
	present := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return corrupt, fmt.Sprintf("%s: %v", f.path, err)
	}
	got := content(nil)
	if present {
		got = sum(p)
	}
	for _, a := range f.allowed {
		if equal(a, got) {
			f.bytes, f.present, f.allowed = p, present, []content{got}
			return right, ""
		}
	}
	what := fmt.Sprintf("%s: %d bytes, present %v, %d states allowed, last ended with %d bytes, present %v; %s",
		f.path, len(p), present, len(f.allowed), len(f.bytes), f.present, f.compare(p))
	if again, err := os.ReadFile(filepath.Join(dir, f.path)); err != nil || !bytes.Equal(again, p) {
		what += fmt.Sprintf("; read again: %d bytes, %v, %s", len(again), err, f.compare(again))
	}
	switch {
	case !present:
		return lost, what
	case len(f.allowed) == 1 && f.allowed[0] == nil:
		return resurrected, what
	}
	return corrupt, what
}

// compare says where wrong bytes begin, what they are like, and which bytes that were written some time begin as they do.
func (f *file) compare(p []byte) string {
	same := 0
	for same < min(len(p), len(f.bytes)) && p[same] == f.bytes[same] {
		same++
	}
	return fmt.Sprintf("the first %d bytes are the last ones written, %d of the others are zeros; it begins like %s",
		same, bytes.Count(p[same:], []byte{0}), f.origins.of(p))
}

// origins tells where bytes were written first, by how they begin.
type origins struct {
	mu sync.Mutex
	by map[[beginning]byte]string
}

const beginning = 16

func (o *origins) note(op, path string, p []byte) {
	if len(p) < beginning {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.by == nil {
		o.by = map[[beginning]byte]string{}
	}
	if key := [beginning]byte(p); o.by[key] == "" {
		o.by[key] = fmt.Sprintf("%s of %s, %d bytes", op, path, len(p))
	}
}

func (o *origins) of(p []byte) string {
	if len(p) < beginning {
		return "nothing"
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if at, ok := o.by[[beginning]byte(p)]; ok {
		return at
	}
	return "nothing that was ever written"
}

// move is a rename that did not end: the file has one of two names.
type move struct {
	from, to *file
	data     content // of from
	old      content // of to; nil = it was absent
}

// check follows that of both names.
func (m *move) check() (outcome, string) {
	from, to := m.from.allowed[0], m.to.allowed[0]
	what := fmt.Sprintf("rename of %s to %s: present %v and %v", m.from.path, m.to.path, from != nil, to != nil)
	switch {
	case from != nil && equal(to, m.old), from == nil && equal(to, m.data):
		return right, ""
	case from == nil:
		return lost, what
	}
	return resurrected, what
}
