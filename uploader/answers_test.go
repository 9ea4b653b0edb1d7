package uploader_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// The answers of the store: docs/UPLOADER.md, 5b.

// faulty is run on a store with faults; the level is proved before they begin.
func faulty(t *testing.T, test func(*testing.T, *rig, *faultstore.Store), rules ...faultstore.Rule) {
	t.Helper()
	run(t, func(t *testing.T, r *rig) {
		f := faultstore.New(r.mem)
		r.over(f)
		f.Add(rules...)
		test(t, r, f)
	})
}

const ours = "f (conflict host 2000-01-01 00.00.00).txt"

func Test_5b_SENDING_412_Foreign_KeepBoth(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		r.mem.PutString(key("f.txt"), "base")
		f := r.create(key("f.txt"))
		r.writeAt(f, "ours", 0)
		r.mem.PutString(key("f.txt"), "theirs")
		r.close(f)
		r.drain()
		r.wantBucket(map[string]string{key("f.txt"): "theirs", key(ours): "ours"})
		r.wantTold("conflict f.txt")
		if n := r.u.Status().Conflicts; n != 1 {
			t.Errorf("%d conflicts in status", n)
		}
	})
}

func Test_5b_SENDING_412_NameTaken_NextNumber(t *testing.T) {
	run(t, func(_ *testing.T, r *rig) {
		r.mem.PutString(key(ours), "somebody's")
		r.mem.PutString(key("f.txt"), "base")
		f := r.create(key("f.txt"))
		r.writeAt(f, "ours", 0)
		r.mem.PutString(key("f.txt"), "theirs")
		r.close(f)
		r.drain()
		r.wantBucket(map[string]string{
			key("f.txt"): "theirs", key(ours): "somebody's",
			key("f (conflict host 2000-01-01 00.00.00 2).txt"): "ours",
		})
	})
}

func Test_5b_SENDING_412_Overwrite(t *testing.T) {
	run(t, func(_ *testing.T, r *rig) {
		f := r.create(key("f.txt"))
		r.writeAt(f, "ours", 0)
		r.mem.PutString(key("f.txt"), "theirs")
		r.close(f)
		r.drain()
		r.wantBucket(map[string]string{key("f.txt"): "ours"})
	}, func(c *uploader.Config) { c.OnConflict = uploader.Overwrite })
}

func Test_5b_SENDING_412_Fail(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		f := r.create(key("f.txt"))
		r.writeAt(f, "ours", 0)
		r.mem.PutString(key("f.txt"), "theirs")
		r.close(f)
		time.Sleep(10 * time.Second)
		r.wantBucket(map[string]string{key("f.txt"): "theirs"})
		if s := r.u.Status(); s.Failed != 1 || !strings.Contains(s.LastError, "changed by somebody") {
			t.Errorf("status %+v", s)
		}
	}, func(c *uploader.Config) { c.OnConflict = uploader.Fail })
}

func Test_5b_SENDING_412_HandleFollowsOurs(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		f := r.create(key("f.txt"))
		r.writeAt(f, "one", 0)
		r.mem.PutString(key("f.txt"), "theirs")
		check(t, f.Flush(t.Context()))
		time.Sleep(5 * time.Second)
		r.writeAt(f, "TWO", 0)
		r.close(f)
		r.drain()
		var conflict string
		for k, v := range r.bucket() {
			if strings.Contains(k, "conflict") {
				conflict += v
			}
		}
		if conflict != "TWO" || r.bucket()[key("f.txt")] != "theirs" {
			t.Errorf("bucket %v", r.bucket())
		}
	})
}

func Test_5b_SENDING_404_ForeignDeleteOfBase_KeepsOurs(t *testing.T) {
	run(t, func(_ *testing.T, r *rig) {
		r.mem.PutString(key("f"), "base")
		f := r.create(key("f"))
		r.writeAt(f, "ours", 0)
		r.mem.Remove(key("f"))
		r.close(f)
		r.drain()
		r.wantBucket(map[string]string{key("f"): "ours"})
		r.wantTold("foreign-gone f")
	})
}

func Test_5b_UNSURE_200_LostAnswer_IsSettledByHead(t *testing.T) {
	faulty(t, func(_ *testing.T, r *rig, _ *faultstore.Store) {
		r.put(key("f"), "data")
		r.drain()
		r.wantBucket(map[string]string{key("f"): "data"})
		r.wantTold("committed f")
		if n := r.mem.Counts()[op.Head]; n != 1 {
			r.t.Errorf("%d HEADs: %v", n, r.mem.Requests())
		}
	}, faultstore.Rule{Op: op.Put, Fault: faultstore.Lost(), Count: 1})
}

