package uploader_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/uploader"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// A workload that makes every record that there is, act by act, for tests that end it at any moment. What a
// program may rely on after each act is told beside it.

// view is what has to be in the bucket when everything is uploaded: contents by key, and behind a bar the header "v". The
// time in conflict names is left out.
type view map[string]string

// act is one step of the workload. then: what it has made of the view, if a crash comes after it.
type act struct {
	name string
	do   func(*script) error
	then func(view)
}

// script is a run of the workload.
type script struct {
	*rig

	open   map[string]*uploader.File
	logged func([]*spool.Record)
	killer *killer
	away   atomic.Bool // nothing can be read
	down   atomic.Bool // nothing can be changed
}

const scriptPart = 16 // bytes: larger files go in parts

func scriptConfig(c *uploader.Config) { c.PartSize, c.PinBase = scriptPart, 2*scriptPart }

var bg = context.Background()

func (c *script) write(k, data string, off int64) error {
	_, err := c.open[k].WriteAt(bg, []byte(data), off)
	return err
}

func (c *script) opened(k string, truncate bool) (err error) {
	c.open[k], err = c.u.Open(bg, k, uploader.OpenOptions{Base: c.stored(k), Truncate: truncate})
	return err
}

func (c *script) closed(k string) error {
	return errors.Join(c.open[k].Flush(bg), c.open[k].Release(bg, true))
}

func (c *script) put(k, data string) error {
	if err := c.opened(k, true); err != nil {
		return err
	}
	if err := c.write(k, data, 0); err != nil {
		return err
	}
	return c.closed(k)
}

func (c *script) changed(k, data string, off int64) error {
	if err := c.opened(k, false); err != nil {
		return err
	}
	if err := c.write(k, data, off); err != nil {
		return err
	}
	return c.closed(k)
}

func (c *script) moved(from, to string) error {
	return c.u.Rename(bg, from, to, c.stored(from), c.stored(to), false)
}

func (c *script) removed(k string) error {
	return c.u.Remove(bg, k, c.stored(k), uploader.RemoveOptions{})
}

func (c *script) directoryMoved(from, to string) error {
	var entries []uploader.DirEntry
	for _, k := range c.mem.Keys() {
		if o, _ := c.mem.Object(k); strings.HasPrefix(k, from+"/") {
			entries = append(entries, uploader.DirEntry{Key: k, ETag: o.ETag, Size: int64(len(o.Data))})
		}
	}
	return c.u.RenameDir(bg, from, to, entries)
}

func pause(d time.Duration) act {
	return act{"time", func(*script) error { time.Sleep(d); synctest.Wait(); return nil }, func(view) {}}
}

func putAct(name, data string) act {
	k := key(name)
	return act{"put " + name, func(c *script) error { return c.put(k, data) }, func(v view) { v[k] = data }}
}

func moveAct(from, to string) act {
	return act{
		"rename " + from + " " + to, func(c *script) error { return c.moved(key(from), key(to)) },
		func(v view) { v[key(to)] = v[key(from)]; delete(v, key(from)) },
	}
}

func removeAct(name string) act {
	return act{"remove " + name, func(c *script) error { return c.removed(key(name)) }, func(v view) { delete(v, key(name)) }}
}

func editAct(name, data string, off int) act {
	return act{
		"edit " + name, func(c *script) error { return c.changed(key(name), data, int64(off)) },
		func(v view) { v[key(name)] = patch(v[key(name)], data, off) },
	}
}

// openAct opens a file, empty or as it is.
func openAct(name string, truncate bool) act {
	return act{"open " + name, func(c *script) error { return c.opened(key(name), truncate) }, func(view) {}}
}

// writeAct writes to an open file: a crash leaves what was synced before.
func writeAct(name, data string, off int) act {
	return act{"write " + name, func(c *script) error { return c.write(key(name), data, int64(off)) }, func(view) {}}
}

// endAct ends the writing to an open file, which has those bytes from then on.
func endAct(what, name, data string, end func(*script) error) act {
	return act{what + " " + name, end, func(v view) { v[key(name)] = data }}
}

func closeAct(name, data string) act {
	return endAct("close", name, data, func(c *script) error { return c.closed(key(name)) })
}

