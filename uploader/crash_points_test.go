package uploader_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/s3levelfs/s3levelfs/store"
)

var errDead = errors.New("the process is dead")

// killer kills the process of a script at the at-th event: a record is about to be logged, or has been, a request is about to reach
// the store, or has been answered there. What is on the disk then is what the next process finds.
type killer struct {
	script *script
	t      testing.TB
	at     int
	late   bool                    // requests that are on their way at that moment reach the store all the same
	image  func(dir string) string // copies what is left of the disk; nil: all of it

	n    int // events so far, guarded by the uploader's mu
	what string
	dead atomic.Bool
	dir  string // the copy of the disk
}

func (k *killer) isDead() bool { return k.dead.Load() }

// event is called with the uploader's mu held: nothing is logged meanwhile.
func (k *killer) event(what string) error {
	if k.dead.Load() {
		return errDead
	}
	if k.n++; k.n != k.at {
		return nil
	}
	k.what = what
	if k.image != nil {
		k.dir = k.image(k.script.dir)
	} else {
		k.dir = copied(k.t, k.script.dir)
	}
	k.dead.Store(true)
	k.script.u.Die()
	return errDead
}

// copied copies a spool that is in use, its log frozen.
func copied(t testing.TB, from string) string {
	for {
		to := filepath.Join(fastDir(t), "copy")
		err := os.CopyFS(to, os.DirFS(from))
		if !errors.Is(err, fs.ErrNotExist) { // else a file went that the log does not need any more
			check(t, err)
			return to
		}
	}
}

// mortal is the store of a process that a killer may end.
type mortal struct {
	store.Store

	k *killer
}

// call passes one request. Of a dead process none begins, and none has an answer.
func (m *mortal) call(ctx context.Context, what string, do func(context.Context) error) error {
	gone := &store.Error{Op: what, Kind: store.ErrTransient, Err: errDead, Unanswered: true}
	if m.k.isDead() || m.k.script.down.Load() {
		return gone
	}
	time.Sleep(latency)
	m.k.script.u.Frozen(func() { _ = m.k.event(what + " is on its way") })
	if m.k.isDead() && !m.k.late {
		return gone
	}
	err := do(context.WithoutCancel(ctx))
	m.k.script.u.Frozen(func() { _ = m.k.event(what + " has been answered") })
	if m.k.isDead() {
		return gone
	}
	return err
}

func (m *mortal) Get(ctx context.Context, key string, r store.Range, c store.Cond) (io.ReadCloser, store.Object, error) {
	if m.k.script.away.Load() {
		return nil, store.Object{}, &store.Error{Op: "Get", Key: key, Kind: store.ErrTransient, Unanswered: true}
	}
	return m.Store.Get(ctx, key, r, c)
}

// Sync is that of a store on this machine's disk, if it is one.
func (m *mortal) Sync(ctx context.Context) error {
	s, ok := m.Store.(store.Syncer)
	if !ok {
		return nil
	}
	return m.call(ctx, "Sync", s.Sync)
}

func (m *mortal) Put(ctx context.Context, key string, body *io.SectionReader, h store.Headers, c store.Cond) (res store.PutResult, err error) {
	err = m.call(ctx, "Put", func(ctx context.Context) (err error) {
		res, err = m.Store.Put(ctx, key, body, h, c)
		return err
	})
	return res, err
}

func (m *mortal) Copy(ctx context.Context, r store.CopyRequest) (res store.PutResult, err error) {
	err = m.call(ctx, "Copy", func(ctx context.Context) (err error) {
		res, err = m.Store.Copy(ctx, r)
		return err
	})
	return res, err
}

func (m *mortal) Delete(ctx context.Context, key string, c store.Cond) error {
	return m.call(ctx, "Delete", func(ctx context.Context) error { return m.Store.Delete(ctx, key, c) })
}

func (m *mortal) DeleteMany(ctx context.Context, keys []string) (failed []store.KeyError, err error) {
	err = m.call(ctx, "DeleteMany", func(ctx context.Context) (err error) {
		failed, err = m.Store.DeleteMany(ctx, keys)
		return err
	})
	return failed, err
}

func (m *mortal) Create(ctx context.Context, key string, h store.Headers) (id string, err error) {
	err = m.call(ctx, "Create", func(ctx context.Context) (err error) {
		id, err = m.Store.Create(ctx, key, h)
		return err
	})
	return id, err
}

func (m *mortal) UploadPart(ctx context.Context, key, id string, number int32, body *io.SectionReader) (p store.Part, err error) {
	err = m.call(ctx, "UploadPart", func(ctx context.Context) (err error) {
		p, err = m.Store.UploadPart(ctx, key, id, number, body)
		return err
	})
	return p, err
}

