package uploader_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// pendingBase is what a caller passes who has found something pending.
func pendingBase() uploader.Base { return uploader.Base{State: uploader.Pending} }

// latecomers do something with "f", which was pending when they found it.
func latecomers() map[string]func(*rig) error {
	opens := func(truncate bool) func(*rig) error {
		return func(r *rig) error {
			f, err := r.u.Open(context.Background(), key("f"), uploader.OpenOptions{Base: pendingBase(), Truncate: truncate})
			if err != nil {
				return err
			}
			r.writeAt(f, "NEW", 0)
			return errors.Join(f.Flush(context.Background()), f.Release(context.Background(), true))
		}
	}
	return map[string]func(*rig) error{
		"open":          opens(false),
		"open to empty": opens(true),
		"remove": func(r *rig) error {
			return r.u.Remove(context.Background(), key("f"), pendingBase(), uploader.RemoveOptions{})
		},
		"rename": func(r *rig) error {
			return r.u.Rename(context.Background(), key("f"), key("g"), pendingBase(), absent(), false)
		},
		"rename onto": func(r *rig) error {
			return r.u.Rename(context.Background(), key("s"), key("f"), r.stored(key("s")), pendingBase(), false)
		},
		"chmod": func(r *rig) error {
			return r.u.SetHeaders(context.Background(), key("f"), pendingBase(), memHeaders("7"))
		},
	}
}

// afterLatecomers is the bucket when each of them came in time, or found a file that is still open.
func afterLatecomers() map[string]map[string]string {
	with := func(name, data string) map[string]string {
		return map[string]string{key("s"): "source", key(name): data}
	}
	return map[string]map[string]string{
		"open": with("f", "NEWtes"), "open to empty": with("f", "NEW"), "remove": {key("s"): "source"},
		"rename": with("g", "writes"), "rename onto": {key("f"): "source"}, "chmod": with("f", "writes"),
	}
}

// TestFoundPendingAndSettled: what was pending when it was found, and is stored by now, has to be looked at again; nothing has been done.
// While it is pending, or open, the uploader knows what is meant, and a crash before anything is sent changes nothing.
func TestFoundPendingAndSettled(t *testing.T) {
	for name, do := range latecomers() {
		want := afterLatecomers()[name]
		t.Run(name+" of a settled file", func(t *testing.T) {
			run(t, func(t *testing.T, r *rig) {
				r.mem.PutString(key("s"), "source")
				r.put(key("f"), "writes")
				r.drain()
				if err := do(r); !errors.Is(err, uploader.ErrSettled) {
					t.Errorf("%v, want ErrSettled", err)
				}
				if n := r.u.Operations(); n != 0 {
					t.Errorf("%d operations pending", n)
				}
				r.wantBucket(map[string]string{key("s"): "source", key("f"): "writes"})
			})
		})
		for state, before := range map[string]func(*rig) func(){
			"pending": func(r *rig) func() { r.put(key("f"), "writes"); return func() {} },
			"open": func(r *rig) func() {
				f := r.create(key("f"))
				r.writeAt(f, "writes", 0)
				check(r.t, f.Flush(context.Background()))
				r.drain()
				return func() { check(r.t, f.Release(context.Background(), true)) }
			},
		} {
			t.Run(name+" of a file that is "+state, func(t *testing.T) {
				run(t, func(t *testing.T, r *rig) {
					r.mem.PutString(key("s"), "source")
					after := before(r)
					check(t, do(r))
					after()
					r.crash()
					r.drain()
					r.wantBucket(want)
				}, func(c *uploader.Config) { c.Settle, c.TempSettle, c.Batch = time.Minute, time.Minute, time.Minute })
			})
		}
	}
}

// TestRenameOntoWhatIsBeingMoved: a rename that has waited for the copy of another one onto its new name knows what that has left there: it
// goes when the file is renamed once more, also after a crash.
func TestRenameOntoWhatIsBeingMoved(t *testing.T) {
	runCells(t, []cell{{name: "kill", state: func(c *cellRig) {
		inClean(c)
		c.h = c.edit(key("f")) // its file goes along with the name
		c.faults.Add(faultstore.Rule{Op: op.Copy, Fault: faultstore.Stall()})
		c.startRename("f", "k2")
	}, event: func(c *cellRig) {
		s := c.create(key("s"))
		c.writeAt(s, "source", 0)
		c.renames("s", "k2", absent(), pendingBase())
		c.faults.Release()
		check(c.t, <-c.rename)
		c.rename = nil
		check(c.t, c.u.Rename(c.t.Context(), key("k2"), key("g"), pendingBase(), absent(), false))
		c.close(s)
		c.killed()
	}, want: files{"g": "source"}}})
}
