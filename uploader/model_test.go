package uploader_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// step is one operation of a program, or an accident. All randomness is drawn before the
// bubble begins, so that rapid can shrink.
type step struct {
	op       string
	from, to string
	data     string
	off      int
	ms       int
	flag     bool
}

func drawSteps(t *rapid.T, ops []string) []step {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
		name := rapid.SampledFrom(modelNames)
		return step{
			op: rapid.SampledFrom(ops).Draw(t, "op"), from: key(name.Draw(t, "from")), to: key(name.Draw(t, "to")),
			data: rapid.StringMatching(`[a-z]{0,40}`).Draw(t, "data"), off: rapid.IntRange(0, 20).Draw(t, "off"),
			ms: rapid.IntRange(1, 3000).Draw(t, "ms"), flag: rapid.Bool().Draw(t, "flag"),
		}
	}), 1, 40).Draw(t, "steps")
}

// failure is how a model ends a run in a bubble.
type failure string

type panicker struct{}

func (panicker) Helper()                           {}
func (panicker) Fatalf(format string, args ...any) { panic(failure(fmt.Sprintf(format, args...))) }

// model is what a correct uploader makes of the bucket: names to contents, as
// a program in the mount sees them.
type model struct {
	*rig
	step

	t     panicker
	files map[string]string
	open  map[string]*uploader.File // one handle a name
	safe  map[string]string         // what a crash leaves of a name that is open
	left  map[string]bool           // names that an open file had before: nothing stored moves there until it is closed

	faulty  bool
	unknown *step // a rename that failed while the store did not answer: either name is right
}

// TestModel runs random operations with crashes, comparing overlay and bucket with a map.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := drawSteps(rt, []string{
			"put", "put", "edit", "remove", "rename", "rename", "open", "write", "close", "time", "crash", "drain", "headers", "checkpoint",
			"reopen", "reopen", "flush", "rename", "append", "append", "big", "big", "edit",
		})
		var failed any
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, memstore.Config{MinPart: 1}, func(c *uploader.Config) { c.PartSize, c.PinBase = 16, 24 })
			defer func() { r.stop() }()
			defer func() { failed = recover() }()
			check(t, r.u.Prove(t.Context(), level))
			r.ft = panicker{}
			m := &model{rig: r, files: map[string]string{}, open: map[string]*uploader.File{}, safe: map[string]string{}, left: map[string]bool{}}
			for _, s := range steps {
				m.do(s)
			}
			m.finish()
		})
		if failed != nil {
			rt.Fatalf("%v\nof %+v", failed, steps)
		}
	})
}

var modelNames = []string{"a", "b", "c.tmp", "d/e", "d/f", "g/e"}

func (m *model) do(s step) {
	m.step = m.aim(s)
	s = m.step
	switch s.op {
	case "put":
		m.put()
	case "big":
		m.data = strings.Repeat(m.data, 4+m.ms%8)
		m.put()
	case "edit":
		m.edit()
	case "remove":
		m.remove()
	case "rename":
		m.rename()
	case "open":
		m.openNew()
	case "write":
		m.write()
	case "append":
		m.append()
	case "close":
		m.closeName(s.from)
	case "reopen":
		m.reopen()
	case "flush":
		m.flush()
	case "time":
		time.Sleep(time.Duration(s.ms) * time.Millisecond)
		synctest.Wait()
	case "crash":
		m.crash()
	case "headers":
		m.headers()
	case "checkpoint":
		if err := m.u.Checkpoint(); err != nil {
			m.t.Fatalf("checkpoint: %v", err)
		}
	case "drain":
		if len(m.open) == 0 {
			m.drain()
			m.compare()
		}
	}
	m.look()
}

// aim turns a step to a file that it can do something with, so that runs get somewhere.
func (m *model) aim(s step) step {
	names := slices.Sorted(maps.Keys(m.files))
	if s.op == "write" || s.op == "append" || s.op == "flush" || s.op == "close" || s.op == "rename" && !s.flag {
		if open := slices.Sorted(maps.Keys(m.open)); len(open) > 0 {
			names = open
		}
	}
	if s.op != "put" && s.op != "open" && !slices.Contains(names, s.from) && len(names) > 0 {
		s.from = names[s.off%len(names)]
	}
	return s
}

// finish closes everything, waits, and compares with the bucket.
func (m *model) finish() {
	for _, n := range slices.Sorted(maps.Keys(m.open)) {
		m.closeName(n)
	}
	m.drain()
	m.compare()
}

func (m *model) put() {
	n := m.from
	if m.open[n] != nil {
		return
	}
	data := m.data
	m.rig.put(n, data)
	m.files[n] = data
}

// base is what vfs would know: the store's version where the overlay has nothing to say.
func (m *model) edit() {
	n := m.from
	old, ok := m.files[n]
	if !ok || m.open[n] != nil {
		return
	}
	f := m.rig.edit(n)
	off := min(m.off*(1+m.ms%16), len(old)+3)
	data := m.data
	written := m.tryWrite(f, data, int64(off))
	m.rig.close(f)
	if written {
		m.files[n] = patch(old, data, off)
	}
}

// tryWrite writes. Behind a change of headers that has no answer that may fail, and has changed nothing then.
func (m *model) tryWrite(f *uploader.File, data string, off int64) bool {
	_, err := f.WriteAt(context.Background(), []byte(data), off)
	if m.faulty && errors.Is(err, store.ErrTransient) {
		return false
	}
	check(m.t, err)
	return true
}