func (m *mortal) CopyPart(ctx context.Context, key, id string, number int32, source, etag string, r store.Range) (p store.Part, err error) {
	err = m.call(ctx, "CopyPart", func(ctx context.Context) (err error) {
		p, err = m.Store.CopyPart(ctx, key, id, number, source, etag, r)
		return err
	})
	return p, err
}

func (m *mortal) Complete(ctx context.Context, key, id string, parts []store.Part, c store.Cond) (res store.PutResult, err error) {
	err = m.call(ctx, "Complete", func(ctx context.Context) (err error) {
		res, err = m.Store.Complete(ctx, key, id, parts, c)
		return err
	})
	return res, err
}

func (m *mortal) Abort(ctx context.Context, key, id string) error {
	return m.call(ctx, "Abort", func(ctx context.Context) error { return m.Store.Abort(ctx, key, id) })
}

// killedAt runs the workload with a kill at one event, and the next process until all is uploaded. end: there is no such event.
func killedAt(t *testing.T, acts []act, at int, late bool) (what, bad string, end bool) {
	synctest.Test(t, func(t *testing.T) {
		k := &killer{t: t, at: at, late: late}
		c := newScript(t, k)
		defer func() { c.stop() }()
		done, begun, err := c.run(acts)
		if err != nil {
			bad = err.Error()
			return
		}
		if !k.isDead() {
			end = true
			return
		}
		what = k.what
		synctest.Wait()
		c.stop()
		c.dir, c.store = k.dir, c.mem
		c.rig.open()
		c.drain()
		allowed := views(acts)
		seen := c.seen()
		if !maps.Equal(seen, allowed[done]) && !maps.Equal(seen, allowed[begun]) {
			name := ""
			if done < len(acts) {
				name = acts[done].name
			}
			bad = fmt.Sprintf("killed when %s, late requests %v, at %q: %s", what, late, name, difference(seen, allowed[done], allowed[begun]))
		}
	})
	return what, bad, end
}

// difference tells the keys at which a view is neither of two, or all of their differences.
func difference(seen, before, after view) string {
	keys := map[string]bool{}
	for _, v := range []view{seen, before, after} {
		for k := range v {
			keys[k] = true
		}
	}
	text := ""
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		show := func(v view) string {
			if data, there := v[k]; there {
				return fmt.Sprintf("%.60q", data)
			}
			return "absent"
		}
		if is, was, wanted := show(seen), show(before), show(after); is != was || is != wanted {
			text += fmt.Sprintf("\n%s is %s, was %s, to be %s", k, is, was, wanted)
		}
	}
	return text
}

// TestKillAtEveryLogFrame kills the process before and after each record of its log and each request: the next one has what was
// closed, all of it up to the act in which the kill came and nothing behind it.
func TestKillAtEveryLogFrame(t *testing.T) {
	killEverywhere(t, workload, 100, "Complete is on its way", "Copy has been answered")
}

// killEverywhere kills at each event of acts, which are so many records and these requests at least; with requests that are dropped by the
// kill, and with such as arrive after it.
func killEverywhere(t *testing.T, acts func() []act, records int, requests ...string) {
	t.Helper()
	for _, late := range []bool{false, true} {
		t.Run(fmt.Sprintf("late requests %v", late), func(t *testing.T) {
			t.Parallel()
			hits := map[string]int{}
			for at := 1; ; at++ {
				what, bad, end := killedAt(t, acts(), at, late)
				if end {
					break
				}
				hits[what]++
				if bad != "" {
					t.Errorf("event %d: %s", at, bad)
				}
			}
			t.Logf("killed %v", hits)
			if hits["a record has been logged"] < records {
				t.Errorf("fewer than %d records: that was not the workload", records)
			}
			for _, what := range requests {
				if hits[what] == 0 {
					t.Errorf("never: %s: that was not the workload", what)
				}
			}
		})
	}
}

// TestKillAtAnyEvent is the same for workloads that nobody thought of.
func TestKillAtAnyEvent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		acts := drawActs(rt, 100)
		at, late := rapid.IntRange(1, 150).Draw(rt, "event"), rapid.Bool().Draw(rt, "late requests")
		if _, bad, _ := killedAt(t, acts, at, late); bad != "" {
			var names []string
			for i, a := range acts {
				names = append(names, fmt.Sprint(i, " ", a.name))
			}
			rt.Fatalf("%s\nof %q", bad, names)
		}
	})
}
