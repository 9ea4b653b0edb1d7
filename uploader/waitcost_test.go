package uploader_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// Wait looks at all that is pending when it can be at its end, not after each operation.
func TestWaitLooksSeldom(t *testing.T) {
	faulty(t, func(t *testing.T, r *rig, _ *faultstore.Store) {
		const n = 800
		for i := range n {
			r.put(key(fmt.Sprintf("%d.tmp", i)), "x")
		}
		before := r.u.Looks()
		left, err := r.u.Wait(t.Context(), "")
		check(t, err)
		if left.Ops != 0 || len(r.bucket()) != n {
			t.Errorf("%+v, %d objects", left, len(r.bucket()))
		}
		if looks := r.u.Looks() - before; looks > 60 {
			t.Errorf("%d looks", looks)
		}
	}, faultstore.Rule{Op: op.Put, Count: faultstore.Forever, Fault: faultstore.Do("a slow store", func() { time.Sleep(20 * time.Millisecond) })})
}

// What comes while Wait waits is sent at once, too, and a change of what can be waited for ends it.
func TestWaitSeesWhatComesLater(t *testing.T) {
	faulty(t, func(t *testing.T, r *rig, _ *faultstore.Store) {
		r.put(key("f"), "x")
		go func() {
			time.Sleep(500 * time.Millisecond)
			r.put(key("g.tmp"), "y")
		}()
		began := time.Now()
		_, err := r.u.Wait(t.Context(), "")
		check(t, err)
		if d := time.Since(began); d > 2500*time.Millisecond {
			t.Errorf("waited %v", d)
		}
		r.wantBucket(map[string]string{key("f"): "x", key("g.tmp"): "y"})
	}, faultstore.Rule{Op: op.Put, Count: faultstore.Forever, Fault: faultstore.Do("a slow store", func() { time.Sleep(time.Second) })})
}

// A removal that an open file holds back is not waited for; the next file of that name is sent, and replaces it.
func TestWaitEndsBesideAHeldRemoval(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		r.mem.PutString(key("f"), "old")
		hold := uploader.NewHold()
		check(t, r.u.Remove(t.Context(), key("f"), r.stored(key("f")), uploader.RemoveOptions{Hold: hold}))
		r.mem.PutString(key("g"), "old")
		check(t, r.u.Remove(t.Context(), key("g"), r.stored(key("g")), uploader.RemoveOptions{Hold: hold}))
		r.put(key("f"), "new")
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		left, err := r.u.Wait(ctx, "")
		if err != nil || left != (uploader.Left{}) {
			t.Errorf("%+v, %v", left, err)
		}
		r.wantBucket(map[string]string{key("f"): "new", key("g"): "old"})
		r.u.Release(hold)
		r.drain()
		r.wantBucket(map[string]string{key("f"): "new"})
	})
}

// Holes that lie close together are one request.
func TestBaseIsFetchedInFewRequests(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		const size = 8 << 20
		data := make([]byte, size)
		for i := range data {
			data[i] = byte(i>>12) | 1
		}
		r.mem.PutRaw(key("f"), memstore.Raw{Data: data})
		f := r.edit(key("f"))
		for off := int64(0); off < size; off += 64 << 10 {
			r.writeAt(f, "X", off)
			data[off] = 'X'
		}
		r.close(f)
		r.drain()
		if got := r.bucket()[key("f")]; got != string(data) {
			t.Error("content differs")
		}
		if n := r.mem.Counts()[op.Get]; n > size>>21 {
			t.Errorf("%d requests for %d holes", n, size>>16)
		}
	})
}

// Keys that do not answer leave room for the others, while they stall and in their later rounds.
func TestStalledKeysLeaveRoomForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memstore.Config{})
		defer func() { r.stop() }()
		fs := faultstore.New(r.mem)
		r.stop()
		r.store = fs
		r.open()
		check(t, r.u.Prove(t.Context(), level))
		fs.Add(faultstore.Rule{Key: key("stalled/*"), Count: faultstore.Forever, Fault: faultstore.Stall()})
		for i := range 100 {
			r.put(key(fmt.Sprint("stalled/", i)), "x")
		}
		time.Sleep(time.Hour)
		for i := range 10 {
			r.put(key(fmt.Sprint("good/", i)), "x")
		}
		time.Sleep(time.Minute)
		if n := len(r.bucket()); n != 10 {
			t.Errorf("%d of 10 are stored", n)
		}
		fs.Clear()
		fs.Release()
		time.Sleep(time.Hour)
		r.drain()
		if n := len(r.bucket()); n != 110 {
			t.Errorf("%d of 110 are stored", n)
		}
	})
}

// What can only be sent after something that has failed is left with it: a delete of an old name, the next version
// of a file whose first one had no answer.
func TestWaitEndsBehindWhatHasFailed(t *testing.T) {
	faulty(t, func(t *testing.T, r *rig, f *faultstore.Store) {
		r.mem.PutString(key("old"), "old")
		h := r.edit(key("old"))
		r.writeAt(h, "new", 0)
		check(t, r.u.Rename(t.Context(), key("old"), key("new"), r.stored(key("old")), uploader.Base{State: uploader.Absent}, false))
		r.close(h)
		r.put(key("twice"), "1")
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, err := r.u.Wait(ctx, ""); err != nil {
			t.Fatal(err)
		}
		r.put(key("twice"), "2")
		left, err := r.u.Wait(ctx, "")
		if err != nil || left.Ops < 3 || left.Failed != 2 {
			t.Errorf("%+v, %v", left, err)
		}
		f.Clear()
		r.drain()
		r.wantBucket(map[string]string{key("new"): "new", key("twice"): "2"})
	}, faultstore.Rule{Op: op.Put, Count: faultstore.Forever, Fault: faultstore.Reset()})
}
