package uploader_test

import (
	"errors"
	"testing"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// servers keep or ignore conditions on the target of a copy, and of all writes, or say that theirs are loose.
func servers() map[string]memstore.Config {
	loose := store.WholeLimits() // kept in its process alone, so that none are sent
	loose.LooseCond = true
	return map[string]memstore.Config{
		"all": {}, "writes": {IgnoreCopyCond: true}, "none": {IgnoreWriteCond: true}, "loose": {Limits: loose},
	}
}

func Test_5b_MOVING_Copy_412_TargetChanged_ChangesNothing(t *testing.T) {
	for name, mc := range servers() {
		for was, put := range map[string]string{"present": "old", "absent": ""} {
			t.Run(name+"/"+was, func(t *testing.T) {
				runOn(t, mc, func(t *testing.T, r *rig) {
					r.mem.PutString(key("a"), "a")
					if put != "" {
						r.mem.PutString(key("b"), put)
					}
					known := r.stored(key("b"))
					r.mem.PutString(key("b"), "theirs")
					err := r.u.Rename(t.Context(), key("a"), key("b"), r.stored(key("a")), known, false)
					if !errors.Is(err, store.ErrChanged) {
						t.Errorf("rename: %v", err)
					}
					r.drain()
					r.wantBucket(map[string]string{key("a"): "a", key("b"): "theirs"})
					if i, ok := r.u.Lookup(key("a")); ok {
						t.Errorf("still pending: %+v", i)
					}
				})
			})
		}
	}
}

func Test_5b_MOVING_Copy_412_TargetChanged_Overwrite(t *testing.T) {
	for name, mc := range servers() {
		t.Run(name, func(t *testing.T) {
			runOn(t, mc, func(t *testing.T, r *rig) {
				r.mem.PutString(key("a"), "a")
				r.mem.PutString(key("b"), "theirs")
				check(t, r.u.Rename(t.Context(), key("a"), key("b"), r.stored(key("a")), absent(), false))
				r.drain()
				r.wantBucket(map[string]string{key("b"): "a"})
			}, func(c *uploader.Config) { c.OnConflict = uploader.Overwrite })
		})
	}
}

// A move of one file looks at its target where the server would not; a directory's do not.
func TestMovesLookAtTheirTargets(t *testing.T) {
	runOn(t, memstore.Config{IgnoreCopyCond: true}, func(t *testing.T, r *rig) {
		r.mem.PutString(key("a"), "a")
		r.mem.PutString(key("b"), "b")
		r.rename(key("a"), key("b"))
		r.drain()
		r.wantRequests("head b", "copy b", "delete a")
		r.mem.ResetCounts()
		check(t, r.u.RenameDir(t.Context(), key("d"), key("e"), nil))
		r.mem.PutString(key("d/a"), "a")
		r.mem.PutString(key("d/b"), "b")
		var entries []uploader.DirEntry
		for _, k := range []string{"d/a", "d/b"} {
			entries = append(entries, uploader.DirEntry{Key: key(k), ETag: r.stored(key(k)).ETag, Size: 1})
		}
		check(t, r.u.RenameDir(t.Context(), key("d"), key("e"), entries))
		r.drain()
		r.wantBucket(map[string]string{key("b"): "a", key("e/a"): "a", key("e/b"): "b"})
		if c := r.mem.Counts(); c[op.Copy] != 2 || c[op.DeleteMany] != 1 || len(c) != 2 {
			t.Errorf("requests %v", c)
		}
	})
}

// A copy in parts has its condition at the end, and leaves no parts behind.
func TestCopyInPartsIsConditionalOnItsTarget(t *testing.T) {
	limits := store.S3Limits()
	limits.MaxCopy, limits.MaxPart = 64, 64
	runOn(t, memstore.Config{Limits: limits, MinPart: 1, IgnoreCopyCond: true}, func(t *testing.T, r *rig) {
		f := faultstore.New(r.mem)
		r.stop()
		r.store = f
		r.open()
		check(t, r.u.Prove(t.Context(), level))
		data := string(make([]byte, 200))
		r.mem.PutString(key("a"), data)
		r.mem.PutString(key("b"), "old")
		f.Add(faultstore.Rule{Op: op.CopyPart, Fault: faultstore.Do("foreign write", func() { r.mem.PutString(key("b"), "theirs") })})
		err := r.u.Rename(t.Context(), key("a"), key("b"), r.stored(key("a")), r.stored(key("b")), false)
		if !errors.Is(err, store.ErrChanged) {
			t.Errorf("rename: %v", err)
		}
		r.drain()
		r.wantBucket(map[string]string{key("a"): data, key("b"): "theirs"})
		if n := len(r.mem.Uploads()); n != 0 {
			t.Errorf("%d uploads left", n)
		}
		r.rename(key("a"), key("b"))
		r.drain()
		r.wantBucket(map[string]string{key("b"): data})
	}, func(c *uploader.Config) { c.PartSize = 64 })
}

// A marker that somebody else has made meanwhile is as good as ours.
func TestRenamedMarkerIsThereAlready(t *testing.T) {
	for name, mc := range servers() {
		t.Run(name, func(t *testing.T) {
			runOn(t, mc, func(t *testing.T, r *rig) {
				r.mem.PutString(key("d/"), "")
				r.mem.PutString(key("e/"), "")
				entries := []uploader.DirEntry{{Key: key("d/"), ETag: r.stored(key("d/")).ETag}}
				check(t, r.u.RenameDir(t.Context(), key("d"), key("e"), entries))
				r.drain()
				r.wantBucket(map[string]string{key("e/"): ""})
			})
		})
	}
}
