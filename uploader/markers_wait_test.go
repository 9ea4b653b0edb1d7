package uploader_test

import (
	"context"
	"iter"
	"sync/atomic"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// What a marker waits for ends, fails, or is not waited for (I10).

// waitEnds: Wait comes to its end within an hour of the bubble's clock.
func (r *rig) waitEnds() uploader.Left {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	left, err := r.u.Wait(ctx, "")
	if err != nil {
		r.t.Errorf("%v: %+v left", err, left)
	}
	return left
}

// wantNoneReappeared: no name was given back.
func (r *rig) wantNoneReappeared() {
	r.t.Helper()
	r.told() // all that there is
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.Kind == uploader.Reappeared {
			r.t.Errorf("reappeared %s: %v", e.Key, e.Err)
		}
	}
}

// Deletes that fail keep no marker back, and Wait ends.
func TestMarkerDoesNotWaitForWhatFails(t *testing.T) {
	for _, late := range []time.Duration{0, 50 * time.Millisecond, time.Minute} {
		faulty(t, func(t *testing.T, r *rig, f *faultstore.Store) {
			dir := r.tree(1, 1)[0]
			f.StartOutage(faultstore.Refused())
			check(t, r.u.Remove(t.Context(), dir+"/f0", r.stored(dir+"/f0"), uploader.RemoveOptions{}))
			time.Sleep(late)
			check(t, r.u.Rmdir(t.Context(), dir, r.stored(dir+"/")))
			if left := r.waitEnds(); left.Failed != 2 {
				t.Errorf("%+v left", left)
			}
			f.EndOutage()
			r.u.Retry()
			r.drain()
			r.wantBucket(map[string]string{})
		})
	}
}

// The delete of a file that somebody reads stands behind its upload, which is under way: the marker waits for neither.
func TestMarkerDoesNotWaitForAHeldDeleteBehindAnUpload(t *testing.T) {
	faulty(t, func(t *testing.T, r *rig, f *faultstore.Store) {
		dir := r.tree(1, 0)[0]
		f.Add(faultstore.Rule{Op: op.Put, Fault: faultstore.Stall()})
		r.put(dir+"/f", "1")
		time.Sleep(time.Second) // it is being sent
		hold := uploader.NewHold()
		check(t, r.u.Remove(t.Context(), dir+"/f", uploader.Base{State: uploader.Pending}, uploader.RemoveOptions{Hold: hold}))
		check(t, r.u.Rmdir(t.Context(), dir, r.stored(dir+"/")))
		time.Sleep(time.Second)
		f.Release()
		time.Sleep(time.Minute)
		if _, there := r.bucket()[dir+"/"]; there {
			t.Errorf("the marker waits for a reader: %v", r.bucket())
		}
		r.waitEnds()
		r.u.Release(hold)
		r.drain()
		r.wantBucket(map[string]string{})
	})
}

// Directories in each other wait for the same delete and then go together: a chain of them costs no more than one.
func TestMarkersInEachOtherGoTogether(t *testing.T) {
	onDirectories(t, func(t *testing.T, r *rig, d *directories) {
		dirs := r.tree(50, 1)
		d.before = func(k string) {
			if k == dirs[0]+"/f0" {
				time.Sleep(10 * time.Second)
			}
		}
		check(t, r.u.Remove(t.Context(), dirs[0]+"/f0", r.stored(dirs[0]+"/f0"), uploader.RemoveOptions{}))
		time.Sleep(time.Second)
		r.rmdir(dirs[0], 0, uploader.RemoveOptions{})
		for _, dir := range dirs[1:] {
			time.Sleep(100 * time.Millisecond) // each goes by itself
			r.rmdir(dir, 1, uploader.RemoveOptions{})
		}
		r.drain()
		r.wantBucket(map[string]string{})
		d.wantNoneRefused(t)
		if c := r.mem.Counts(); c[op.DeleteMany] != 1 || c[op.Delete] > 50 || len(c) > 3 {
			t.Errorf("requests %v", c)
		}
	})
}

// unlisted is a server that refuses to list when it is told to.
type unlisted struct {
	*directories
	deny atomic.Bool
}

func (u *unlisted) List(ctx context.Context, prefix string, o store.ListOptions) iter.Seq2[store.Page, error] {
	if !u.deny.Load() {
		return u.directories.List(ctx, prefix, o)
	}
	return func(yield func(store.Page, error) bool) {
		yield(store.Page{}, &store.Error{Op: op.List, Key: prefix, Code: "AccessDenied", Status: 403, Kind: store.ErrPermission})
	}
}

// That the look below a marker is refused says nothing of the marker, which is removed later.
func TestRefusedLookGivesNoMarkerBack(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		d := &unlisted{directories: &directories{Store: r.mem}}
		r.over(d)
		dirs := r.tree(1, 1)
		d.deny.Store(true)
		hold := uploader.NewHold()
		r.rmdir(dirs[0], 1, uploader.RemoveOptions{Hold: hold})
		time.Sleep(time.Minute)
		d.deny.Store(false)
		r.u.Release(hold)
		r.drain()
		r.wantBucket(map[string]string{})
		r.wantNoneReappeared()
	})
}

// A directory that was made again meanwhile, with a file of ours, is nobody else's.
func TestMarkerOfADirectoryMadeAgainIsOurs(t *testing.T) {
	onDirectories(t, func(t *testing.T, r *rig, d *directories) {
		dir := r.tree(1, 1)[0]
		d.before = func(k string) {
			if k == dir+"/f0" {
				time.Sleep(5 * time.Second)
			}
		}
		check(t, r.u.Remove(t.Context(), dir+"/f0", r.stored(dir+"/f0"), uploader.RemoveOptions{}))
		time.Sleep(100 * time.Millisecond)
		r.rmdir(dir, 0, uploader.RemoveOptions{})
		check(t, r.u.Mkdir(t.Context(), dir, store.Headers{}))
		r.put(dir+"/x", "1")
		r.drain()
		r.wantBucket(map[string]string{dir + "/": "", dir + "/x": "1"})
		r.wantNoneReappeared()
	})
}
