package crash

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
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
	closed  int       // operations that ended
}

// settle makes the last operation certain.
func (f *file) settle(p []byte, present bool) {
	f.bytes, f.present = p, present
	f.allowed = []content{f.sum()}
	f.closed++
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

// outcome is what a check of one file found.
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

// worker does operations on its own files until an operation fails, which is
// how it learns that the daemon was killed.
type worker struct {
	dir   string
	rnd   *rand.Rand
	files []*file
	ops   map[string]int
}

func newWorker(dir string, n int, seed uint64, files int) *worker {
	w := &worker{dir: dir, rnd: rand.New(rand.NewPCG(seed, uint64(n))), ops: map[string]int{}}
	for i := range files {
		w.files = append(w.files, &file{path: fmt.Sprintf("w%d-%d", n, i), allowed: []content{nil}})
	}
	return w
}

// size is mostly small, sometimes multipart, from 0 B to 20 MiB.
func (w *worker) size() int {
	switch n := w.rnd.IntN(100); {
	case n < 10:
		return 0
	case n < 75:
		return w.rnd.IntN(64 << 10)
	case n < 95:
		return w.rnd.IntN(1 << 20)
	}
	return w.rnd.IntN(20 << 20)
}

func (w *worker) random(n int) []byte {
	p := make([]byte, n)
	for i := 0; i+8 <= n; i += 8 {
		v := w.rnd.Uint64()
		p[i], p[i+1], p[i+2], p[i+3] = byte(v), byte(v>>8), byte(v>>16), byte(v>>24)
		p[i+4], p[i+5], p[i+6], p[i+7] = byte(v>>32), byte(v>>40), byte(v>>48), byte(v>>56)
	}
	return p
}

func (w *worker) run(wg *sync.WaitGroup) {
	defer wg.Done()
	for w.step() == nil {
	}
}

func (w *worker) step() error {
	f := w.files[w.rnd.IntN(len(w.files))]
	switch n := w.rnd.IntN(100); {
	case n < 45:
		return w.write(f, "create")
	case n < 65 && f.present:
		return w.append(f)
	case n < 85:
		return w.renameOver(f)
	case f.present:
		return w.unlink(f)
	}
	return nil
}

func (w *worker) write(f *file, name string) error {
	if f.present {
		name = "overwrite"
	}
	p := w.random(w.size())
	if err := writeFile(filepath.Join(w.dir, f.path), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, p); err != nil {
		f.unsure(p, true)
		return err
	}
	w.ops[name]++
	f.settle(p, true)
	return nil
}

func (w *worker) append(f *file) error {
	more := w.random(1 + w.rnd.IntN(8<<10))
	p := append(bytes.Clone(f.bytes), more...)
	if err := writeFile(filepath.Join(w.dir, f.path), os.O_WRONLY|os.O_APPEND, more); err != nil {
		f.unsure(p, true)
		return err
	}
	w.ops["append"]++
	f.settle(p, true)
	return nil
}

// renameOver writes beside the file and renames over it, as editors do. The
// temporary name is a file of the model too.
func (w *worker) renameOver(f *file) error {
	tmp := w.temp(f)
	if err := w.write(tmp, "create"); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(w.dir, tmp.path), filepath.Join(w.dir, f.path)); err != nil {
		f.unsure(tmp.bytes, true)
		tmp.unsure(nil, false)
		return err
	}
	w.ops["rename-over"]++
	f.settle(tmp.bytes, true)
	tmp.settle(nil, false)
	return nil
}

func (w *worker) temp(f *file) *file {
	name := f.path + ".new"
	for _, x := range w.files {
		if x.path == name {
			return x
		}
	}
	x := &file{path: name, allowed: []content{nil}}
	w.files = append(w.files, x)
	return x
}

func (w *worker) unlink(f *file) error {
	if err := os.Remove(filepath.Join(w.dir, f.path)); err != nil {
		f.unsure(nil, false)
		return err
	}
	w.ops["unlink"]++
	f.settle(nil, false)
	return nil
}

func writeFile(path string, flags int, p []byte) (err error) {
	fd, err := os.OpenFile(path, flags, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fd.Close()) }()
	_, err = io.Copy(fd, bytes.NewReader(p))
	return err
}
