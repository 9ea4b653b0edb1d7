package uploader_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// directories is a server that keeps directories: it deletes a marker only when nothing is below it, and the keys of a
// request in their order. versitygw does so where a directory has no marker of its own.
type directories struct {
	*memstore.Store
	refused []string
	before  func(key string) // a single delete
}

func (d *directories) full(key string) *store.Error {
	below := func(k string) bool { return k != key && strings.HasPrefix(k, key) }
	if !strings.HasSuffix(key, "/") || !slices.ContainsFunc(d.Keys(), below) {
		return nil
	}
	d.refused = append(d.refused, key)
	return &store.Error{Op: op.Delete, Key: key, Code: "ErrDirectoryNotEmpty", Status: 409, Kind: store.ErrInvalid}
}

func (d *directories) Delete(ctx context.Context, key string, c store.Cond) error {
	if d.before != nil {
		d.before(key)
	}
	if err := d.full(key); err != nil {
		return err
	}
	return d.Store.Delete(ctx, key, c)
}

func (d *directories) DeleteMany(ctx context.Context, keys []string) ([]store.KeyError, error) {
	var failed []store.KeyError
	for _, k := range keys {
		if err := d.full(k); err != nil {
			failed = append(failed, store.KeyError{Key: k, Err: err})
			continue
		}
		d.Store.Remove(k)
	}
	_, err := d.Store.DeleteMany(ctx, []string{keys[0]}) // counted
	return failed, err
}

func onDirectories(t *testing.T, test func(*testing.T, *rig, *directories), change ...func(*uploader.Config)) {
	t.Helper()
	run(t, func(t *testing.T, r *rig) {
		d := &directories{Store: r.mem}
		r.over(d)
		test(t, r, d)
	}, change...)
}

// tree makes dirs directories in each other, with markers and files files in each, and returns them, the innermost first.
func (r *rig) tree(dirs, files int) []string {
	r.t.Helper()
	var all []string
	dir := key("t")
	for i := range dirs {
		r.mem.PutString(dir+"/", "")
		for n := range files {
			r.mem.PutString(fmt.Sprintf("%s/f%d", dir, n), "x")
		}
		all = append(all, dir)
		dir = fmt.Sprintf("%s/d%d", dir, i)
	}
	r.mem.ResetCounts()
	slices.Reverse(all)
	return all
}

// rmdir removes a directory's files and the directory itself.
func (r *rig) rmdir(dir string, files int, o uploader.RemoveOptions) {
	r.t.Helper()
	for n := range files {
		k := fmt.Sprintf("%s/f%d", dir, n)
		check(r.t, r.u.Remove(context.Background(), k, r.stored(k), o))
	}
	check(r.t, r.u.Rmdir(context.Background(), dir, r.stored(dir+"/")))
}

func (d *directories) wantNoneRefused(t *testing.T) {
	t.Helper()
	if len(d.refused) > 0 {
		t.Errorf("markers that went too early: %q", d.refused)
	}
}

func TestTreeGoesFromItsLeavesInOneRequest(t *testing.T) {
	onDirectories(t, func(t *testing.T, r *rig, d *directories) {
		for _, dir := range r.tree(5, 3) {
			r.rmdir(dir, 3, uploader.RemoveOptions{})
		}
		r.drain()
		r.wantBucket(map[string]string{})
		d.wantNoneRefused(t)
		if c := r.mem.Counts(); c[op.DeleteMany] != 1 || len(c) != 1 {
			t.Errorf("requests %v", c)
		}
	})
}

func TestTreeOfManyRequestsGoesFromItsLeaves(t *testing.T) {
	onDirectories(t, func(t *testing.T, r *rig, d *directories) {
		for _, dir := range r.tree(7, 400) {
			r.rmdir(dir, 400, uploader.RemoveOptions{})
		}
		r.drain()
		r.wantBucket(map[string]string{})
		d.wantNoneRefused(t)
		if c := r.mem.Counts(); c[op.DeleteMany] > 6 || c[op.Delete] > 1 {
			t.Errorf("requests %v", c)
		}
	})
}