func Test_5b_SENDING_Silence_5xx_FailsAfterFourAttemptsAndIsRetried(t *testing.T) {
	faulty(t, func(t *testing.T, r *rig, f *faultstore.Store) {
		r.put(key("f"), "data")
		time.Sleep(900 * time.Millisecond)
		if n := len(f.Calls()); n != 6 { // probe, four attempts, HEAD
			t.Errorf("calls %v", f.Calls())
		}
		s := r.u.Status()
		if s.Failed != 1 || len(s.Items) != 1 || s.Items[0].Attempts != 1 || s.Items[0].Err == "" {
			t.Errorf("status %+v", s)
		}
		time.Sleep(10 * time.Minute)
		f.Clear()
		time.Sleep(6 * time.Minute)
		r.drain()
		r.wantBucket(map[string]string{key("f"): "data"})
		r.wantTold("failed f")
	}, faultstore.Rule{Op: op.Put, Fault: faultstore.InternalError(), Count: faultstore.Forever})
}

func Test_5b_SENDING_403_DeniesTheLevelAndKeepsTheFile(t *testing.T) {
	faulty(t, func(t *testing.T, r *rig, f *faultstore.Store) {
		r.put(key("f"), "data")
		time.Sleep(10 * time.Second)
		r.wantTold("level-denied ")
		if err := r.u.Prove(t.Context(), level); !errors.Is(err, store.ErrPermission) {
			t.Errorf("prove: %v", err)
		}
		f.Clear()
		time.Sleep(2 * time.Minute)
		check(t, r.u.Prove(t.Context(), level))
		r.drain()
		r.wantBucket(map[string]string{key("f"): "data"})
	}, faultstore.Rule{Op: op.Put, Fault: faultstore.Denied(), Count: faultstore.Forever})
}

func Test_5b_SENDING_Expired_PausesWithoutCounting(t *testing.T) {
	faulty(t, func(t *testing.T, r *rig, f *faultstore.Store) {
		r.put(key("f"), "data")
		time.Sleep(200 * time.Millisecond)
		if s := r.u.Status(); s.Paused == nil || s.Failed != 0 || s.Items[0].Attempts != 0 {
			t.Errorf("status %+v", s)
		}
		f.Clear()
		time.Sleep(2 * time.Minute)
		r.drain()
		r.wantBucket(map[string]string{key("f"): "data"})
	}, faultstore.Rule{Op: op.Put, Fault: faultstore.Expired(), Count: faultstore.Forever})
}

func Test_5b_SENDING_404_NoSuchUpload_BeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memstore.Config{MinPart: 1}, func(c *uploader.Config) { c.PartSize = 8 })
		defer func() { r.stop() }()
		f := faultstore.New(r.mem, faultstore.Rule{Op: op.UploadPart, Nth: 2, Fault: faultstore.NoUpload()})
		r.stop()
		r.store = f
		r.open()
		check(t, r.u.Prove(t.Context(), level))
		r.put(key("f"), "0123456789abcdef0123")
		time.Sleep(time.Minute)
		r.drain()
		r.wantBucket(map[string]string{key("f"): "0123456789abcdef0123"})
		if n := r.mem.Counts()[op.Create]; n != 2 {
			t.Errorf("%d uploads created", n)
		}
	})
}

func Test_5b_DELETING_412_ForeignVersionComesBack(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		r.mem.PutString(key("f"), "known")
		base := r.stored(key("f"))
		r.mem.PutString(key("f"), "foreign")
		check(t, r.u.Remove(t.Context(), key("f"), base, uploader.RemoveOptions{}))
		r.drain()
		r.wantBucket(map[string]string{key("f"): "foreign"})
		r.wantTold("reappeared f")
	})
}

func Test_5b_DELETING_403_FirstInALevelTellsTheCaller(t *testing.T) {
	faulty(t, func(t *testing.T, r *rig, _ *faultstore.Store) {
		r.mem.PutString(key("f"), "x")
		err := r.u.Remove(t.Context(), key("f"), r.stored(key("f")), uploader.RemoveOptions{Wait: true})
		if !errors.Is(err, store.ErrPermission) {
			t.Errorf("remove: %v", err)
		}
		if i, ok := r.u.Lookup(key("f")); ok {
			t.Errorf("still pending: %+v", i)
		}
		r.wantTold("reappeared f")
	}, faultstore.Rule{Op: op.Delete, Fault: faultstore.Denied()})
}

