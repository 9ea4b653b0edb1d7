package uploader_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/uploader"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// Local events: docs/UPLOADER.md, 5a, in the states that need a request in flight.

// sending runs a test while the first Put of "f" (data "one") stalls.
func sending(t *testing.T, test func(*testing.T, *rig)) {
	t.Helper()
	faulty(t, func(t *testing.T, r *rig, f *faultstore.Store) {
		r.put(key("f"), "one")
		time.Sleep(time.Second)
		if n := len(f.Stalled()); n != 1 {
			t.Fatalf("%d stalled", n)
		}
		test(t, r)
		f.Release()
		r.drain()
	}, faultstore.Rule{Op: op.Put, Key: key("f"), Fault: faultstore.Stall()})
}

func Test_5a_SENDING_Write_QueuesBehind(t *testing.T) {
	sending(t, func(t *testing.T, r *rig) {
		r.put(key("f"), "two")
		i, _ := r.u.Lookup(key("f"))
		if i.Size != 3 || i.State != uploader.StateQueued {
			t.Errorf("%+v", i)
		}
		t.Cleanup(func() { r.wantBucket(map[string]string{key("f"): "two"}) })
	})
}

func Test_5a_SENDING_Rename_LandsUnderTheNewNameOnly(t *testing.T) {
	sending(t, func(t *testing.T, r *rig) {
		r.rename(key("f"), key("g"))
		if i, ok := r.u.Lookup(key("f")); !ok || i.Kind != uploader.KindTombstone {
			t.Errorf("old name %+v", i)
		}
		if i, ok := r.u.Lookup(key("g")); !ok || i.Size != 3 {
			t.Errorf("new name %+v", i)
		}
		t.Cleanup(func() { r.wantBucket(map[string]string{key("g"): "one"}) })
	})
}

func Test_5a_SENDING_Unlink_DeletesWhatLanded(t *testing.T) {
	sending(t, func(t *testing.T, r *rig) {
		r.remove(key("f"))
		t.Cleanup(func() { r.wantBucket(map[string]string{}) })
	})
}

func Test_5a_SENDING_Unlink_ThenCreate(t *testing.T) {
	sending(t, func(t *testing.T, r *rig) {
		r.remove(key("f"))
		r.put(key("f"), "new")
		t.Cleanup(func() { r.wantBucket(map[string]string{key("f"): "new"}) })
	})
}

func Test_5a_SENDING_Chmod_RunsAfterTheCommit(t *testing.T) {
	sending(t, func(t *testing.T, r *rig) {
		check(t, r.u.SetHeaders(t.Context(), key("f"), absent(), memHeaders("7")))
		t.Cleanup(func() {
			o, _ := r.mem.Object(key("f"))
			if o.Headers.Metadata["v"] != "7" || string(o.Data) != "one" {
				t.Errorf("%v %q", o.Headers.Metadata, o.Data)
			}
		})
	})
}

func Test_5a_SENDING_RenamedOnto(t *testing.T) {
	sending(t, func(t *testing.T, r *rig) {
		r.put(key("g.tmp"), "over")
		r.rename(key("g.tmp"), key("f"))
		t.Cleanup(func() { r.wantBucket(map[string]string{key("f"): "over"}) })
	})
}

func Test_5a_QUEUED_Chmod_AmendsTheGeneration(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		r.put(key("f"), "x")
		check(t, r.u.SetHeaders(t.Context(), key("f"), absent(), memHeaders("1")))
		r.drain()
		r.wantRequests("put f")
		if o, _ := r.mem.Object(key("f")); o.Headers.Metadata["v"] != "1" {
			t.Errorf("%v", o.Headers)
		}
	})
}

func Test_5a_CLEAN_Chmod_IsOneSelfCopy(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		r.mem.PutString(key("f"), "x")
		for _, v := range []string{"1", "2", "3"} {
			check(t, r.u.SetHeaders(t.Context(), key("f"), r.stored(key("f")), memHeaders(v)))
		}
		if i, ok := r.u.Lookup(key("f")); !ok || i.Kind != uploader.KindAttr || i.Headers.Metadata["v"] != "3" {
			t.Errorf("%+v", i)
		}
		r.drain()
		r.wantRequests("copy f")
	})
}

