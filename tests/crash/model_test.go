package crash

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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
	begun atomic.Int64
}

func newFile(path string) *file {
	f := &file{path: path, allowed: []content{nil}}
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
	what := fmt.Sprintf("%s: %d bytes, present %v, %d states allowed, last ended with %d bytes, present %v",
		f.path, len(p), present, len(f.allowed), len(f.bytes), f.present)
	switch {
	case !present:
		return lost, what
	case len(f.allowed) == 1 && f.allowed[0] == nil:
		return resurrected, what
	}
	return corrupt, what
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
