package uploader_test

import (
	"slices"
	"testing"

	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/uploader"
)

func (r *rig) rename(from, to string) {
	r.t.Helper()
	check(r.t, r.u.Rename(r.t.(*testing.T).Context(), from, to, r.stored(from), r.stored(to), false))
}

func TestRenameOfPendingIsFree(t *testing.T) {
	run(t, func(_ *testing.T, r *rig) {
		r.put(key("f.tmp"), "data")
		r.rename(key("f.tmp"), key("f"))
		r.drain()
		r.wantBucket(map[string]string{key("f"): "data"})
		r.wantRequests("put f")
	})
}

func TestRenameOverStoredTakesItsBase(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		etag := r.mem.PutString(key("f"), "old")
		r.put(key("f.tmp"), "new")
		r.rename(key("f.tmp"), key("f"))
		r.drain()
		r.wantBucket(map[string]string{key("f"): "new"})
		if q := r.mem.Requests(); len(q) != 1 || q[0].Cond.IfMatch != etag {
			t.Errorf("requests %v", q)
		}
	})
}

func TestRenameOfStoredIsCopyAndDelete(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		r.mem.PutString(key("a"), "data")
		r.rename(key("a"), key("b"))
		r.drain()
		r.wantBucket(map[string]string{key("b"): "data"})
		r.wantRequests("copy b", "delete a")
		r.crash()
		r.wantBucket(map[string]string{key("b"): "data"})
	})
}

func TestRenameOfPendingOverwriteDeletesTheOldNameAfterwards(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		r.mem.PutString(key("a"), "old")
		f := r.edit(key("a"))
		r.writeAt(f, "NEW", 3)
		r.rename(key("a"), key("b"))
		if i, ok := r.u.Lookup(key("a")); !ok || i.Kind != uploader.KindTombstone {
			t.Errorf("old name: %+v %v", i, ok)
		}
		r.close(f)
		r.drain()
		r.wantBucket(map[string]string{key("b"): "oldNEW"})
		r.wantRequests("get a", "put b", "delete a")
	})
}

func TestRenameDir(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		r.mem.PutString(key("d/"), "")
		r.mem.PutString(key("d/a"), "a")
		r.mem.PutString(key("d/sub/b"), "b")
		r.put(key("d/new.tmp"), "new")
		check(t, r.u.Mkdir(t.Context(), key("d/fresh"), r.stored(key("d/a")).Headers.Clone()))
		var entries []uploader.DirEntry
		for _, k := range []string{"d/", "d/a", "d/sub/b"} {
			entries = append(entries, uploader.DirEntry{Key: key(k), ETag: r.stored(key(k)).ETag, Size: r.stored(key(k)).Size})
		}
		check(t, r.u.RenameDir(t.Context(), key("d"), key("e"), entries))
		r.drain()
		r.wantBucket(map[string]string{
			key("e/"): "", key("e/a"): "a", key("e/sub/b"): "b", key("e/new.tmp"): "new", key("e/fresh/"): "",
		})
		if c := r.mem.Counts(); c["delete-many"] != 1 || c["delete"] != 0 {
			t.Errorf("requests %v", c)
		}
	})
}

// What is renamed before its request is sent is no failure under its old name.
func TestRenameJustBeforeTheRequestIsNoFailure(t *testing.T) {
	faulty(t, func(t *testing.T, r *rig, f *faultstore.Store) {
		f.Add(faultstore.Rule{Op: op.Head, Count: 1, Fault: faultstore.Do("rename", func() { r.rename(key("f"), key("g")) })})
		h, err := r.u.Open(t.Context(), key("f"), uploader.OpenOptions{Truncate: true}) // of unknown base: looks first
		check(t, err)
		r.writeAt(h, "data", 0)
		r.close(h)
		left, err := r.u.Wait(t.Context(), "")
		if err != nil || left != (uploader.Left{}) {
			t.Errorf("%+v, %v", left, err)
		}
		r.wantBucket(map[string]string{key("g"): "data"})
		if told := r.told(); slices.Contains(told, "failed f") {
			t.Errorf("events %q", told)
		}
	})
}
