package uploader_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// wild is a run for an invariant: programs of this mount, foreign writers, faults and crashes at random. Unlike the models it
// does not know what the bucket has to be; it knows what was acknowledged, and asks the invariant at each request and
// after each step. No two writes have the same bytes, so that bytes say which write they are.
type wild struct {
	*rig

	faults  *faultstore.Store
	handles []*handle
	writes  int

	mu       sync.Mutex
	known    map[string]uploader.Base // what this mount heard last of a key
	removed  map[string]bool          // keys that somebody else has removed
	versions map[string]string        // bytes by ETag
	bytesOf  map[string]string        // by generation, as far as written
	closed   map[string]bool          // bytes that were closed once
	acked    map[string]string        // bytes that must not be lost: their generation
	names    map[string]string        // bytes that were closed at a name last
	moved    map[string]bool          // bytes that were renamed, not replaced or unlinked since
	told     map[string]bool          // versions (key and ETag) that this mount knew of
	foreign  map[string]time.Time     // when somebody else made a version (key and ETag)
	bad      string                   // the first violation
}

// handle is one open file.
type handle struct {
	f         *uploader.File
	bytes     string
	prev      string // what it was closed with last, or the file before it
	gone      bool
	dirty     bool // written since the last flush
	fsync     bool // synced since it was closed last
	truncated bool // when it was opened
}

// invariant is asked by a wild run.
type invariant struct {
	before func(*wild, faultstore.Call)
	after  func(*wild, faultstore.Call, error)
	step   func(*wild)
	end    func(*wild)
}

func (w *wild) violated(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.bad == "" {
		w.bad = fmt.Sprintf(format, args...)
	}
}

// latency is the time that a request takes.
const latency = 30 * time.Millisecond

var wildSteps = []string{
	"put", "put", "edit", "open", "write", "write", "flush", "flush", "fsync", "fsync", "close", "close", "remove", "rename", "rename", "renamedir",
	"headers", "time", "time", "crash", "foreign", "gone", "race",
}

// checkInvariant runs an invariant on random runs.
func checkInvariant(t *testing.T, inv func() *invariant) {
	t.Helper()
	const times = 2 // a run is cheap
	t.Parallel()
	for range times {
		rapid.Check(t, func(rt *rapid.T) { checkWild(t, rt, inv) })
	}
}

func checkWild(t *testing.T, rt *rapid.T, inv func() *invariant) {
	t.Helper()
	steps := drawSteps(rt, wildSteps)
	var rules []faultstore.Rule
	for range rapid.IntRange(0, 4).Draw(rt, "faults") {
		rules = append(rules, faultstore.Rule{
			Op:  rapid.SampledFrom([]string{faultstore.AnyOp, faultstore.AnyWrite, op.Put, op.Copy}).Draw(rt, "ops"),
			Nth: rapid.IntRange(1, 12).Draw(rt, "nth"), Count: rapid.SampledFrom([]int{1, 2, 3, 4, 5, 6, 8, faultstore.Forever}).Draw(rt, "count"),
			Fault: rapid.SampledFrom(faults()).Draw(rt, "fault"),
		})
	}
	var bad any
	var fired []string
	synctest.Test(t, func(t *testing.T) { bad, fired = runWild(t, inv(), steps, rules) })
	if bad != nil {
		rt.Fatalf("%v\nof %+v\nfired %q", bad, steps, fired)
	}
}

func runWild(t *testing.T, inv *invariant, steps []step, rules []faultstore.Rule) (bad any, fired []string) {
	r := newRig(t, memstore.Config{MinPart: 1}, func(c *uploader.Config) { c.PartSize = 16 })
	defer func() { r.stop() }()
	f := faultstore.New(r.mem)
	defer func() {
		fired = f.Fired()
		if p := recover(); p != nil {
			bad = p
		}
	}()
	r.stop()
	r.store = f
	r.open()
	check(t, r.u.Prove(t.Context(), level))
	r.ft = panicker{}
	w := &wild{
		rig: r, faults: f, known: map[string]uploader.Base{}, versions: map[string]string{}, bytesOf: map[string]string{},
		closed: map[string]bool{}, acked: map[string]string{}, names: map[string]string{}, moved: map[string]bool{},
		told: map[string]bool{}, removed: map[string]bool{}, foreign: map[string]time.Time{},
	}
	f.SetHooks(w.hooks(inv))
	f.Add(rules...)
	for _, s := range steps {
		w.do(s)
		synctest.Wait()
		if inv.step != nil {
			inv.step(w)
		}
		if w.bad != "" {
			return fmt.Sprintf("at %+v: %s; pending %q", s, w.bad, w.u.Dump()), fired
		}
	}
	w.finish()
	if inv.end != nil {
		inv.end(w)
	}
	if w.bad != "" {
		return fmt.Sprintf("in the end: %s; pending %q; bucket %q", w.bad, w.u.Dump(), w.bucket()), fired
	}
	return nil, fired
}

