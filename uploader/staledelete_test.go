package uploader_test

import (
	"fmt"
	"maps"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// Deletes that have waited longer than a batch does: only the version that the remover knew goes (I3).

func nth(dir string, i int) string { return key(fmt.Sprintf("%s/%04d", dir, i)) }

// fill makes n objects in "d".
func (r *rig) fill(n int) {
	for i := range n {
		r.mem.PutString(nth("d", i), "old")
	}
	r.mem.ResetCounts()
}

// replaceThird is somebody else's write.
func (r *rig) replaceThird() { r.mem.PutString(nth("d", 3), "theirs") }

func (r *rig) removeAll(n int, o uploader.RemoveOptions) {
	r.t.Helper()
	for i := range n {
		k := nth("d", i)
		check(r.t, r.u.Remove(r.t.Context(), k, r.stored(k), o))
	}
}

// wantThirdKept: the foreign version is the only one in "d", and cost one listing at most.
func (r *rig) wantThirdKept(others map[string]string) {
	r.t.Helper()
	r.drain()
	want := map[string]string{nth("d", 3): "theirs"}
	maps.Copy(want, others)
	r.wantBucket(want)
	r.wantTold("reappeared d/0003")
	c := r.mem.Counts()
	if c[op.DeleteMany] != 1 || c[op.Delete]+c[op.Head] != 0 || c[op.List] != 1 {
		r.t.Errorf("requests %v", c)
	}
}

func TestDeletesHeldByARenameOfADirectoryKeepAForeignSource(t *testing.T) {
	faulty(t, func(t *testing.T, r *rig, f *faultstore.Store) {
		const n = 50
		r.fill(n)
		f.Add(faultstore.Rule{Op: op.Copy, Key: nth("e", n-1), Fault: faultstore.Do("foreign write", func() {
			time.Sleep(time.Second)
			r.replaceThird()
		})})
		var entries []uploader.DirEntry
		copies := map[string]string{}
		for i := range n {
			entries = append(entries, uploader.DirEntry{Key: nth("d", i), ETag: r.stored(nth("d", i)).ETag, Size: 3})
			copies[nth("e", i)] = "old"
		}
		check(t, r.u.RenameDir(t.Context(), key("d"), key("e"), entries))
		r.wantThirdKept(copies)
	})
}

func TestDeletesAfterARestartKeepAForeignVersion(t *testing.T) {
	for name, mc := range map[string]memstore.Config{"conditions": {}, "none": {IgnoreWriteCond: true}} {
		t.Run(name, func(t *testing.T) {
			runOn(t, mc, func(_ *testing.T, r *rig) {
				r.fill(20)
				r.removeAll(20, uploader.RemoveOptions{Hold: uploader.NewHold()}) // not sent before the crash
				r.replaceThird()
				r.crash()
				r.wantThirdKept(nil)
			})
		})
	}
}

// TestDeletesListBetweenCharacters: the listing that looks again begins at a whole character of the first name.
func TestDeletesListBetweenCharacters(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		keys := []string{key("d/é"), key("d/日"), key("d/😀")}
		for _, k := range keys {
			r.mem.PutString(k, "old")
		}
		for _, k := range keys {
			check(t, r.u.Remove(t.Context(), k, r.stored(k), uploader.RemoveOptions{Hold: uploader.NewHold()}))
		}
		r.mem.ResetCounts()
		r.crash()
		r.drain()
		r.wantBucket(map[string]string{})
		looked := 0
		for _, q := range r.mem.Requests() {
			if q.Op == op.List {
				looked++
				if !utf8.ValidString(q.StartAfter) {
					t.Errorf("a listing from %q on", q.StartAfter)
				}
			}
		}
		if looked == 0 {
			t.Error("nothing was looked at again")
		}
	})
}

func TestDeletesAfterACredentialsPauseKeepAForeignVersion(t *testing.T) {
	faulty(t, func(_ *testing.T, r *rig, _ *faultstore.Store) {
		r.fill(20)
		r.removeAll(20, uploader.RemoveOptions{})
		time.Sleep(500 * time.Millisecond)
		r.replaceThird()
		r.mem.ResetCounts()
		r.wantThirdKept(nil)
	}, faultstore.Rule{Op: op.DeleteMany, Fault: faultstore.Expired()})
}

func TestDeletesOfFilesThatWereOpenKeepAForeignVersion(t *testing.T) {
	run(t, func(_ *testing.T, r *rig) {
		r.fill(20)
		hold := uploader.NewHold()
		r.removeAll(20, uploader.RemoveOptions{Hold: hold})
		time.Sleep(time.Minute)
		r.replaceThird()
		r.u.Release(hold)
		r.wantThirdKept(nil)
	})
}

