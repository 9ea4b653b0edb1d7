package uploader_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

// A file that is never closed: docs/UPLOADER.md, 5a, OPEN, fsync.

// save writes the whole content anew and syncs it.
func (r *rig) save(f *uploader.File, data string) {
	r.t.Helper()
	r.writeAt(f, data, 0)
	check(r.t, f.Sync(context.Background()))
}

// wait lets time pass, and what it brings.
func wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func Test_5a_OPEN_Fsync_StillOpen_IsUploaded(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		f := r.create(key("db"))
		r.save(f, "one")
		wait(1900 * time.Millisecond)
		r.wantBucket(map[string]string{})
		wait(200 * time.Millisecond)
		r.wantBucket(map[string]string{key("db"): "one"})
		r.writeAt(f, "two", 0)
		wait(10 * time.Minute) // what was not fsynced waits for the close
		r.wantBucket(map[string]string{key("db"): "one"})
		check(t, f.Sync(t.Context()))
		wait(2100 * time.Millisecond)
		r.wantBucket(map[string]string{key("db"): "two"})
		check(t, f.Sync(t.Context())) // nothing has changed
		wait(10 * time.Minute)
		r.close(f)
		r.drain()
		r.wantRequests("put db", "put db")
	})
}

func Test_5a_OPEN_Fsync_OfAStoredFile_SendsTheDelta(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		r.mem.PutString(key("db"), "0123456789")
		f := r.edit(key("db"))
		r.writeAt(f, "ab", 2)
		check(t, f.Sync(t.Context()))
		wait(3 * time.Second)
		r.wantBucket(map[string]string{key("db"): "01ab456789"})
		r.writeAt(f, "cd", 6)
		check(t, f.Sync(t.Context()))
		wait(30 * time.Second)
		r.wantBucket(map[string]string{key("db"): "01ab45cd89"})
		r.wantRequests("get db", "put db", "put db")
		r.close(f)
	})
}

func Test_5a_OPEN_Fsync_ClosedSoon_IsOnePut(t *testing.T) {
	for name, late := range map[string]string{"_Unchanged": "", "_WrittenSince": "new"} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, r *rig) {
				f := r.create(key("f"))
				r.save(f, "old")
				wait(time.Second)
				want := "old"
				if late != "" {
					r.writeAt(f, late, 0)
					want = late
				}
				wait(500 * time.Millisecond)
				r.close(f)
				wait(time.Minute)
				r.wantBucket(map[string]string{key("f"): want})
				r.wantRequests("put f")
			})
		})
	}
}

func Test_5a_OPEN_Fsync_WrittenSince_UploadsWhatWasFsynced(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		f := r.create(key("db"))
		r.save(f, "fsynced")
		r.writeAt(f, "mixed", 0)
		wait(time.Minute)
		r.wantBucket(map[string]string{key("db"): "fsynced"})
		if got := r.read(f); got != "mixeded" {
			t.Errorf("read %q", got)
		}
		r.crash()
		r.drain()
		r.wantBucket(map[string]string{key("db"): "fsynced"})
		if n := len(r.u.Status().Quarantined); n != 1 {
			t.Errorf("%d in quarantine", n)
		}
	})
}

func Test_5a_OPEN_Fsync_AgainAndAgain_IsOnceIn30Seconds(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		f := r.create(key("db"))
		synced := map[string]bool{}
		var seen []string
		for i := range 1200 { // each followed by a write: only what is kept at that moment can be uploaded
			data := fmt.Sprintf("%04d", i)
			r.save(f, data)
			synced[data] = true
			r.writeAt(f, "xxxx", 0)
			wait(100 * time.Millisecond)
			if o, ok := r.mem.Object(key("db")); ok && !slices.Contains(seen, string(o.Data)) {
				seen = append(seen, string(o.Data))
			}
		}
		for _, s := range seen {
			if !synced[s] {
				t.Errorf("%q was never fsynced", s)
			}
		}
		if n := r.mem.Counts()[op.Put]; n != 4 || len(seen) != 4 {
			t.Errorf("%d uploads in two minutes, states %q, want 4", n, seen)
		}
		r.save(f, "last")
		wait(40 * time.Second)
		r.wantBucket(map[string]string{key("db"): "last"})
		r.close(f)
	})
}

