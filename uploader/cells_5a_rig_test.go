package uploader_test

import (
	"context"
	"errors"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/uploader"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// One test for each cell of the tables of docs/UPLOADER.md: "f" is brought into the state of the cell's row, the event of its
// column comes, all faults end, everything drains, and the bucket, the requests and the news are compared. Its name is
// that of the cell, so that tests/docs finds it.

// cell is one of them.
type cell struct {
	name  string
	state func(*cellRig) // "f" gets there
	event func(*cellRig)

	want files  // the bucket in the end
	asks string // the requests that the store has seen, "" = not compared
	told string // an event that has to be among those told
	v    string // the name that has the headers of the event chmod
	quar int    // contents in quarantine in the end
}

// files are names to contents; "conflict" stands for any conflict name, several contents joined by "+".
type files map[string]string

// cellRig is a rig in a cell's state.
type cellRig struct {
	*rig

	faults *faultstore.Store
	h      *uploader.File // open since before the event
	rename chan error     // of the rename that is under way
}

const cellSettle = 10 * time.Second // what is closed stays queued so long

func runCells(t *testing.T, cells []cell, change ...func(*uploader.Config)) {
	t.Helper()
	for _, c := range cells {
		t.Run(c.name, func(t *testing.T) { runCell(t, c, change...) })
	}
}

func runCell(t *testing.T, c cell, change ...func(*uploader.Config)) {
	t.Helper()
	change = append([]func(*uploader.Config){func(c *uploader.Config) { c.Settle, c.TempSettle = cellSettle, cellSettle }}, change...)
	run(t, func(t *testing.T, r *rig) {
		r.stop()
		r.store = faultstore.New(r.mem)
		r.open()
		check(t, r.u.Prove(t.Context(), level))
		f, _ := r.store.(*faultstore.Store)
		r.mem.ResetCounts()
		x := &cellRig{rig: r, faults: f}
		c.state(x)
		c.event(x)
		x.heal()
		x.drain()
		if got := x.files(); !maps.Equal(got, c.want) {
			t.Errorf("bucket %q, want %q", got, c.want)
		}
		if c.asks != "" {
			x.wantRequests(strings.Split(c.asks, ", ")...)
		}
		if c.told != "" {
			x.wantTold(c.told)
		}
		if c.v != "" {
			if o, ok := x.mem.Object(key(c.v)); !ok || o.Headers.Metadata["v"] != "7" {
				t.Errorf("headers of %q: %v", c.v, o.Headers.Metadata)
			}
		}
		if s := x.u.Status(); len(s.Quarantined) != c.quar || len(s.Items) != 0 {
			t.Errorf("%d in quarantine, want %d; pending %+v", len(s.Quarantined), c.quar, s.Items)
		}
	}, change...)
}

// heal ends all faults and closes what is still open.
func (c *cellRig) heal() {
	c.t.Helper()
	c.faults.Clear()
	c.faults.EndOutage()
	c.faults.Release()
	synctest.Wait() // what was held back comes before what drain hurries
	if c.rename != nil {
		check(c.t, <-c.rename)
	}
	if c.h != nil {
		err := errors.Join(c.h.Flush(context.Background()), c.h.Release(context.Background(), true))
		if err != nil && !errors.Is(err, uploader.ErrBaseLost) {
			c.t.Errorf("close: %v", err)
		}
	}
	c.u.Retry()
}

func (c *cellRig) files() files {
	got := files{}
	for k, v := range c.bucket() {
		name := strings.TrimPrefix(k, level)
		if strings.Contains(name, "(conflict ") {
			if name = "conflict"; got[name] != "" {
				v = got[name] + "+" + v
			}
		}
		got[name] = v
	}
	return got
}

// refuses is an event that gets this error.
func (c *cellRig) refuses(err, want error) {
	c.t.Helper()
	if !errors.Is(err, want) {
		c.t.Errorf("%v, want %v", err, want)
	}
}

// killed is a crash: nobody has anything open any more.
func (c *cellRig) killed() {
	c.h = nil
	c.crashThen(c.mem.ResetCounts)
	if c.rename != nil {
		if err := <-c.rename; !errors.Is(err, spool.ErrClosed) { // it was about to write into the log that is gone
			c.refuses(err, uploader.ErrClosed)
		}
		c.rename = nil
	}
}

// The states.

// inClean: "f" is stored.
func inClean(c *cellRig) { c.mem.PutString(key("f"), "base") }

// inOpen: it is open and was overwritten in part.
func inOpen(c *cellRig) {
	inClean(c)
	c.h = c.edit(key("f"))
	c.writeAt(c.h, "OP", 0)
}

// inQueued: it was overwritten and closed.
func inQueued(c *cellRig) {
	inClean(c)
	c.put(key("f"), "queued")
}

// inSending: that is being sent.
func inSending(c *cellRig) {
	inQueued(c)
	c.faults.Add(faultstore.Rule{Op: op.Put, Key: key("f"), Fault: faultstore.Stall()})
	time.Sleep(2 * cellSettle)
	if n := len(c.faults.Stalled()); n != 1 {
		c.t.Fatalf("%d stalled", n)
	}
}

// inUnsure: that has no answer, and the store is away; it has been applied or not.
func inUnsure(applied bool) func(*cellRig) {
	return func(c *cellRig) {
		inQueued(c)
		fault := faultstore.Reset()
		if applied {
			fault = faultstore.Lost()
		}
		c.faults.Add(faultstore.Rule{Op: op.Put, Key: key("f"), Fault: fault})
		c.faults.SetHooks(faultstore.Hooks{After: func(k faultstore.Call, err error) {
			if k.Op == op.Put && k.Key == key("f") && err != nil {
				c.faults.StartOutage(faultstore.Refused())
			}
		}})
		time.Sleep(2 * cellSettle)
		c.faults.SetHooks(faultstore.Hooks{})
		if i, _ := c.u.Lookup(key("f")); i.State != uploader.StateUnsure {
			c.t.Fatalf("state %v", i.State)
		}
	}
}

// inConflict: somebody else has written "f", ours waits under the conflict name and is open.
func inConflict(c *cellRig) {
	inClean(c)
	c.faults.Add(faultstore.Rule{Op: op.Put, Key: key("f (conflict*"), Fault: faultstore.Refused(), Count: faultstore.Forever})
	c.h = c.create(key("f"))
	c.writeAt(c.h, "ours", 0)
	check(c.t, c.h.Flush(c.t.Context()))
	c.mem.PutString(key("f"), "theirs")
	time.Sleep(2 * cellSettle)
	c.wantTold("conflict f")
}

// inFailed: the store has refused it four times.
func inFailed(c *cellRig) {
	inQueued(c)
	c.faults.Add(faultstore.Rule{Op: op.Put, Fault: faultstore.Refused(), Count: faultstore.Forever})
	time.Sleep(2 * cellSettle)
	if i, _ := c.u.Lookup(key("f")); i.State != uploader.StateFailed {
		c.t.Fatalf("state %v", i.State)
	}
}

// inBaseLost: it was changed in part, and somebody else has replaced it.
func inBaseLost(c *cellRig) {
	inOpen(c)
	c.mem.PutString(key("f"), "theirs")
	c.refuses(c.h.Flush(c.t.Context()), uploader.ErrBaseLost)
}

// inQuar: it was being written when the daemon died.
func inQuar(c *cellRig) {
	inOpen(c)
	c.killed()
}

// inGone: it is open and was unlinked.
func inGone(c *cellRig) {
	inOpen(c)
	c.remove(key("f"))
}

// inDeleting: it was unlinked, nothing is sent yet.
func inDeleting(c *cellRig) {
	inClean(c)
	c.remove(key("f"))
}

// inDeletingInFlight: the request is out.
func inDeletingInFlight(c *cellRig) {
	inDeleting(c)
	c.faults.Add(faultstore.Rule{Op: op.Delete, Fault: faultstore.Stall()})
	time.Sleep(time.Second)
	if n := len(c.faults.Stalled()); n != 1 {
		c.t.Fatalf("%d stalled", n)
	}
}

// inMoving: it is being copied to "k2".
func inMoving(c *cellRig) {
	inClean(c)
	c.faults.Add(faultstore.Rule{Op: op.Copy, Fault: faultstore.Stall()})
	c.startRename("f", "k2")
}

// inMovingDelete: it has been copied, the delete of "f" is out.
func inMovingDelete(c *cellRig) {
	inClean(c)
	c.faults.Add(faultstore.Rule{Op: op.Delete, Fault: faultstore.Stall()})
	c.startRename("f", "k2")
	check(c.t, <-c.rename) // it returns after the copy
	c.rename = nil
}

func (c *cellRig) startRename(from, to string) {
	outcome := make(chan error, 1)
	c.rename = outcome
	go func() {
		outcome <- c.u.Rename(context.Background(), key(from), key(to), c.stored(key(from)), c.stored(key(to)), false)
	}()
	synctest.Wait()
	if n := len(c.faults.Stalled()); n != 1 {
		c.t.Fatalf("%d stalled", n)
	}
}

// The events.

// onWrite overwrites "f" and closes it.
func onWrite(c *cellRig) {
	f, err := c.u.Open(c.t.Context(), key("f"), uploader.OpenOptions{Base: c.stored(key("f")), Truncate: true})
	check(c.t, err)
	c.writeAt(f, "new", 0)
	c.close(f)
}

// onHandle writes with the handle that is open.
func onHandle(c *cellRig) { c.writeAt(c.h, "W", 1) }

// onTruncate is truncate(2).
func onTruncate(c *cellRig) {
	f := c.edit(key("f"))
	check(c.t, f.Truncate(c.t.Context(), 2))
	c.close(f)
}

// onFlush is close(2) of one of several descriptors, after a write.
func onFlush(c *cellRig) {
	onHandle(c)
	check(c.t, c.h.Flush(c.t.Context()))
}

// onFsync is an open, a write in place and an fsync, after which the daemon dies.
func onFsync(c *cellRig) {
	f := c.edit(key("f"))
	c.writeAt(f, "F", 0)
	check(c.t, f.Sync(c.t.Context()))
	c.killed()
}

func onChmod(c *cellRig) {
	check(c.t, c.u.SetHeaders(c.t.Context(), key("f"), c.stored(key("f")), memHeaders("7")))
}

func onRename(c *cellRig) {
	check(c.t, c.u.Rename(c.t.Context(), key("f"), key("g"), c.stored(key("f")), c.stored(key("g")), false))
}

// onRenamedOnto renames a closed file to "f".
func onRenamedOnto(c *cellRig) {
	c.put(key("s"), "source")
	check(c.t, c.u.Rename(c.t.Context(), key("s"), key("f"), absent(), c.stored(key("f")), false))
}

func onUnlink(c *cellRig) { c.remove(key("f")) }

// refused are the events on a name that does not exist.
func refused(event func(*cellRig) error) func(*cellRig) {
	return func(c *cellRig) { c.refuses(event(c), store.ErrNotExist) }
}

func chmodError(c *cellRig) error {
	return c.u.SetHeaders(c.t.Context(), key("f"), c.stored(key("f")), memHeaders("7"))
}

func renameError(c *cellRig) error {
	return c.u.Rename(c.t.Context(), key("f"), key("g"), c.stored(key("f")), absent(), false)
}

func unlinkError(c *cellRig) error {
	return c.u.Remove(c.t.Context(), key("f"), c.stored(key("f")), uploader.RemoveOptions{})
}

// both is one event after another.
func both(events ...func(*cellRig)) func(*cellRig) {
	return func(c *cellRig) {
		for _, e := range events {
			e(c)
		}
	}
}

// noEvent lets time pass.
func noEvent(*cellRig) { time.Sleep(2 * cellSettle) }
