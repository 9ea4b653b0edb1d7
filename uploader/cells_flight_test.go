package uploader_test

import (
	"context"
	"errors"
	"maps"
	"testing"
	"testing/synctest"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// What programs do with the names of a delete or a move whose request is out: live, with the process killed before it, after it, or
// both, where the request has been carried out and where it has not.

// flight is a state with a request out. fault is what holds that up.
type flight struct {
	name  string
	enter func(c *cellRig, fault faultstore.Fault)
	left  files // what a program sees then
}

func flights() []flight {
	return []flight{
		{"delete", func(c *cellRig, fault faultstore.Fault) {
			inClean(c)
			c.faults.Add(faultstore.Rule{Op: op.Delete, Key: key("f"), Count: faultstore.Forever, Fault: fault})
			c.remove(key("f"))
			c.flying()
		}, files{}},
		{"copy of a move", func(c *cellRig, fault faultstore.Fault) {
			inClean(c)
			c.faults.Add(faultstore.Rule{Op: op.Copy, Key: key("k2"), Count: faultstore.Forever, Fault: fault})
			c.renames("f", "k2", c.stored(key("f")), absent())
			c.flying()
		}, files{"k2": "base"}},
		{"copy of a move onto a file", func(c *cellRig, fault faultstore.Fault) {
			inClean(c)
			c.mem.PutString(key("k2"), "old")
			c.faults.Add(faultstore.Rule{Op: op.Copy, Key: key("k2"), Count: faultstore.Forever, Fault: fault})
			c.renames("f", "k2", c.stored(key("f")), c.stored(key("k2")))
			c.flying()
		}, files{"k2": "base"}},
		{"delete of a move", func(c *cellRig, fault faultstore.Fault) {
			inClean(c)
			c.faults.Add(faultstore.Rule{Op: op.Delete, Key: key("f"), Count: faultstore.Forever, Fault: fault})
			c.renames("f", "k2", c.stored(key("f")), absent())
			c.flying()
		}, files{"k2": "base"}},
		{"delete of the old name of a written file", func(c *cellRig, fault faultstore.Fault) {
			inClean(c)
			c.faults.Add(faultstore.Rule{Op: op.Delete, Key: key("f"), Count: faultstore.Forever, Fault: fault})
			h := c.create(key("f"))
			onRenameTo(c, "k2")
			c.writeAt(h, "base", 0)
			c.close(h)
			noEvent(c)
			c.flying()
		}, files{"k2": "base"}},
	}
}

// flying: the request is out.
func (c *cellRig) flying() {
	c.t.Helper()
	noEvent(c)
	if n := len(c.faults.Stalled()); n != 1 {
		c.t.Fatalf("%d stalled: %v", n, c.u.Dump())
	}
}

// renames begins a rename; heal waits for it.
func (c *cellRig) renames(from, to string, fromBase, toBase uploader.Base) {
	c.begins(func(u *uploader.Uploader) error {
		return u.Rename(context.Background(), key(from), key(to), fromBase, toBase, false)
	})
}

// begins begins what heal waits for.
func (c *cellRig) begins(rename func(*uploader.Uploader) error) {
	before, u := c.rename, c.u
	outcome := make(chan error, 1)
	c.rename = outcome
	go func() {
		err := rename(u)
		if before != nil {
			err = errors.Join(err, <-before)
		}
		outcome <- err
	}()
	synctest.Wait()
}

// dies is a kill; what has ended by then has ended well.
func (c *cellRig) dies() {
	if c.rename != nil {
		synctest.Wait()
		select {
		case err := <-c.rename:
			check(c.t, err)
			c.rename = nil
		default:
		}
	}
	c.killed()
	check(c.t, c.u.Prove(context.Background(), level))
}

func onRenameTo(c *cellRig, to string) {
	check(c.t, c.u.Rename(context.Background(), key("f"), key(to), c.stored(key("f")), absent(), false))
}

// deed is what a program does then. needs: the name that has to be there, "" = none.
type deed struct {
	name, needs string
	do          func(*cellRig)
	then        func(files)
}

// found is the base of a name as package vfs finds it.
func (c *cellRig) found(u *uploader.Uploader, name string) uploader.Base {
	switch i, ok := u.Lookup(key(name)); {
	case !ok:
		return c.stored(key(name))
	case i.Kind == uploader.KindTombstone || i.FileGone:
		return absent()
	}
	return pendingBase()
}

// again does what it is given as often as what was found has come to its end meanwhile, as package vfs does.
func again(do func() error) error {
	for {
		if err := do(); !errors.Is(err, uploader.ErrSettled) {
			return err
		}
	}
}

// moves is a rename of what is found.
func (c *cellRig) moves(u *uploader.Uploader, from, to string) error {
	return again(func() error {
		return u.Rename(context.Background(), key(from), key(to), c.found(u, from), c.found(u, to), false)
	})
}

func (c *cellRig) opened(name string) (f *uploader.File) {
	check(c.t, again(func() (err error) {
		f, err = c.u.Open(context.Background(), key(name), uploader.OpenOptions{Base: c.found(c.u, name), Truncate: true})
		return err
	}))
	return f
}

func writes(name string) deed {
	return deed{"write " + name, "", func(c *cellRig) {
		f := c.opened(name)
		c.writeAt(f, "new", 0)
		c.close(f)
	}, func(v files) { v[name] = "new" }}
}

func empties(name string) deed {
	return deed{"make empty " + name, "", func(c *cellRig) { c.close(c.opened(name)) }, func(v files) { v[name] = "" }}
}

func unlinks(name string) deed {
	return deed{"unlink " + name, name, func(c *cellRig) {
		check(c.t, again(func() error {
			return c.u.Remove(context.Background(), key(name), c.found(c.u, name), uploader.RemoveOptions{})
		}))
	}, func(v files) { delete(v, name) }}
}

func replaces(name string) deed {
	return deed{"rename a closed file to " + name, "", func(c *cellRig) {
		c.put(key("s"), "source")
		check(c.t, c.moves(c.u, "s", name))
	}, func(v files) { v[name] = "source" }}
}

func replacesStored(name string) deed {
	return deed{"rename a stored file to " + name, "", func(c *cellRig) {
		c.mem.PutString(key("s"), "source")
		c.begins(func(u *uploader.Uploader) error { return c.moves(u, "s", name) })
	}, func(v files) { v[name] = "source" }}
}

func carries(from, to string) deed {
	return deed{"rename " + from + " to " + to, from, func(c *cellRig) {
		c.begins(func(u *uploader.Uploader) error { return c.moves(u, from, to) })
	}, func(v files) { v[to] = v[from]; delete(v, from) }}
}

// opensAndCarries renames a file between its open with O_TRUNC and its close.
func opensAndCarries(from, to string) deed {
	return deed{"rename " + from + " to " + to + " while it is written", "", func(c *cellRig) {
		f := c.opened(from)
		check(c.t, c.moves(c.u, from, to))
		c.writeAt(f, "new", 0)
		c.close(f)
	}, func(v files) { v[to] = "new"; delete(v, from) }}
}

func makesDirectory(name string) deed {
	return deed{"mkdir " + name, "", func(c *cellRig) {
		check(c.t, c.u.Mkdir(context.Background(), key(name), store.Headers{}))
	}, func(v files) { v[name+"/"] = "" }}
}

func twice(a, b deed) deed {
	return deed{a.name + ", " + b.name, a.needs, both(a.do, b.do), func(v files) { a.then(v); b.then(v) }}
}

func deeds() []deed {
	return []deed{
		writes("f"), empties("f"), replaces("f"), replacesStored("f"), makesDirectory("f"),
		twice(writes("f"), unlinks("f")), twice(writes("f"), writes("f")), opensAndCarries("f", "g"), twice(writes("f"), opensAndCarries("f", "g")),
		twice(empties("f"), replaces("f")), twice(replaces("f"), unlinks("f")),
		unlinks("k2"), carries("k2", "g"), carries("k2", "f"), twice(unlinks("k2"), writes("k2")), twice(unlinks("k2"), makesDirectory("k2")),
		{"write k2", "k2", writes("k2").do, writes("k2").then},
		{"replace k2", "k2", replaces("k2").do, replaces("k2").then},
		twice(unlinks("k2"), twice(writes("f"), carries("f", "k2"))), twice(carries("k2", "g"), writes("k2")),
	}
}

// TestDeedsInFlight: each deed in each state ends as a file system's would.
func TestDeedsInFlight(t *testing.T) {
	for _, state := range flights() {
		for _, d := range deeds() {
			if _, there := state.left[d.needs]; d.needs != "" && !there {
				continue
			}
			want := maps.Clone(state.left)
			d.then(want)
			for name, fault := range map[string]faultstore.Fault{"": faultstore.Stall(), " (carried out)": faultstore.Applied(faultstore.Stall())} {
				begin := func(c *cellRig) { state.enter(c, fault) }
				runCells(t, []cell{
					{name: state.name + name + ": " + d.name, state: begin, event: d.do, want: want},
					{name: state.name + name + ": " + d.name + ", kill", state: begin, event: both(d.do, (*cellRig).dies), want: want},
					{name: state.name + name + ": kill, " + d.name, state: begin, event: both((*cellRig).dies, d.do), want: want},
					{name: state.name + name + ": kill, " + d.name + ", kill", state: begin, event: both((*cellRig).dies, noEvent, d.do, (*cellRig).dies), want: want},
				})
			}
		}
	}
}