func Test_5a_GONE_Write_GoesOn(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		r.mem.PutString(key("f"), "0123456789")
		f := r.edit(key("f"))
		r.writeAt(f, "X", 2)
		r.remove(key("f"))
		time.Sleep(time.Minute)
		r.writeAt(f, "Y", 3)
		if got := r.read(f); got != "01XY456789" {
			t.Errorf("read %q", got)
		}
		if f.Info().State != uploader.StateGone {
			t.Errorf("%+v", f.Info())
		}
		r.close(f)
		r.drain()
		r.wantBucket(map[string]string{})
	})
}

func Test_5a_GONE_Release_NewFileLeavesNothing(t *testing.T) {
	run(t, func(_ *testing.T, r *rig) {
		f := r.create(key("f"))
		r.writeAt(f, "x", 0)
		r.remove(key("f"))
		r.writeAt(f, "y", 0)
		r.close(f)
		r.drain()
		r.wantRequests()
		r.crash()
		if s := r.u.Status(); len(s.Quarantined)+len(s.Items) != 0 {
			r.t.Errorf("%+v", s)
		}
	})
}

func Test_5a_DELETING_Held_KeepsTheDeleteBack(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		r.mem.PutString(key("f"), "x")
		h := uploader.NewHold()
		check(t, r.u.Remove(t.Context(), key("f"), r.stored(key("f")), uploader.RemoveOptions{Hold: h}))
		time.Sleep(time.Minute)
		r.wantRequests()
		r.u.Release(h)
		r.drain()
		r.wantBucket(map[string]string{})
	})
}

func Test_5a_DELETING_Write_QueuesBehind(t *testing.T) {
	run(t, func(_ *testing.T, r *rig) {
		r.mem.PutString(key("f"), "old")
		r.remove(key("f"))
		r.put(key("f"), "new")
		r.drain()
		r.wantBucket(map[string]string{key("f"): "new"})
	})
}

func Test_5a_CLEAN_Write_ExclusiveOpenOfKnown_IsEEXIST(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		r.mem.PutString(key("f"), "x")
		_, err := r.u.Open(t.Context(), key("f"), uploader.OpenOptions{Base: r.stored(key("f")), Exclusive: true})
		if !errors.Is(err, store.ErrExist) {
			t.Errorf("open: %v", err)
		}
		r.put(key("g"), "x")
		_, err = r.u.Open(t.Context(), key("g"), uploader.OpenOptions{Base: absent(), Exclusive: true})
		if !errors.Is(err, store.ErrExist) {
			t.Errorf("open of pending: %v", err)
		}
	})
}

func Test_5a_OPEN_Rename_OfStoredBase_CrashLosesNothing(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		r.mem.PutString(key("a"), "good")
		f := r.edit(key("a"))
		r.writeAt(f, "half", 0)
		r.rename(key("a"), key("b"))
		r.crash()
		r.drain()
		r.wantBucket(map[string]string{key("b"): "good"})
		if n := len(r.u.Status().Quarantined); n != 1 {
			t.Errorf("%d quarantined", n)
		}
	})
}

func Test_5a_QUEUED_RenamedOnto_ByAnOpenFile_UploadsBoth(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		r.put(key("b.tmp"), "sealed")
		f := r.create(key("a"))
		r.writeAt(f, "open", 0)
		r.rename(key("a"), key("b.tmp"))
		r.crash() // the source is quarantined: the sealed one is uploaded (I7)
		r.drain()
		r.wantBucket(map[string]string{key("b.tmp"): "sealed"})
	})
}

func TestSwapOfModifiedFiles(t *testing.T) {
	run(t, func(_ *testing.T, r *rig) {
		for _, n := range []string{"a", "b"} {
			r.mem.PutString(key(n), n)
			f := r.edit(key(n))
			r.writeAt(f, "+"+n, 1)
			r.close(f)
		}
		r.rename(key("a"), key("t"))
		r.rename(key("b"), key("a"))
		r.rename(key("t"), key("b"))
		r.drain()
		r.wantBucket(map[string]string{key("a"): "b+b", key("b"): "a+a"})
	})
}

