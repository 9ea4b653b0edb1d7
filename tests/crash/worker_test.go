package crash

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	partSize  = 8 << 20 // the product's: what is larger goes in parts
	largest   = 40 << 20
	smallEach = 8 // names of a worker
	largeEach = 2
)

// load is what the workers of one run share.
type load struct {
	dir     string                // the level's directory in the mount
	begun   func(path string) int // uploads of a file that have begun so far
	killed  atomic.Bool           // operations may fail
	large   atomic.Int64          // of 1,000 operations, how many are on large files
	closes  atomic.Int64          // in this round
	quota   int64                 // closes that a round has at least, as far as it can
	closed  chan *file            // a file that has just been closed, if anybody wants to know
	origins origins
	errs    chan error // operations that failed though nobody had killed anything
}

// worker does operations on its own files until one fails, which is how it learns that the daemon was killed.
type worker struct {
	*load

	rnd    *rand.Rand
	small  []*file
	big    []*file
	moving *move // the rename that did not end
	ops    map[string]int
	count  int      // files closed with changes
	synced int      // of them with fsync before
	trace  []string // what was done last
}

func newWorker(l *load, n int, seed uint64) *worker {
	w := &worker{load: l, rnd: rand.New(rand.NewPCG(seed, uint64(n))), ops: map[string]int{}}
	for i := range smallEach {
		w.small = append(w.small, newFile(fmt.Sprintf("w%d-%d", n, i), &l.origins))
	}
	for i := range largeEach {
		w.big = append(w.big, newFile(fmt.Sprintf("w%d-large-%d", n, i), &l.origins))
	}
	return w
}

func (w *worker) files() []*file { return slices.Concat(w.small, w.big) }

// size is from 0 B to 40 MiB, mostly small.
func (w *worker) size(large bool) int {
	switch n := w.rnd.IntN(100); {
	case large:
		return partSize + 1 + w.rnd.IntN(largest-partSize)
	case n < 10:
		return 0
	case n < 75:
		return w.rnd.IntN(64 << 10)
	case n < 98:
		return w.rnd.IntN(1 << 20)
	}
	return w.rnd.IntN(partSize + 1)
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
	for {
		err := w.step()
		if err == nil {
			continue
		}
		if !w.killed.Load() {
			select {
			case w.errs <- err:
			default: // one is enough
			}
		}
		return
	}
}

func (w *worker) step() error {
	large := int64(w.rnd.IntN(1000)) < w.large.Load()
	list := w.small
	if large {
		list = w.big
	}
	f := list[w.rnd.IntN(len(list))]
	if !f.present {
		return w.write(f, "create", large)
	}
	switch n := w.rnd.IntN(100); {
	case n < 25:
		return w.write(f, "overwrite", large)
	case n < 40:
		return w.append(f, large)
	case n < 55:
		return w.truncate(f, large)
	case n < 75:
		return w.renameTo(f, list)
	case n < 85 && !large && !strings.HasSuffix(f.path, ".new"):
		return w.replace(f)
	}
	return w.unlink(f)
}

// done counts an operation by the size of what it has made, moved or removed.
func (w *worker) done(op string, size int) {
	class := "small"
	if size > partSize {
		class = "multipart"
	}
	w.ops[op+" "+class]++
}

func (w *worker) write(f *file, op string, large bool) error {
	p := w.random(w.size(large))
	return w.change(f, op, p, func() (bool, error) {
		return w.writeFile(f, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, p)
	})
}

func (w *worker) append(f *file, large bool) error {
	n := 1 + w.rnd.IntN(8<<10)
	if large {
		n = 1 + w.rnd.IntN(2<<20)
	}
	n = min(n, max(1, largest-len(f.bytes)))
	more := w.random(n)
	return w.change(f, "append", append(bytes.Clone(f.bytes), more...), func() (bool, error) {
		return w.writeFile(f, os.O_WRONLY|os.O_APPEND, more)
	})
}

// truncate makes a file shorter or longer; a large one stays large.
func (w *worker) truncate(f *file, large bool) error {
	n := w.rnd.IntN(min(2*len(f.bytes)+1, 1<<20))
	if large {
		n = w.size(true)
	}
	p := bytes.Clone(f.bytes[:min(n, len(f.bytes))])
	p = append(p, make([]byte, n-len(p))...)
	return w.change(f, "truncate", p, func() (bool, error) { return false, os.Truncate(w.path(f), int64(n)) })
}