func Test_5b_DELETING_404_BatchErrorsAreJudgedOneByOne(t *testing.T) {
	deny := faultstore.Keys("b", func(k string) bool { return k == key("b") }, faultstore.Denied())
	faulty(t, func(_ *testing.T, r *rig, _ *faultstore.Store) {
		for _, n := range []string{"a", "b", "c"} {
			r.mem.PutString(key(n), n)
			r.remove(key(n))
		}
		r.drain()
		r.wantBucket(map[string]string{key("b"): "b"})
		r.wantTold("reappeared b")
		r.wantTold("removed a")
	}, faultstore.Rule{Op: op.DeleteMany, Fault: deny})
}

func Test_5b_MOVING_Copy_403_ChangesNothing(t *testing.T) {
	faulty(t, func(t *testing.T, r *rig, _ *faultstore.Store) {
		r.mem.PutString(key("a"), "data")
		err := r.u.Rename(t.Context(), key("a"), key("b"), r.stored(key("a")), absent(), false)
		if !errors.Is(err, store.ErrPermission) {
			t.Errorf("rename: %v", err)
		}
		r.drain()
		r.wantBucket(map[string]string{key("a"): "data"})
		if _, ok := r.u.Lookup(key("a")); ok {
			t.Error("the source is still shown as moved")
		}
	}, faultstore.Rule{Op: op.Copy, Fault: faultstore.Denied()})
}

func Test_5b_MOVING_Copy_412_SourceChanged_IsReadAgainOnce(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		r.mem.PutString(key("a"), "old")
		base := r.stored(key("a"))
		r.mem.PutString(key("a"), "new")
		check(t, r.u.Rename(t.Context(), key("a"), key("b"), base, absent(), false))
		r.drain()
		r.wantBucket(map[string]string{key("b"): "new"})
	})
}

func Test_5b_MOVING_Copy_412_NoReplace_TargetAppeared(t *testing.T) {
	for name, mc := range servers() {
		t.Run(name, func(t *testing.T) {
			runOn(t, mc, func(t *testing.T, r *rig) {
				r.mem.PutString(key("a"), "a")
				r.mem.PutString(key("b"), "b")
				err := r.u.Rename(t.Context(), key("a"), key("b"), r.stored(key("a")), absent(), true)
				if !errors.Is(err, store.ErrExist) {
					t.Errorf("rename: %v", err)
				}
				r.drain()
				r.wantBucket(map[string]string{key("a"): "a", key("b"): "b"})
			})
		})
	}
}

func Test_5b_QUEUED_Pinning_412_SourceChanged_IsBaseLost(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		r.mem.PutString(key("f"), "0123456789")
		f := r.edit(key("f"))
		r.writeAt(f, "X", 3)
		r.mem.PutString(key("f"), "foreign")
		if err := f.Flush(t.Context()); !errors.Is(err, uploader.ErrBaseLost) {
			t.Errorf("flush: %v", err)
		}
		_ = f.Release(t.Context(), true)
		r.drain()
		r.wantBucket(map[string]string{key("f"): "foreign"})
		r.wantTold("base-lost f")
		for range 2 {
			if s := r.u.Status(); s.BaseLost != 1 || len(s.Quarantined) != 1 {
				t.Errorf("status %+v", s)
			}
			r.crash()
		}
	})
}

func Test_5b_QUEUED_Pinning_Silence_IsFilledLater(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		fs := faultstore.New(r.mem)
		r.stop()
		r.store = fs
		r.open()
		check(t, r.u.Prove(t.Context(), level))
		r.mem.PutString(key("f"), "0123456789")
		f := r.edit(key("f"))
		r.writeAt(f, "X", 3)
		fs.StartOutage(faultstore.Stall())
		began := time.Now()
		r.close(f)
		if d := time.Since(began); d > 6*time.Second {
			t.Errorf("close took %v", d)
		}
		time.Sleep(time.Minute)
		fs.EndOutage()
		fs.Release()
		time.Sleep(10 * time.Minute)
		r.drain()
		r.wantBucket(map[string]string{key("f"): "012X456789"})
	})
}

func TestCloseUploadReturnsTheStoresError(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		fs := faultstore.New(r.mem)
		r.stop()
		r.store = fs
		r.open()
		check(t, r.u.Prove(t.Context(), level))
		fs.StartOutage(faultstore.Refused())
		f := r.create(key("f"))
		r.writeAt(f, "x", 0)
		if err := f.Flush(t.Context()); !errors.Is(err, store.ErrTransient) {
			t.Errorf("flush: %v", err)
		}
		fs.EndOutage()
		check(t, f.Release(t.Context(), true))
		time.Sleep(time.Minute)
		r.drain()
		if !slices.Contains(r.told(), "committed f") {
			t.Errorf("events %v", r.told())
		}
	}, func(c *uploader.Config) { c.CloseUpload = true })
}