func TestSpoolSpaceIsGivenBack(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		big := make([]byte, 256<<10)
		for _, n := range []string{"a", "b", "c"} {
			r.put(key(n), string(big))
		}
		r.put(key("d.tmp"), string(big))
		r.remove(key("d.tmp"))
		r.drain()
		time.Sleep(time.Minute)
		if bytes, _ := r.sp.Usage(); bytes != 0 {
			t.Errorf("%d bytes left in the spool", bytes)
		}
	})
}

func TestRetrySendsWhatHasFailedAtOnce(t *testing.T) {
	faulty(t, func(t *testing.T, r *rig, f *faultstore.Store) {
		r.put(key("f"), "x")
		time.Sleep(20 * time.Minute)
		f.Clear()
		r.u.Retry()
		time.Sleep(time.Second)
		r.wantBucket(map[string]string{key("f"): "x"})
	}, faultstore.Rule{Op: op.Put, Fault: faultstore.SlowDown(), Count: faultstore.Forever})
}

func TestDirectoriesOfTheOverlay(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		r.put(key("d/sub/f.tmp"), "x")
		check(t, r.u.Mkdir(t.Context(), key("d/empty"), store.Headers{}))
		names := map[string]uploader.Kind{}
		for _, i := range r.u.Children(key("d/")) {
			names[i.Key] = i.Kind
		}
		if len(names) != 2 || names[key("d/sub")] != uploader.KindDir || names[key("d/empty")] != uploader.KindDir {
			t.Errorf("children %v", names)
		}
		if !r.u.Under(key("d/")) || r.u.Under(key("d/empty/")) || r.u.Under(key("x/")) {
			t.Error("Under")
		}
		check(t, r.u.Rmdir(t.Context(), key("d/empty"), absent()))
		r.remove(key("d/sub/f.tmp"))
		if r.u.Under(key("d/")) {
			t.Error("something is still under d/")
		}
		r.drain()
		r.wantRequests()
	})
}

func TestNames(t *testing.T) {
	now := time.Date(2026, 11, 24, 1, 2, 3, 0, time.UTC)
	for in, want := range map[string]string{
		"public/a.txt":    "public/a (conflict h 2026-11-24 01.02.03).txt",
		"public/.profile": "public/.profile (conflict h 2026-11-24 01.02.03)",
		"public/noext":    "public/noext (conflict h 2026-11-24 01.02.03)",
		"p/a (conflict h 2026-11-24 01.02.03).txt":   "p/a (conflict h 2026-11-24 01.02.03 2).txt",
		"p/a (conflict h 2026-11-24 01.02.03 9).txt": "p/a (conflict h 2026-11-24 01.02.03 10).txt",
	} {
		if got := uploader.ConflictName(in, "h", now); got != want {
			t.Errorf("conflict name of %q: %q, want %q", in, got, want)
		}
	}
	for name, want := range map[string]bool{
		"a.txt": false, "a.tmp": true, ".a.txt.Xy12Zq": true, ".config.backup": false, "4913": true, "a~": true,
		".#a": true, "#a#": true, "index.lock": true, "tmp_obj_x1": true, ".goutputstream-AB": true, "x.crdownload": true, "x.part": true,
	} {
		if got := uploader.LooksTemporary("public/" + name); got != want {
			t.Errorf("temporary %q: %v", name, got)
		}
	}
}

func TestFullSpoolWaitsForUploadsThenIsFull(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		r.stop()
		r.maxBytes = 300 << 10
		r.open()
		check(t, r.u.Prove(t.Context(), level))
		chunk := string(make([]byte, 100<<10))
		for i := range 10 {
			r.put(key(fmt.Sprint(i)), chunk)
		}
		r.drain()
		if n := len(r.bucket()); n != 10 {
			t.Errorf("%d objects", n)
		}
		f := r.create(key("huge"))
		var err error
		for off := int64(0); err == nil && off < 1<<20; off += int64(len(chunk)) {
			_, err = f.WriteAt(t.Context(), []byte(chunk), off)
		}
		if !errors.Is(err, spool.ErrFull) {
			t.Errorf("a file larger than the spool: %v", err)
		}
		check(t, f.Release(t.Context(), true))
	})
}
