package uploader_test

import (
	"strings"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/op"
)

// Renames while something is in flight or waits: what a crash or a refusal leaves.

// stalledPut is the fault of a Put that gets no answer until it is released.
func stalledPut(k string) faultstore.Rule {
	return faultstore.Rule{Op: op.Put, Key: key(k), Fault: faultstore.Stall(), Count: 1}
}

// The closed bytes of a file go on under its new name, though a later generation is open above them.
func Test_5a_SENDING_Rename_BelowOpen_CrashKeepsTheClosedBytes(t *testing.T) {
	for name, stored := range map[string]bool{"new": false, "stored": true} {
		t.Run(name, func(t *testing.T) {
			faulty(t, func(t *testing.T, r *rig, f *faultstore.Store) {
				if stored {
					r.mem.PutString(key("f"), "base")
				}
				h := r.edit(key("f"))
				r.writeAt(h, "closed", 0)
				check(t, h.Flush(t.Context()))
				time.Sleep(5 * time.Second)
				if n := len(f.Stalled()); n != 1 {
					t.Fatalf("%d stalled", n)
				}
				r.writeAt(h, "HALF", 0)
				r.rename(key("f"), key("g"))
				r.crash()
				f.Clear()
				f.Release()
				r.drain()
				r.wantBucket(map[string]string{key("g"): "closed"})
				if n := len(r.u.Status().Quarantined); n != 1 {
					t.Errorf("%d quarantined", n)
				}
			}, stalledPut("f"))
		})
	}
}

// So it is in a directory that is renamed.
func Test_5a_SENDING_Rename_DirBelowOpen_CrashKeepsTheClosedBytes(t *testing.T) {
	faulty(t, func(t *testing.T, r *rig, f *faultstore.Store) {
		h := r.create(key("d/f"))
		r.writeAt(h, "closed", 0)
		check(t, h.Flush(t.Context()))
		time.Sleep(5 * time.Second)
		r.writeAt(h, "HALF", 0)
		check(t, r.u.RenameDir(t.Context(), key("d"), key("e"), nil))
		r.crash()
		f.Clear()
		f.Release()
		r.drain()
		r.wantBucket(map[string]string{key("e/f"): "closed"})
	}, stalledPut("d/f"))
}

// Without a crash the last bytes win, once.
func Test_5a_SENDING_Rename_BelowOpen_CloseSendsTheLast(t *testing.T) {
	faulty(t, func(t *testing.T, r *rig, f *faultstore.Store) {
		h := r.create(key("f"))
		r.writeAt(h, "closed", 0)
		check(t, h.Flush(t.Context()))
		time.Sleep(5 * time.Second)
		r.writeAt(h, "LAST!!", 0)
		r.rename(key("f"), key("g"))
		if got := r.read(h); got != "LAST!!" {
			t.Errorf("read %q", got)
		}
		r.close(h)
		f.Clear()
		f.Release()
		r.drain()
		r.wantBucket(map[string]string{key("g"): "LAST!!"})
	}, stalledPut("f"))
}

// With several closed generations queued the topmost closed one survives.
func Test_5a_SENDING_Rename_OfAFullStack_CrashKeepsTheLastClosed(t *testing.T) {
	faulty(t, func(t *testing.T, r *rig, f *faultstore.Store) {
		h := r.create(key("f"))
		for i, data := range []string{"one", "two", "three"} {
			r.writeAt(h, data, 0)
			check(t, h.Flush(t.Context()))
			if i == 0 {
				time.Sleep(5 * time.Second)
			}
		}
		r.writeAt(h, "HALF", 0)
		r.rename(key("f"), key("g"))
		r.crash()
		f.Clear()
		f.Release()
		r.drain()
		r.wantBucket(map[string]string{key("g"): "three"})
	}, stalledPut("f"))
}

// A delta above the generation in flight reads its holes from the old name: that stays until they are fetched.
func Test_5a_SENDING_Rename_OfADelta_ReadsAndPinsAfterwards(t *testing.T) {
	for name, crash := range map[string]bool{"live": false, "crash": true} {
		t.Run(name, func(t *testing.T) {
			faulty(t, func(t *testing.T, r *rig, f *faultstore.Store) {
				r.mem.PutString(key("f"), "0123456789")
				h := r.edit(key("f"))
				r.writeAt(h, "A", 1)
				f.StartOutage(faultstore.Refused())
				check(t, h.Flush(t.Context())) // not made whole
				r.writeAt(h, "B", 2)
				r.rename(key("f"), key("g"))
				time.Sleep(30 * time.Second)
				f.EndOutage()
				want := "0AB3456789"
				if crash {
					r.crash()
					want = "0A23456789"
				} else {
					time.Sleep(10 * time.Minute) // the closed one is sent, and what it kept waiting
					if got := r.read(h); got != want {
						t.Errorf("read %q", got)
					}
					r.close(h)
				}
				r.drain()
				r.wantBucket(map[string]string{key("g"): want})
			})
		})
	}
}

// A delete of an older name waits for what replaces the generation that it waited for.
func Test_5a_QUEUED_RenamedOnto_WithHeldDeletes(t *testing.T) {
	for name, sealed := range map[string]bool{"sealed": true, "open": false} {
		t.Run(name, func(t *testing.T) {
			faulty(t, func(t *testing.T, r *rig, f *faultstore.Store) {
				r.mem.PutString(key("x"), "good")
				h := r.edit(key("x"))
				r.writeAt(h, "more", 0)
				if sealed {
					r.close(h)
				}
				r.rename(key("x"), key("b"))
				g := r.create(key("a"))
				r.writeAt(g, "over", 0)
				if sealed {
					r.close(g)
				}
				r.rename(key("a"), key("b"))
				time.Sleep(10 * time.Second)
				want := map[string]string{key("x"): "good"}
				r.wantBucket(want) // nothing that would be lost with the spool
				if !sealed {
					r.crash()
					r.drain()
					r.wantBucket(want)
					return
				}
				f.Clear()
				time.Sleep(10 * time.Minute)
				r.drain()
				r.wantBucket(map[string]string{key("b"): "over"})
			}, faultstore.Rule{Op: op.Put, Fault: faultstore.Refused(), Count: faultstore.Forever})
		})
	}
}

// What follows a conflict under the same name meets the foreign version as a conflict, too.
func Test_5b_SENDING_412_BelowARenameOver_KeepsTheForeignVersion(t *testing.T) {
	faulty(t, func(t *testing.T, r *rig, f *faultstore.Store) {
		r.mem.PutString(key("f.txt"), "base")
		r.put(key("f.txt"), "first")
		time.Sleep(5 * time.Second)
		g := r.create(key("g"))
		r.writeAt(g, "second", 0)
		r.rename(key("g"), key("f.txt"))
		r.close(g)
		r.mem.PutString(key("f.txt"), "theirs")
		f.Clear()
		f.Release()
		r.drain()
		if got := r.bucket()[key("f.txt")]; got != "theirs" {
			t.Errorf("the foreign version was replaced by %q", got)
		}
		all := ""
		for k, v := range r.bucket() {
			if strings.Contains(k, "conflict") {
				all += v + " "
			}
		}
		if !strings.Contains(all, "second") {
			t.Errorf("ours: %q", all)
		}
	}, stalledPut("f.txt"))
}
