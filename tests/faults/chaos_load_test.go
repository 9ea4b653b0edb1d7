package faults

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// chaosWriter is a program with a directory of its own, whose files it knows.
type chaosWriter struct {
	*chaosLoad

	t         *testing.T
	n         int
	rnd       *rand.Rand
	files     map[string][]byte
	made      uint64 // contents
	did       []string
	root, pub *os.Root
}

// note remembers what was done.
func (x *chaosWriter) note(format string, args ...any) {
	x.did = append(x.did, time.Now().Format("04:05.000 ")+fmt.Sprintf(format, args...))
}

// wrong fails the test, with what was done before.
func (x *chaosWriter) wrong(format string, args ...any) {
	x.t.Errorf("%s\n%s", fmt.Sprintf(format, args...), strings.Join(x.did[max(0, len(x.did)-300):], "\n"))
}

// work does one thing after the other.
func (x *chaosWriter) work() {
	things := []func(){
		x.create, x.create, x.overwrite, x.appendTo, x.patch, x.truncate, x.rename, x.rename, x.remove,
		x.readOne, x.readOne, x.readOne, x.list, x.publish, x.publish,
	}
	for time.Now().Before(x.end) && !x.t.Failed() {
		things[x.rnd.IntN(len(things))]()
	}
}

// bytes are new ones: mostly few, sometimes more than a part.
func (x *chaosWriter) bytes() []byte {
	x.made++
	n := x.rnd.IntN(40_000)
	switch x.rnd.IntN(60) {
	case 0:
		n = partSize + x.rnd.IntN(partSize)
	case 1, 2, 3, 4:
		n = x.rnd.IntN(4 * mib)
	case 5, 6, 7:
		n = 0
	}
	return noise(uint64(x.n)<<32|x.made, n)
}

func (x *chaosWriter) newName() string {
	for {
		if name := fmt.Sprintf("f%d.bin", x.rnd.IntN(30)); x.files[name] == nil {
			return name
		}
	}
}

// some is a file that there is, "" when there is none.
func (x *chaosWriter) some() string {
	names := slices.Sorted(maps.Keys(x.files))
	if len(names) == 0 {
		return ""
	}
	return names[x.rnd.IntN(len(names))]
}

// tolerated notes an error that is no surprise; another fails the test.
func (x *chaosWriter) tolerated(what string, err error) {
	if x.note("%s: %v", what, err); !errors.Is(err, unix.EIO) {
		x.wrong("%s by %d: %v", what, x.n, err)
	}
}

// save opens a file, has it changed and closes it. That the open fails has changed nothing; nothing else may fail.
func (x *chaosWriter) save(name string, flags int, change func(*os.File) error) bool {
	var f *os.File
	err := x.times.of("open", func() (err error) { f, err = x.root.OpenFile(name, flags, 0o600); return err })
	if err != nil {
		x.tolerated("open "+name, err)
		return false
	}
	if err := x.times.of("write", func() error { return change(f) }); err != nil {
		x.wrong("write %s: %v", name, err)
	}
	if err := x.times.of("close", f.Close); err != nil {
		x.wrong("close %s: %v", name, err)
	}
	x.note("saved %s, flags %#x", name, flags)
	return true
}

func (x *chaosWriter) create() {
	if len(x.files) > 20 {
		x.remove()
		return
	}
	name, data := x.newName(), x.bytes()
	if x.save(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, func(f *os.File) error { _, err := f.Write(data); return err }) {
		x.files[name] = data
	}
}

func (x *chaosWriter) overwrite() {
	name, data := x.some(), x.bytes()
	if name != "" && x.save(name, os.O_WRONLY|os.O_TRUNC, func(f *os.File) error { _, err := f.Write(data); return err }) {
		x.files[name] = data
	}
}

func (x *chaosWriter) appendTo() {
	name, data := x.some(), x.bytes()
	if name != "" && x.save(name, os.O_WRONLY|os.O_APPEND, func(f *os.File) error { _, err := f.Write(data); return err }) {
		x.files[name] = append(slices.Clip(x.files[name]), data...)
	}
}

func (x *chaosWriter) patch() {
	name := x.some()
	if name == "" {
		return
	}
	data := noise(uint64(x.n)<<32|1<<31|x.made, 1+x.rnd.IntN(5000))
	off := x.rnd.IntN(len(x.files[name]) + 1)
	if x.save(name, os.O_WRONLY, func(f *os.File) error { _, err := f.WriteAt(data, int64(off)); return err }) {
		x.files[name] = append(append(slices.Clone(x.files[name][:off]), data...), x.files[name][min(off+len(data), len(x.files[name])):]...)
	}
}

func (x *chaosWriter) truncate() {
	name := x.some()
	if name == "" {
		return
	}
	n := x.rnd.IntN(len(x.files[name]) + 5000)
	if x.save(name, os.O_WRONLY, func(f *os.File) error { return f.Truncate(int64(n)) }) {
		x.files[name] = append(slices.Clone(x.files[name][:min(n, len(x.files[name]))]), make([]byte, max(0, n-len(x.files[name])))...)
	}
}

// rename moves a file to a new name or over another. One that failed was made or was not.
func (x *chaosWriter) rename() {
	from := x.some()
	if from == "" {
		return
	}
	to := x.newName()
	if x.rnd.IntN(2) == 0 {
		to = x.some()
	}
	x.note("rename %s %s", from, to)
	err := x.times.of("rename", func() error { return x.root.Rename(from, to) })
	x.note("done")
	if err != nil {
		x.tolerated("rename", err)
		if there := x.exists(from); there {
			return
		}
		x.note("made all the same")
	}
	if from != to {
		x.files[to] = x.files[from]
		delete(x.files, from)
	}
}