// workload is all acts. With pauses: what was closed before them is in the bucket.
func workload() []act {
	big, grown := text("big", 5*scriptPart+3), text("grown", 4*scriptPart)
	flushed := func(name, data string) act {
		return endAct("flush", name, data, func(c *script) error { return c.open[key(name)].Flush(bg) })
	}
	synced := func(name, data string) act {
		return endAct("fsync", name, data, func(c *script) error { return c.open[key(name)].Sync(bg) })
	}
	list := []act{
		putAct("a", "a1"), putAct("b", "b1"), putAct("c", "c1"), putAct("d/e", "e1"), putAct("d/f", "f1"), putAct("big", big), putAct("empty", ""),
		putAct("u", "u1"), putAct("k", "k1, to be changed"), putAct("r/x", "x1"), putAct("r/y", "y1"), pause(time.Second),
		awayAct("k", "later", 0), editAct("a", "!", 1), putAct("b", "b2"), putAct("b", "b3"), editAct("big", "SMALL", 20), pause(time.Second),
		headersAct("d/e", "7"), moveAct("d/e", "h"), putAct("p.tmp", "p1"), headersAct("p.tmp", "8"), moveAct("p.tmp", "p"), pause(50 * time.Millisecond),
		putAct("q.tmp", "q1"), moveAct("q.tmp", "a"), removeAct("d/f"), putAct("z", "z1"), removeAct("z"),
	}
	list = append(list, directoryActs()...)
	list = append(list,
		openAct("s", true), writeAct("s", "synced", 0), synced("s", "synced"), writeAct("s", "SY", 0), closeAct("s", "SYnced"),
		openAct("grown", true), writeAct("grown", grown[:30], 0), writeAct("grown", grown[30:50], 30), pause(100*time.Millisecond),
		writeAct("grown", grown[50:], 50), writeAct("grown", "BEHIND", 17), closeAct("grown", patch(grown, "BEHIND", 17)),
	)
	list = append(list, foreignActs()...)
	list = append(list,
		openAct("u", false), writeAct("u", "HALF", 0),
		act{"kill", func(c *script) error { return c.killed() }, func(view) {}},
		openAct("b", false), writeAct("b", "OPEN", 0), flushed("b", "OPEN"), writeAct("b", "more", 4),
		moveAct("b", "b.moved"), closeAct("b", ""), act{"checkpoint", func(c *script) error { return c.u.Checkpoint() }, func(view) {}},
		moveAct("a", "h"), moveAct("c", "h"), putAct("c", "c3"), editAct("h", "end", 5), removeAct("empty"), pause(5*time.Second),
	)
	for i := range list { // the file that was renamed while it was open is closed by its new name
		if list[i].name == "close b" {
			list[i].then = func(v view) { v[key("b.moved")] = "OPENmore" }
		}
	}
	return list
}

// awayAct changes a file whose base can not be read then.
func awayAct(name, data string, off int) act {
	a := editAct(name, data, off)
	do := a.do
	a.do = func(c *script) error {
		c.away.Store(true)
		defer func() { c.away.Store(false) }()
		return do(c)
	}
	return a
}

func headersAct(name, value string) act {
	return act{
		"headers " + name, func(c *script) error { return c.u.SetHeaders(bg, key(name), c.stored(key(name)), memHeaders(value)) },
		func(v view) { data, _, _ := strings.Cut(v[key(name)], "|"); v[key(name)] = data + "|" + value },
	}
}

func mkdirAct(name string) act {
	return act{"mkdir " + name, func(c *script) error { return c.u.Mkdir(bg, key(name), store.Headers{}) }, func(v view) { v[key(name)+"/"] = "" }}
}

func directoryActs() []act {
	return []act{
		mkdirAct("m"), mkdirAct("n"), pause(time.Second), mkdirAct("w"),
		{"rename w v", func(c *script) error { return c.directoryMoved(key("w"), key("v")) }, func(v view) { delete(v, key("w/")); v[key("v/")] = "" }},
		{"rmdir m", func(c *script) error { return c.u.Rmdir(bg, key("m"), c.stored(key("m/"))) }, func(v view) { delete(v, key("m/")) }},
		putAct("r/z", "z1"),
		{"rename r s", func(c *script) error { return c.directoryMoved(key("r"), key("s.dir")) }, func(v view) {
			for _, name := range []string{"x", "y", "z"} {
				v[key("s.dir/"+name)] = v[key("r/"+name)]
				delete(v, key("r/"+name))
			}
		}},
	}
}