func Test_5a_OPEN_Fsync_OneInFlight(t *testing.T) {
	faulty(t, func(t *testing.T, r *rig, faults *faultstore.Store) {
		f := r.create(key("db"))
		r.save(f, "one")
		wait(3 * time.Second)
		for i := range 10 {
			r.save(f, fmt.Sprintf("%02d", i))
			wait(5 * time.Second)
			if n := len(faults.Stalled()); n > 1 || r.u.Operations() > 2 { // it is cut off and sent again now and then
				t.Fatalf("%d requests, %d operations", n, r.u.Operations())
			}
		}
		faults.Clear()
		faults.Release()
		wait(3 * time.Second)
		r.wantBucket(map[string]string{key("db"): "09e"})
		r.close(f)
	}, faultstore.Rule{Op: op.Put, Fault: faultstore.Stall(), Count: faultstore.Forever})
}

func Test_5a_OPEN_Fsync_StoreAway_IsTriedAgain(t *testing.T) {
	faulty(t, func(t *testing.T, r *rig, faults *faultstore.Store) {
		f := r.create(key("db"))
		r.save(f, "one")
		wait(time.Minute)
		if n := r.u.Status().Failed; n != 1 {
			t.Errorf("%d failed", n)
		}
		r.save(f, "two")
		faults.Clear()
		wait(5 * time.Minute)
		r.wantBucket(map[string]string{key("db"): "two"})
		r.close(f)
	}, faultstore.Rule{Op: op.Put, Fault: faultstore.SlowDown(), Count: faultstore.Forever})
}

func Test_5a_GONE_Fsync_IsNeverUploaded(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		r.config.Checkpoint = time.Second
		f := r.create(key("f"))
		r.save(f, "one")
		r.remove(key("f"))
		r.save(f, "two")
		wait(time.Hour)
		r.close(f)
		r.drain()
		r.wantRequests()
	}, func(c *uploader.Config) { c.Checkpoint = time.Second })
}

func Test_5a_OPEN_Fsync_Renamed_IsUploadedUnderItsNewName(t *testing.T) {
	run(t, func(_ *testing.T, r *rig) {
		f := r.create(key("a"))
		r.save(f, "one")
		r.writeAt(f, "two", 0) // what was fsynced is below now
		r.rename(key("a"), key("b"))
		wait(3 * time.Second)
		r.wantBucket(map[string]string{key("b"): "one"})
		r.wantRequests("put b")
		r.close(f)
		r.drain()
		r.wantBucket(map[string]string{key("b"): "two"})
	})
}

func Test_5a_OPEN_Fsync_ForeignChange_KeepsBoth(t *testing.T) {
	run(t, func(_ *testing.T, r *rig) {
		f := r.create(key("db"))
		r.save(f, "one")
		wait(3 * time.Second)
		r.mem.PutString(key("db"), "theirs")
		r.save(f, "two")
		wait(time.Minute)
		got := (&cellRig{rig: r}).files()
		if len(got) != 2 || got["db"] != "theirs" || got["conflict"] != "two" {
			r.t.Errorf("bucket %q", got)
		}
		r.wantTold("conflict db")
		r.close(f)
	})
}

// What was streamed is not sent again because the program has synced it on its way.
func Test_5a_OPEN_Fsync_OfAStreamedFile_SendsEachPartOnce(t *testing.T) {
	runOn(t, memstore.Config{MinPart: 1}, func(t *testing.T, r *rig) {
		f := r.create(key("f"))
		for i := range 10 {
			r.writeAt(f, "0123456789abcdef", int64(16*i))
			check(t, f.Sync(t.Context()))
			wait(100 * time.Millisecond)
		}
		r.close(f)
		r.drain()
		if n := r.mem.Counts()[op.UploadPart]; n > 10 {
			t.Errorf("%d parts sent", n)
		}
	}, func(c *uploader.Config) { c.PartSize = 16 })
}

func TestCheckpointWithoutFsync(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		f := r.create(key("log"))
		text := ""
		for range 10 {
			line := "line\n"
			r.writeAt(f, line, int64(len(text)))
			text += line
			wait(time.Minute)
		}
		if n := r.mem.Counts()[op.Put]; n != 2 {
			t.Errorf("%d uploads in ten minutes, want 2", n)
		}
		r.close(f)
		r.drain()
		r.wantBucket(map[string]string{key("log"): text})
	}, func(c *uploader.Config) { c.Checkpoint = 4*time.Minute + time.Second })
}