// A listing has to confirm what has waited for long; it shows parents first.
func TestOldTreeGoesFromItsLeaves(t *testing.T) {
	onDirectories(t, func(t *testing.T, r *rig, d *directories) {
		for _, dir := range r.tree(5, 3) {
			r.rmdir(dir, 3, uploader.RemoveOptions{Hold: uploader.NewHold()})
		}
		r.crash()
		r.drain()
		r.wantBucket(map[string]string{})
		d.wantNoneRefused(t)
	})
}

// A delete that goes alone, because it has waited for long, is not overtaken by the markers around it that go together.
func TestMarkerWaitsForADeleteThatGoesAlone(t *testing.T) {
	onDirectories(t, func(t *testing.T, r *rig, d *directories) {
		dirs := r.tree(4, 1)
		d.before = func(k string) {
			if k == dirs[0]+"/f0" {
				time.Sleep(time.Second)
			}
		}
		hold := uploader.NewHold()
		check(t, r.u.Remove(t.Context(), dirs[0]+"/f0", r.stored(dirs[0]+"/f0"), uploader.RemoveOptions{Hold: hold}))
		time.Sleep(time.Minute)
		r.u.Release(hold)
		r.rmdir(dirs[0], 0, uploader.RemoveOptions{})
		for _, dir := range dirs[1:] {
			r.rmdir(dir, 1, uploader.RemoveOptions{})
		}
		r.drain()
		r.wantBucket(map[string]string{})
		d.wantNoneRefused(t)
	})
}

// What cannot go by itself, a file that is being read, keeps no marker: nobody else has to wait for that program.
func TestMarkerDoesNotWaitForAnOpenFile(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		dirs := r.tree(1, 1)
		hold := uploader.NewHold()
		r.rmdir(dirs[0], 1, uploader.RemoveOptions{Hold: hold})
		time.Sleep(time.Minute)
		r.wantBucket(map[string]string{dirs[0] + "/f0": "x"})
		r.u.Release(hold)
		r.drain()
		r.wantBucket(map[string]string{})
	})
}

// A directory in which somebody else has stored something meanwhile stays, on a server that keeps it, and nothing waits for ever.
func TestMarkerOfADirectoryThatIsNotEmptyStays(t *testing.T) {
	onDirectories(t, func(_ *testing.T, r *rig, d *directories) {
		dirs := r.tree(1, 1)
		r.mem.PutString(dirs[0]+"/theirs", "y")
		r.rmdir(dirs[0], 1, uploader.RemoveOptions{})
		r.drain()
		r.wantBucket(map[string]string{dirs[0] + "/": "", dirs[0] + "/theirs": "y"})
		r.wantTold("reappeared t/")
	})
}

// Without batches, and after a rename of the tree, the order is the same.
func TestMovedTreeGoesFromItsLeaves(t *testing.T) {
	for name, most := range map[string]int{"batches": 1000, "single": 1} {
		t.Run(name, func(t *testing.T) {
			mc := memstore.Config{Limits: store.S3Limits()}
			mc.Limits.MaxDelete = most
			runOn(t, mc, func(t *testing.T, r *rig) {
				d := &directories{Store: r.mem}
				r.over(d)
				r.tree(4, 2)
				var entries []uploader.DirEntry
				for k, o := range r.mem.Objects() {
					entries = append(entries, uploader.DirEntry{Key: k, ETag: o.ETag, Size: int64(len(o.Data))})
				}
				check(t, r.u.RenameDir(t.Context(), key("t"), key("n"), entries))
				r.drain()
				if n := len(r.bucket()); n != 12 {
					t.Errorf("%d objects", n)
				}
				d.wantNoneRefused(t)
			})
		})
	}
}