// foreignActs: somebody else changes what is being changed here.
func foreignActs() []act {
	return []act{
		putAct("c", "c2"),
		{"foreign c", func(c *script) error { c.mem.PutString(key("c"), "theirs"); return nil }, func(v view) {
			v[key("c (conflict)")], v[key("c")] = v[key("c")], "theirs"
		}},
		openAct("k", false), writeAct("k", "OURS", 3),
		{"foreign k", func(c *script) error { c.mem.PutString(key("k"), "theirs, too"); return nil }, func(v view) { v[key("k")] = "theirs, too" }},
		{"close k", func(c *script) error {
			if err := c.closed(key("k")); !errors.Is(err, uploader.ErrBaseLost) {
				return fmt.Errorf("close of k: %w", err)
			}
			return nil
		}, func(view) {}},
		pause(time.Second),
	}
}

// views lists what is allowed: after so many acts.
func views(acts []act) []view {
	all := []view{{}}
	for _, a := range acts {
		next := maps.Clone(all[len(all)-1])
		a.then(next)
		all = append(all, next)
	}
	return all
}

var conflictMark = regexp.MustCompile(`\(conflict [^)]*\)`)

// seen is the bucket as a view.
func (r *rig) seen() view {
	v := view{}
	for k, o := range r.mem.Objects() {
		data := string(o.Data)
		if h := o.Headers.Metadata["v"]; h != "" {
			data += "|" + h
		}
		v[conflictMark.ReplaceAllString(k, "(conflict)")] = data
	}
	return v
}

// newScript makes a rig for the workload, with a level that is proved.
func newScript(t *testing.T, k *killer) *script {
	c := &script{
		rig: newRig(t, memstore.Config{MinPart: 1}, scriptConfig), open: map[string]*uploader.File{},
		logged: noRecords, killer: k,
	}
	k.script = c
	c.restart(func() { c.store = &mortal{Store: c.mem, k: k} })
	check(t, c.u.Prove(t.Context(), level))
	c.watch()
	return c
}

func noRecords([]*spool.Record) {}

// restart is the kill of the process at a moment when nothing is in the middle of something.
func (c *script) restart(between func()) {
	c.crashThen(between)
	clear(c.open)
}

func (c *script) killed() error {
	c.restart(func() {})
	c.watch()
	return c.u.Prove(bg, level)
}

func (c *script) watch() {
	c.u.Watch(func() error { return c.killer.event("a record is logged") }, func(recs []*spool.Record) {
		c.logged(recs)
		_ = c.killer.event("a record has been logged") // what was written is written
	})
}

// run does the acts until one fails or the process is dead; it tells how many were done and how many were begun.
func (c *script) run(acts []act) (done, begun int, err error) {
	for i, a := range acts {
		if c.killer.isDead() {
			return i, i, nil
		}
		err := a.do(c)
		switch {
		case c.killer.isDead():
			return i, i + 1, nil
		case err != nil:
			return i, i + 1, fmt.Errorf("%s: %w", a.name, err)
		}
	}
	return len(acts), len(acts), nil
}

// TestWorkload: the workload does what its views tell, and makes each kind of record.
func TestWorkload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newScript(t, &killer{})
		defer func() { c.stop() }()
		made := map[spool.Type]bool{}
		c.logged = func(recs []*spool.Record) {
			for _, r := range recs {
				made[r.Type] = true
			}
		}
		acts := workload()
		if _, _, err := c.run(acts); err != nil {
			t.Fatal(err)
		}
		c.drain()
		if want := views(acts)[len(acts)]; !maps.Equal(c.seen(), want) {
			t.Errorf("bucket\n%q, want\n%q", c.seen(), want)
		}
		for typ := spool.TypeCreate; typ <= spool.TypeBaseLost; typ++ {
			if unused := typ == spool.TypeBaseLost || typ == spool.TypeFail || typ == spool.TypeLevel; made[typ] == unused {
				t.Errorf("%v made: %v", typ, made[typ])
			}
		}
	})
}
