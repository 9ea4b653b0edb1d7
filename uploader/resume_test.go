package uploader_test

import (
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// stalled makes parts of "f" from number nth on wait for good.
func (r *rig) stalled(t *testing.T, nth int) {
	r.stop()
	r.store = faultstore.New(r.mem, faultstore.Rule{Op: op.UploadPart, Nth: nth, Count: faultstore.Forever, Fault: faultstore.Stall()})
	r.open()
	check(t, r.u.Prove(t.Context(), level))
	r.mem.ResetCounts()
}

// sealed writes a file of n parts at once, so that all of them are sent when it is closed already.
func (r *rig) sealed(n int) string {
	data := text("x", n*part)
	r.put(key("f"), data)
	time.Sleep(time.Second)
	return data
}

// Test_5c_SENDING_Crash: a new process goes on at the first part that is missing.
func Test_5c_SENDING_Crash_GoesOnAtTheMissingPart(t *testing.T) {
	for _, checkpoint := range []bool{false, true} {
		withSmallParts(t, func(t *testing.T, r *rig) {
			r.stalled(t, 11)
			data := r.sealed(20)
			if n := r.mem.Counts()[op.UploadPart]; n != 10 {
				t.Fatalf("%d parts before the crash", n)
			}
			if checkpoint {
				check(t, r.u.Checkpoint())
			}
			r.store = r.mem
			r.crash()
			r.drain()
			r.wantCounts(map[string]int{op.Create: 1, op.UploadPart: 20, op.Complete: 1})
			r.wantBucket(map[string]string{key("f"): data})
			r.wantNoUploads()
		})
	}
}

// Of the parts whose answer a kill cuts off, at most as many as were on their way are sent twice.
func Test_5c_SENDING_Crash_SendsNoMoreThanWhatWasOnItsWay(t *testing.T) {
	withSmallParts(t, func(t *testing.T, r *rig) {
		r.stalledFor(t, faultstore.Rule{Op: op.UploadPart, Nth: 11, Count: faultstore.Forever, Fault: faultstore.Applied(faultstore.Stall())})
		data := r.sealed(40)
		r.store = r.mem
		r.crash()
		r.drain()
		if n := r.mem.Counts()[op.UploadPart]; n <= 40 || n > 40+12 { // the default of Config.FileParts
			t.Errorf("%d parts sent of 40", n)
		}
		r.wantBucket(map[string]string{key("f"): data})
	})
}

// What was sent while the file was open counts too, once it is closed, but for what was rewritten.
func Test_5c_SENDING_Crash_StreamedPartsCount(t *testing.T) {
	withSmallParts(t, func(t *testing.T, r *rig) {
		f := r.create(key("f.tmp")) // its upload waits
		data := text("x", 9*part+part/2)
		r.stream(f, data, 0)
		r.writeAt(f, "BEHIND", 3*part)
		r.close(f)
		r.wantCounts(map[string]int{op.Create: 1, op.UploadPart: 9})
		r.crash()
		r.mem.ResetCounts()
		r.drain()
		r.wantCounts(map[string]int{op.UploadPart: 2, op.Complete: 1})
		r.wantBucket(map[string]string{key("f.tmp"): patch(data, "BEHIND", 3*part)})
	})
}

// Of what was not closed nothing is taken over: neither quarantined nor fsynced files.
func Test_5c_OPEN_Crash_GivesUpItsUpload(t *testing.T) {
	for _, synced := range []bool{false, true} {
		withSmallParts(t, func(t *testing.T, r *rig) {
			f := r.create(key("f"))
			data := text("x", 10*part)
			r.stream(f, data, 0)
			if synced {
				check(t, f.Sync(t.Context()))
				r.writeAt(f, "LATER", 0)
				data = patch(data, "LATER", 0)
			}
			r.crash()
			r.drain()
			time.Sleep(time.Minute)
			want := map[string]string{}
			if synced {
				want[key("f")] = data
			}
			r.wantBucket(want)
			r.wantNoUploads()
		})
	}
}

// After a power loss only what was synced counts.
func Test_5c_SENDING_PowerLoss_PartsAfterTheSyncAreSentAgain(t *testing.T) {
	withSmallParts(t, func(t *testing.T, r *rig) {
		r.stalled(t, 11)
		data := text("x", 20*part)
		r.put(key("f"), data[:part])
		r.drain()
		r.mem.ResetCounts()
		f := r.create(key("g"))
		r.stream(f, data, 0)
		check(t, f.Flush(t.Context()), r.u.Sync(t.Context()), f.Release(t.Context(), true))
		time.Sleep(20 * time.Millisecond)
		r.store = r.mem
		r.boot = "boot-2"
		r.crash()
		r.drain()
		r.wantBucket(map[string]string{key("f"): data[:part], key("g"): data})
	})
}

func Test_5b_SENDING_NoSuchUpload_StartsOver(t *testing.T) {
	withSmallParts(t, func(t *testing.T, r *rig) {
		r.stalled(t, 11)
		data := r.sealed(20)
		r.mem.LoseUploads()
		r.store = r.mem
		r.crash()
		r.drain()
		r.wantBucket(map[string]string{key("f"): data})
		if n := r.mem.Counts()[op.Create]; n != 2 {
			t.Errorf("%d uploads begun", n)
		}
	})
}

// A crash after Complete: HEAD shows the file, nothing is sent again.
func Test_5c_SENDING_CrashAfterComplete(t *testing.T) {
	withSmallParts(t, func(t *testing.T, r *rig) {
		r.stop()
		r.store = faultstore.New(r.mem, faultstore.Rule{Op: op.Complete, Fault: faultstore.Applied(faultstore.Stall())})
		r.open()
		check(t, r.u.Prove(t.Context(), level))
		data := r.sealed(5)
		r.store = r.mem
		r.crash()
		r.mem.ResetCounts()
		r.drain()
		r.wantCounts(map[string]int{})
		r.wantBucket(map[string]string{key("f"): data})
	})
}

// The layout of an upload is that of the process that began it.
func TestUploadGoesOnWithItsPartSize(t *testing.T) {
	withSmallParts(t, func(t *testing.T, r *rig) {
		r.stalled(t, 11)
		data := r.sealed(20)
		r.config.PartSize = part / 4
		r.store = r.mem
		r.crash()
		r.drain()
		r.wantBucket(map[string]string{key("f"): data})
		r.wantNoUploads()
		r.wantCounts(map[string]int{op.Create: 1, op.UploadPart: 20, op.Complete: 1})
	})
}

// In a level that can not be read headers can not be mended: an upload whose headers change is begun anew.
func TestHeadersOfAnUploadWhereNothingCanBeRead(t *testing.T) {
	withSmallParts(t, func(t *testing.T, r *rig) {
		r.config.Levels = []uploader.Level{{Prefix: level, CanPut: true}}
		r.stalled(t, 3)
		data := r.sealed(5)
		f, err := r.u.Open(t.Context(), key("f"), uploader.OpenOptions{Base: absent()})
		check(t, err, f.SetHeaders(store.Headers{ContentType: "text/x-late"}), f.Release(t.Context(), true))
		r.store = r.mem
		r.crash()
		r.drain()
		r.wantBucket(map[string]string{key("f"): data})
		if o, _ := r.mem.Object(key("f")); o.Headers.ContentType != "text/x-late" {
			t.Errorf("headers %v", o.Headers)
		}
	})
}