// note keeps what was done, for messages.
func (w *worker) note(op string, f *file, more ...any) {
	w.trace = append(w.trace[max(0, len(w.trace)-40):], fmt.Sprintln(append([]any{op, f.path}, more...)...))
}

// change runs an operation that leaves p in a file. do tells whether p was synced, though it may fail afterwards.
func (w *worker) change(f *file, op string, p []byte, do func() (synced bool, err error)) error {
	w.origins.note(op, f.path, p)
	before := w.begun(f.path)
	synced, err := do()
	w.note(op, f, len(f.bytes), "->", len(p), "synced", synced, err)
	switch {
	case err != nil && synced:
		f.settle(p, true)
		return err
	case err != nil:
		f.unsure(p, true)
		return err
	}
	w.done(op, len(p))
	w.count++
	w.load.closes.Add(1)
	if synced {
		w.synced++
	}
	f.settle(p, true)
	f.begun.Store(int64(before))
	select {
	case w.closed <- f:
	default:
	}
	return nil
}

// renameTo gives a file another name, one that is free if there is one, else it takes that of another file.
func (w *worker) renameTo(f *file, list []*file) error {
	others := slices.DeleteFunc(slices.Clone(list), func(o *file) bool { return o == f })
	to := others[w.rnd.IntN(len(others))]
	return w.rename(f, to)
}

// replace writes beside a file and renames over it, as editors do. The other name is a file of the model too.
func (w *worker) replace(f *file) error {
	tmp := w.temp(f)
	op := "create"
	if tmp.present {
		op = "overwrite"
	}
	if err := w.write(tmp, op, false); err != nil {
		return err
	}
	return w.rename(tmp, f)
}

func (w *worker) rename(from, to *file) error {
	err := os.Rename(w.path(from), w.path(to))
	w.note("rename", from, len(from.bytes), "to", to.path, to.present, len(to.bytes), err)
	if err != nil {
		w.moving = &move{from: from, to: to, data: from.sum(), old: to.sum()}
		to.unsure(from.bytes, true)
		from.unsure(nil, false)
		return err
	}
	op := "rename"
	if to.present {
		op = "rename-over"
	}
	w.done(op, len(from.bytes))
	to.settle(from.bytes, true)
	from.settle(nil, false)
	from.begun.Store(-1)
	to.begun.Store(-1)
	return nil
}

func (w *worker) temp(f *file) *file {
	name := f.path + ".new"
	for _, x := range w.small {
		if x.path == name {
			return x
		}
	}
	x := newFile(name, &w.origins)
	w.small = append(w.small, x)
	return x
}

func (w *worker) unlink(f *file) error {
	err := os.Remove(w.path(f))
	w.note("unlink", f, len(f.bytes), err)
	if err != nil {
		f.unsure(nil, false)
		return err
	}
	w.done("unlink", len(f.bytes))
	f.settle(nil, false)
	f.begun.Store(-1)
	return nil
}

func (w *worker) path(f *file) string { return filepath.Join(w.dir, f.path) }

// writeFile opens, writes, sometimes syncs, and closes.
func (w *worker) writeFile(f *file, flags int, p []byte) (synced bool, err error) {
	sync := w.rnd.IntN(10) == 0
	fd, err := os.OpenFile(w.path(f), flags, 0o644)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, fd.Close()) }()
	if _, err := io.Copy(fd, bytes.NewReader(p)); err != nil || !sync {
		return false, err
	}
	err = fd.Sync()
	return err == nil, err
}

// check compares all files of the worker with the model.
func (w *worker) check(dir string, bad func(o outcome, name, what string)) {
	good := true
	tell := func(f *file, o outcome, what string) {
		if o != right {
			good = false
			bad(o, f.path, what+"; the worker's last operations:\n\t"+strings.Join(w.trace, "\t"))
		}
	}
	for _, f := range w.files() {
		f.begun.Store(-1)
		o, what := f.check(dir)
		tell(f, o, what)
	}
	if w.moving != nil && good { // else that is the news
		o, what := w.moving.check()
		tell(w.moving.from, o, what)
	}
	w.moving = nil
	w.trace = append(w.trace, "killed\n")
}