// An answer that never came: before the next attempt the keys are looked at again.
func TestDeletesWithoutAnswerKeepAForeignVersion(t *testing.T) {
	faulty(t, func(_ *testing.T, r *rig, f *faultstore.Store) {
		r.fill(20)
		f.Add(faultstore.Rule{Op: op.List, Fault: faultstore.Do("foreign write", r.replaceThird)})
		r.removeAll(20, uploader.RemoveOptions{})
		r.drain()
		r.wantBucket(map[string]string{nth("d", 3): "theirs"})
		r.wantTold("reappeared d/0003")
		if c := r.mem.Counts(); c[op.DeleteMany] != 1 || c[op.List] != 1 || len(c) != 2 {
			r.t.Errorf("requests %v", c)
		}
	}, faultstore.Rule{Op: op.DeleteMany, Fault: faultstore.Lost()})
}

// Few old deletes go alone, each with its condition; the one that is refused is looked at.
func TestFewOldDeletesAreConditional(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		r.fill(4)
		hold := uploader.NewHold()
		for _, i := range []int{2, 3} {
			check(t, r.u.Remove(t.Context(), nth("d", i), r.stored(nth("d", i)), uploader.RemoveOptions{Hold: hold}))
		}
		time.Sleep(time.Minute)
		r.replaceThird()
		r.u.Release(hold)
		r.drain()
		r.wantBucket(map[string]string{nth("d", 0): "old", nth("d", 1): "old", nth("d", 3): "theirs"})
		if c := r.mem.Counts(); c[op.Delete] != 2 || c[op.Head] != 1 || len(c) != 2 {
			t.Errorf("requests %v", c)
		}
	})
}

// A directory much larger than what is deleted in it is not listed to its end.
func TestOldDeletesInALargeDirectoryDoNotListItAll(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		r.fill(9000)
		hold := uploader.NewHold()
		for i := range 10 {
			k := nth("d", i*900)
			check(t, r.u.Remove(t.Context(), k, r.stored(k), uploader.RemoveOptions{Hold: hold}))
		}
		time.Sleep(time.Minute)
		r.u.Release(hold)
		r.drain()
		if n := len(r.bucket()); n != 8990 {
			t.Errorf("%d objects", n)
		}
		if c := r.mem.Counts(); c[op.List] > 1 || c[op.Delete] > 10 || c[op.DeleteMany] > 1 {
			t.Errorf("requests %v", c)
		}
	})
}

// Where nothing can be looked at, what this mount knows is all there is.
func TestOldDeletesInALevelWithoutLooksAreABatch(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		r.fill(20)
		r.removeAll(20, uploader.RemoveOptions{Hold: uploader.NewHold()})
		r.crash()
		r.drain()
		r.wantBucket(map[string]string{})
		if c := r.mem.Counts(); c[op.DeleteMany] != 1 || len(c) != 1 {
			t.Errorf("requests %v", c)
		}
	}, func(c *uploader.Config) { c.Levels[0].CanGet, c.Levels[0].CanList = false, false })
}

// That a delete goes alone is in the log.
func TestAwaitedRemovalIsConditionalAfterACrash(t *testing.T) {
	faulty(t, func(t *testing.T, r *rig, f *faultstore.Store) {
		r.fill(20)
		f.StartOutage(faultstore.Stall())
		for i := range 20 {
			k := nth("d", i)
			go func() { _ = r.u.Remove(t.Context(), k, r.stored(k), uploader.RemoveOptions{Wait: true}) }()
		}
		time.Sleep(time.Second)
		f.EndOutage()
		r.replaceThird()
		r.mem.ResetCounts()
		r.crash()
		r.drain()
		r.wantBucket(map[string]string{nth("d", 3): "theirs"})
		if c := r.mem.Counts(); c[op.DeleteMany] != 0 {
			t.Errorf("requests %v", c)
		}
	})
}

// A delete that nothing is known of takes what is there when it was asked for, not what came long after.
func TestDeleteOfUnknownVersionLooksFirst(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		r.fill(5)
		check(t, r.u.Remove(t.Context(), nth("d", 1), uploader.Base{}, uploader.RemoveOptions{}))
		r.drain()
		if _, ok := r.mem.Object(nth("d", 1)); ok {
			t.Error("not removed")
		}
		hold := uploader.NewHold()
		check(t, r.u.Remove(t.Context(), nth("d", 3), uploader.Base{}, uploader.RemoveOptions{Hold: hold}))
		time.Sleep(time.Minute)
		r.replaceThird()
		r.u.Release(hold)
		r.drain()
		if got := r.bucket()[nth("d", 3)]; got != "theirs" {
			t.Errorf("deleted blindly: %q", got)
		}
		r.wantTold("reappeared d/0003")
	})
}

// A marker with content is somebody's object.
func TestRmdirKeepsAMarkerWithContent(t *testing.T) {
	faulty(t, func(t *testing.T, r *rig, _ *faultstore.Store) {
		r.mem.PutString(key("d/"), "content")
		check(t, r.u.Rmdir(t.Context(), key("d"), uploader.Base{}))
		time.Sleep(time.Second)
		r.crash()
		r.drain()
		r.wantBucket(map[string]string{key("d/"): "content"})
	}, faultstore.Rule{Op: op.Delete, Fault: faultstore.Refused(), Count: 4})
}
