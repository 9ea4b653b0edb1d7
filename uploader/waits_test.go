package uploader_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// An fsync that waits for the store ends, whatever becomes of the generation that it waits for (I10).
func TestFsyncUploadFollowsItsBytes(t *testing.T) {
	for name, c := range map[string]struct {
		then func(*testing.T, *rig, *uploader.File)
		want map[string]string
	}{
		"superseded": {
			then: func(t *testing.T, r *rig, f *uploader.File) {
				r.writeAt(f, "3", 0)
				check(t, f.Flush(t.Context()))
			},
			want: map[string]string{key("f"): "3"},
		},
		"renamed":                {then: func(_ *testing.T, r *rig, _ *uploader.File) { r.rename(key("f"), key("g")) }, want: map[string]string{key("g"): "2"}},
		"unlinked":               {then: func(_ *testing.T, r *rig, _ *uploader.File) { r.remove(key("f")) }, want: map[string]string{}},
		"superseded, open again": {then: supersedeThenWrite, want: map[string]string{key("f"): "4"}},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, r *rig) {
				fs := faultstore.New(r.mem)
				r.stop()
				r.store = fs
				r.open()
				check(t, r.u.Prove(t.Context(), level))
				fs.Add(faultstore.Rule{Op: op.Put, Fault: faultstore.Stall()})
				f := r.create(key("f"))
				r.writeAt(f, "1", 0)
				check(t, f.Flush(t.Context()))
				time.Sleep(5 * time.Second) // it is being sent
				r.writeAt(f, "2", 0)
				outcome := make(chan error, 1)
				go func() { outcome <- f.Sync(context.WithoutCancel(t.Context())) }()
				time.Sleep(time.Second)
				c.then(t, r, f)
				fs.Release()
				time.Sleep(time.Minute)
				select {
				case err := <-outcome:
					check(t, err)
				default:
					t.Error("fsync still waits")
					r.stop()
					r.open()
				}
				check(t, f.Release(t.Context(), true))
				r.drain()
				r.wantBucket(c.want)
			}, func(c *uploader.Config) { c.FsyncUpload = true })
		})
	}
}

func supersedeThenWrite(t *testing.T, r *rig, f *uploader.File) {
	r.writeAt(f, "3", 0)
	check(t, f.Flush(t.Context()))
	r.writeAt(f, "4", 0)
}

// An fsync of what is being sent while it is renamed waits for the new name.
func TestFsyncUploadFollowsAClone(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		fs := faultstore.New(r.mem)
		r.stop()
		r.store = fs
		r.open()
		check(t, r.u.Prove(t.Context(), level))
		fs.Add(faultstore.Rule{Op: op.Put, Fault: faultstore.Stall()})
		f := r.create(key("f"))
		r.writeAt(f, "1", 0)
		outcome := make(chan error, 1)
		go func() { outcome <- f.Sync(context.WithoutCancel(t.Context())) }()
		time.Sleep(time.Second)
		r.rename(key("f"), key("g"))
		fs.Release()
		check(t, <-outcome)
		if _, ok := r.mem.Object(key("g")); !ok {
			t.Error("fsync returned before the file was stored")
		}
		check(t, f.Release(t.Context(), true))
		r.drain()
		r.wantBucket(map[string]string{key("g"): "1"})
	}, func(c *uploader.Config) { c.FsyncUpload = true })
}

// A write behind a header change that has no answer does not wait for ever.
func TestWriteBehindAnUnansweredHeaderChange(t *testing.T) {
	faulty(t, func(t *testing.T, r *rig, fs *faultstore.Store) {
		r.mem.PutString(key("f"), "data")
		f := r.edit(key("f"))
		check(t, r.u.SetHeaders(t.Context(), key("f"), r.stored(key("f")), memHeaders("1")))
		time.Sleep(5 * time.Second)
		began := time.Now()
		_, err := f.WriteAt(t.Context(), []byte("X"), 0)
		if !errors.Is(err, store.ErrTransient) || time.Since(began) > time.Minute {
			t.Errorf("write: %v after %v", err, time.Since(began))
		}
		fs.Clear()
		r.drain()
		r.writeAt(f, "X", 0)
		r.close(f)
		r.drain()
		r.wantBucket(map[string]string{key("f"): "Xata"})
	}, faultstore.Rule{Op: op.Copy, Fault: faultstore.Reset(), Count: faultstore.Forever})
}