// finish closes all, ends the faults and drains.
func (w *wild) finish() {
	for len(w.handles) > 0 {
		w.close(0)
	}
	w.faults.Clear()
	w.faults.Release()
	time.Sleep(time.Hour)
	w.drain()
}

// hooks ask the invariant, and learn what the store makes of our writes.
func (w *wild) hooks(inv *invariant) faultstore.Hooks {
	return faultstore.Hooks{
		Before: func(c faultstore.Call) {
			if inv.before != nil && !strings.Contains(c.Key, ".s3levelfs-probe-") {
				inv.before(w, c)
			}
			if c.IsWrite() {
				time.Sleep(latency)
			}
		},
		After: func(c faultstore.Call, err error) {
			if strings.Contains(c.Key, ".s3levelfs-probe-") {
				return
			}
			if c.IsWrite() {
				w.learn()
			}
			if inv.after != nil {
				inv.after(w, c, err)
			}
		},
	}
}

// learn: the mount is told of what it has made of the bucket.
func (w *wild) learn() {
	objects := w.mem.Objects()
	w.mu.Lock()
	defer w.mu.Unlock()
	for k, o := range objects {
		w.versions[o.ETag] = string(o.Data)
		if _, theirs := w.foreign[k+" "+o.ETag]; !theirs {
			w.told[k+" "+o.ETag] = true
			w.known[k] = w.stored(k)
			delete(w.removed, k)
		}
	}
	for k := range w.known {
		if _, there := objects[k]; !there && !w.removed[k] {
			w.known[k] = absent()
		}
	}
}

// base is what the mount knows of a key: what it heard last, or, as drawn, what is there now.
func (w *wild) base(k string, fresh bool) uploader.Base {
	w.mu.Lock()
	defer w.mu.Unlock()
	b, ok := w.known[k]
	if fresh || !ok {
		b = w.stored(k)
		w.known[k] = b
	}
	w.told[k+" "+b.ETag] = true
	return b
}

func (w *wild) do(s step) {
	switch s.op {
	case "put":
		if w.begin(s.from, true, s.flag) {
			w.write(len(w.handles)-1, 0)
			w.close(len(w.handles) - 1)
		}
	case "edit":
		if w.begin(s.from, false, s.flag) {
			w.write(len(w.handles)-1, s.off)
			w.close(len(w.handles) - 1)
		}
	case "open":
		w.begin(s.from, s.off%2 == 0, s.flag)
	case "write", "flush", "fsync", "close":
		if len(w.handles) > 0 {
			w.onHandle(s, s.off%len(w.handles))
		}
	case "remove":
		w.unlink(s.from, s.flag)
	case "rename":
		w.renames(s.from, s.to, s.flag)
	case "race": // somebody writes what is about to be removed
		w.unlink(s.from, true)
		time.Sleep(time.Duration(s.ms%100) * time.Millisecond)
		w.do(step{op: "foreign", from: s.from})
	case "renamedir":
		w.renameDir()
	case "headers":
		_ = w.u.SetHeaders(context.Background(), s.from, w.base(s.from, s.flag), memHeaders(fmt.Sprint(s.off)))
	case "time":
		time.Sleep(time.Duration(s.ms) * time.Millisecond)
	case "crash":
		w.mu.Lock()
		for _, h := range w.handles {
			if h.fsync { // what was written since goes with it
				w.closed[h.bytes] = true
			}
		}
		w.mu.Unlock()
		w.rig.crash()
		w.handles = nil
	case "foreign":
		w.writes++
		w.forget(s.from)
		data := fmt.Sprintf("(theirs %d)", w.writes)
		etag := w.mem.PutString(s.from, data)
		w.mu.Lock()
		w.versions[etag] = data
		w.foreign[s.from+" "+etag] = time.Now()
		w.mu.Unlock()
	case "gone":
		w.forget(s.from)
		w.mem.Remove(s.from)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.removed[s.from] = true
	}
}

func (w *wild) onHandle(s step, i int) {
	switch s.op {
	case "write":
		w.write(i, s.off)
	case "flush":
		w.flush(i)
	case "fsync":
		w.fsync(i)
	case "close":
		w.close(i)
	}
}

// forget: what is stored at a key is about to be replaced by somebody else.
func (w *wild) forget(k string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if o, ok := w.mem.Object(k); ok {
		delete(w.acked, string(o.Data))
		delete(w.moved, string(o.Data))
	}
}