func (x *chaosWriter) remove() {
	name := x.some()
	if name == "" {
		return
	}
	x.note("unlink %s", name)
	err := x.times.of("unlink", func() error { return x.root.Remove(name) })
	x.note("done")
	if err != nil {
		x.tolerated("unlink", err)
		if x.exists(name) {
			return
		}
	}
	delete(x.files, name)
}

// exists asks until there is an answer.
func (x *chaosWriter) exists(name string) bool {
	for {
		err := x.times.of("stat", func() error { _, err := x.root.Lstat(name); return err })
		if err == nil || errors.Is(err, os.ErrNotExist) {
			return err == nil
		}
		x.tolerated("stat "+name, err)
	}
}

func (x *chaosWriter) readOne() {
	name := x.some()
	if name == "" {
		return
	}
	got, err := x.readAll(x.root, name)
	if err != nil {
		x.tolerated("read "+name, err)
	} else if !bytes.Equal(got, x.files[name]) {
		x.wrong("%s of %d: wrong bytes: %d, want %d, first difference at %d", name, x.n, len(got), len(x.files[name]), differ(got, x.files[name]))
	}
}

// differ is where two texts part.
func differ(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// readAll reads a file past the kernel's cache, a piece with each call.
func (c *chaosLoad) readAll(root *os.Root, name string) (all []byte, err error) {
	var f *os.File
	if err := c.times.of("open", func() (err error) { f, err = root.Open(name); return err }); err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // opened for reading
	_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
	for p := make([]byte, 256<<10); ; {
		var n int
		err := c.times.of("read", func() (err error) {
			if n, err = f.Read(p); errors.Is(err, io.EOF) {
				n, err = 0, nil
			}
			return err
		})
		if err != nil || n == 0 {
			return all, err
		}
		all = append(all, p[:n]...)
	}
}

func (x *chaosWriter) list() {
	dir, err := x.root.Open(".")
	if err != nil {
		x.tolerated("open the directory", err)
		return
	}
	defer func() { _ = dir.Close() }() // opened for reading
	var names []string
	x.note("list")
	if err := x.times.of("list", func() (err error) { names, err = dir.Readdirnames(-1); return err }); err != nil {
		x.tolerated("list", err)
		return
	}
	slices.Sort(names)
	if want := slices.Sorted(maps.Keys(x.files)); !slices.Equal(names, want) {
		x.wrong("directory %d lists %q, want %q", x.n, names, want)
	}
}

// published is a file that is replaced by rename again and again: who reads it gets one whole version, the one before or
// the one after.
type published struct{ begun, done int }

func pubName(n int) string { return fmt.Sprintf("pub%d", n) }

func pubData(n, version int) []byte {
	return fmt.Appendf(noise(uint64(n)<<32|1<<30|uint64(version), 1000+version*997%300_000), " %d", version)
}

func (x *chaosWriter) publish() {
	x.mu.Lock()
	p := &x.pubs[x.n]
	p.begun++
	version := p.begun
	x.mu.Unlock()
	temp := fmt.Sprintf(".new%d.tmp", x.n)
	f, err := x.pub.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		x.tolerated("open "+temp, err)
		return
	}
	if _, err := f.Write(pubData(x.n, version)); err != nil {
		x.t.Errorf("write %s: %v", temp, err)
	}
	if err := f.Close(); err != nil {
		x.t.Errorf("close %s: %v", temp, err)
	}
	if err := x.times.of("replace", func() error { return x.pub.Rename(temp, pubName(x.n)) }); err != nil {
		x.t.Errorf("rename of a file that is not uploaded yet: %v", err)
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	p.done = version
}

// chaosReader reads what is being replaced, in the same mount or in another one, which sees it later.
type chaosReader struct {
	*chaosLoad

	t    *testing.T
	rnd  *rand.Rand
	pub  *os.Root
	far  bool
	seen [chaosWriters]int // the latest version
	read int
}

func (r *chaosReader) work() {
	for time.Now().Before(r.end) && !r.t.Failed() {
		r.readOne(r.rnd.IntN(chaosWriters))
		<-time.After(time.Duration(r.rnd.IntN(50)) * time.Millisecond)
	}
	if r.read == 0 {
		r.t.Error("a reader has read nothing")
	}
	_ = r.pub.Close() // directories hold the mount
}

func (r *chaosReader) readOne(n int) {
	r.mu.Lock()
	first := r.pubs[n].done
	r.mu.Unlock()
	got, err := r.readAll(r.pub, pubName(n))
	r.mu.Lock()
	last := r.pubs[n].begun
	r.mu.Unlock()
	if r.far {
		first = r.seen[n]
	}
	switch {
	case errors.Is(err, unix.EIO):
	case errors.Is(err, os.ErrNotExist) && first == 0:
	case errors.Is(err, unix.ESTALE) && r.far: // replaced while it was being read
	case err != nil:
		r.t.Errorf("read %s: %v", pubName(n), err)
	default:
		for v := max(first, 1); v <= last; v++ {
			if bytes.Equal(got, pubData(n, v)) {
				r.seen[n] = v
				r.read++
				return
			}
		}
		r.t.Errorf("%s: %d bytes are none of the versions %d to %d (other mount: %v)", pubName(n), len(got), first, last, r.far)
	}
}