func patch(old, data string, off int) string {
	if data == "" {
		return old
	}
	b := make([]byte, max(len(old), off+len(data)))
	copy(b, old)
	copy(b[off:], data)
	return string(b)
}

func (m *model) openNew() {
	n := m.from
	if m.open[n] != nil {
		return
	}
	m.safe[n] = "\x00absent"
	if old, ok := m.files[n]; ok {
		m.safe[n] = old
	}
	m.open[n] = m.create(n)
	m.files[n] = ""
}

func (m *model) write() {
	n, data, off := m.from, m.data, m.off*(1+m.ms%16)
	if m.open[n] == nil {
		return
	}
	if m.tryWrite(m.open[n], data, int64(off)) {
		m.files[n] = patch(m.files[n], data, off)
	}
}

// append makes an open file longer by some parts, piece by piece.
func (m *model) append() {
	n := m.from
	if m.open[n] == nil || len(m.files[n]) > 400 {
		return
	}
	for range 1 + m.ms%6 {
		if m.tryWrite(m.open[n], m.data, int64(len(m.files[n]))) {
			m.files[n] += m.data
		}
	}
}

// reopen opens a file that is there: the only open one, since two such can not change names in a crash.
func (m *model) reopen() {
	n := m.from
	old, ok := m.files[n]
	if !ok || len(m.open) > 0 {
		return
	}
	m.safe[n], m.open[n] = old, m.rig.edit(n)
}

// flush is a close of another descriptor of the file: a crash leaves what it has now.
func (m *model) flush() {
	n := m.from
	if m.open[n] == nil || m.safe[n] == "\x00absent" || m.files[n] == "" {
		return
	}
	check(m.t, m.open[n].Flush(context.Background()))
	m.safe[n] = m.files[n]
}

func (m *model) closeName(n string) {
	if m.open[n] == nil {
		return
	}
	clear(m.left)
	m.rig.close(m.open[n])
	delete(m.open, n)
	delete(m.safe, n)
}

func (m *model) remove() {
	n := m.from
	if m.open[n] != nil {
		return
	}
	_, ok := m.files[n]
	err := m.u.Remove(context.Background(), n, m.stored(n), uploader.RemoveOptions{})
	if ok != (err == nil) || !ok && !errors.Is(err, fs.ErrNotExist) {
		m.t.Fatalf("remove %q, exists %v: %v", n, ok, err)
	}
	delete(m.files, n)
}

func (m *model) rename() {
	from, to := m.from, m.to
	if from == to || m.open[to] != nil || m.left[to] {
		return
	}
	if m.open[from] != nil && (len(m.open) > 1 || m.safe[from] == "\x00absent") {
		return
	}
	noReplace := m.flag
	err := m.u.Rename(context.Background(), from, to, m.stored(from), m.stored(to), noReplace)
	data, ok := m.files[from]
	_, exists := m.files[to]
	switch {
	case !ok:
		if !errors.Is(err, fs.ErrNotExist) {
			m.t.Fatalf("rename of absent %q: %v", from, err)
		}
	case exists && noReplace:
		if !errors.Is(err, fs.ErrExist) {
			m.t.Fatalf("rename of %q onto %q: %v", from, to, err)
		}
	case err != nil && m.faulty:
		s := m.step
		m.unknown = &s
	case err != nil:
		m.t.Fatalf("rename: %v", err)
	default:
		delete(m.files, from)
		m.files[to] = data
		if f := m.open[from]; f != nil {
			m.open[to], m.safe[to], m.left[from] = f, m.safe[from], true
			delete(m.open, from)
			delete(m.safe, from)
		}
	}
}

func (m *model) headers() {
	n := m.from
	if _, ok := m.files[n]; !ok || m.open[n] != nil {
		return
	}
	h := memHeaders(fmt.Sprint(m.off))
	check(m.t, m.u.SetHeaders(context.Background(), n, m.stored(n), h))
}

// crash loses what was open and not flushed: the version below it is back.
func (m *model) crash() {
	m.rig.crash()
	for n := range m.open {
		if m.safe[n] == "\x00absent" {
			delete(m.files, n)
		} else {
			m.files[n] = m.safe[n]
		}
	}
	clear(m.open)
	clear(m.safe)
	clear(m.left)
}

// look compares what the mount would show with the model: overlay over bucket.
func (m *model) look() {
	synctest.Wait()
	if m.unknown != nil {
		return
	}
	for _, short := range modelNames {
		n := key(short)
		want, exists := m.files[n]
		i, pending := m.u.Lookup(n)
		got, ok := m.bucket()[n]
		if pending && i.Kind != uploader.KindAttr {
			ok = i.Kind == uploader.KindFile
			if i.State == uploader.StateMoving {
				got = m.bucket()[i.Source.Key]
			}
			if f := m.u.File(n); ok && f != nil {
				if got = want; !m.faulty { // there a read may fail
					got = m.read(f)
				}
				check(m.t, f.Release(context.Background(), false))
			}
		}
		if ok != exists || ok && got != want {
			m.t.Fatalf("%q: is %q (exists %v), want %q (exists %v); overlay %+v", n, got, ok, want, exists, i)
		}
	}
}

func (m *model) compare() {
	got := m.bucket()
	if !maps.Equal(got, m.files) {
		m.t.Fatalf("bucket %q, want %q; status %+v", got, m.files, m.u.Status().Items)
	}
	if s := m.u.Status(); s.Queued+s.Sending+s.Failed != 0 || s.Bytes != 0 {
		m.t.Fatalf("counters of nothing: %s", fmt.Sprintf("%+v", s.Counts))
	}
}