// A log on a full disk takes no seal: the writer is told, and what it had synced goes when there is room again.
func TestCheckpointThatTheLogRefuses(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		f := r.create(key("db"))
		r.save(f, "one")
		full := errors.New("disk full")
		r.u.FailLog(full, 0)
		wait(5 * time.Second)
		if _, err := f.WriteAt(t.Context(), []byte("two"), 0); !errors.Is(err, full) {
			t.Errorf("write: %v", err)
		}
		r.u.FailLog(nil, 0)
		wait(time.Minute)
		r.wantBucket(map[string]string{key("db"): "one"})
		r.close(f)
	})
}

// ofOneMoment notes what an object may be, and which one was another.
type ofOneMoment struct {
	mu      sync.Mutex
	allowed map[string]bool
	bad     string
}

func (o *ofOneMoment) allow(data string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.allowed[data] = true
}

func (o *ofOneMoment) made(data string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.allowed[data] && o.bad == "" {
		o.bad = fmt.Sprintf("%q is of no fsync", data)
	}
}

// TestCheckpointIsNeverAMixture: whatever a program writes, syncs and leaves open, and whenever the daemon dies, each object
// that is made has the bytes of one fsync, or of what the file was when the daemon died.
func TestCheckpointIsNeverAMixture(t *testing.T) {
	t.Parallel()
	const size = 40 // three parts of the bubble's store
	draw := rapid.Custom(func(t *rapid.T) step {
		return step{
			op:  rapid.SampledFrom([]string{"write", "write", "write", "write", "fsync", "fsync", "fsync", "time", "time", "time", "crash"}).Draw(t, "op"),
			off: rapid.IntRange(0, size-3).Draw(t, "off"), ms: rapid.SampledFrom([]int{1, 50, 700, 2500, 31000}).Draw(t, "ms"),
		}
	})
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(draw, 30, 120).Draw(rt, "steps")
		bad := ""
		synctest.Test(t, func(t *testing.T) { bad = runOpenFile(t, steps) })
		if bad != "" {
			rt.Fatalf("%s after %+v", bad, steps)
		}
	})
}

// runOpenFile lets a program that never closes its file take steps, and tells what is wrong with what the bucket got.
func runOpenFile(t *testing.T, steps []step) string {
	r := newRig(t, memstore.Config{MinPart: 1}, func(c *uploader.Config) { c.PartSize = 16 })
	defer func() { r.stop() }()
	r.stop()
	faults, seen := faultstore.New(r.mem), &ofOneMoment{allowed: map[string]bool{}}
	r.store = faults
	r.open()
	faults.SetHooks(faultstore.Hooks{
		Before: func(c faultstore.Call) {
			if c.IsWrite() {
				time.Sleep(latency)
			}
		},
		After: func(c faultstore.Call, _ error) {
			if o, ok := r.mem.Object(key("db")); ok && makes(c) {
				seen.made(string(o.Data))
			}
		},
	})
	f, bytes, synced := r.create(key("db")), "", false
	for i, s := range steps {
		switch s.op {
		case "write":
			data, off := fmt.Sprintf("%03d", i), min(s.off, len(bytes))
			r.writeAt(f, data, int64(off))
			bytes = patch(bytes, data, off)
		case "fsync":
			seen.allow(bytes)
			synced = true
			check(t, f.Sync(t.Context()))
		case "time":
			wait(time.Duration(s.ms) * time.Millisecond)
		default:
			if synced { // what was written since may be there, and goes with it
				seen.allow(bytes)
			}
			r.crash()
			r.drain()
			f, synced = r.edit(key("db")), false
			bytes = r.bucket()[key("db")]
		}
		synctest.Wait()
	}
	seen.allow(bytes)
	check(t, f.Sync(t.Context()))
	wait(2 * time.Minute)
	if got := r.bucket()[key("db")]; seen.bad == "" && got != bytes {
		seen.bad = fmt.Sprintf("bucket has %q, want %q", got, bytes)
	}
	check(t, f.Release(t.Context(), true))
	return seen.bad
}
