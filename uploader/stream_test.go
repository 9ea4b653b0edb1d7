package uploader_test

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/uploader"
)

const part = 64 // bytes, of the tests that follow

// withSmallParts runs a test with small parts.
func withSmallParts(t *testing.T, test func(*testing.T, *rig), change ...func(*uploader.Config)) {
	t.Helper()
	change = append([]func(*uploader.Config){func(c *uploader.Config) { c.PartSize = part }}, change...)
	limits := store.S3Limits()
	limits.MinPart, limits.MaxObject = 1, part*int64(limits.MaxParts) // so that all parts are alike
	runOn(t, memstore.Config{Limits: limits}, test, change...)
}

// text is n bytes, no two parts of which are alike.
func text(seed string, n int) string {
	var b strings.Builder
	for i := 0; b.Len() < n; i++ {
		b.WriteString(seed + strings.Repeat("-", i%7) + string(rune('a'+i%26)))
	}
	return b.String()[:n]
}

// stream writes data in small pieces, as programs do.
func (r *rig) stream(f *uploader.File, data string, off int64) {
	r.t.Helper()
	for len(data) > 0 {
		n := min(len(data), 24)
		r.writeAt(f, data[:n], off)
		data, off = data[n:], off+int64(n)
	}
	synctest.Wait()
}

func (r *rig) wantCounts(want map[string]int) {
	r.t.Helper()
	got := r.mem.Counts()
	for _, o := range []string{op.Create, op.UploadPart, op.CopyPart, op.Complete, op.Abort, op.Put, op.Copy, op.Get} {
		if got[o] != want[o] {
			r.t.Errorf("%d %s, want %d; all: %v", got[o], o, want[o], got)
		}
	}
}

func (r *rig) wantNoUploads() {
	r.t.Helper()
	if left := r.mem.Uploads(); len(left) != 0 {
		r.t.Errorf("uploads left: %v", left)
	}
}

func TestPartsLeaveWhileTheFileIsWritten(t *testing.T) {
	withSmallParts(t, func(_ *testing.T, r *rig) {
		data := text("x", 8*part)
		f := r.create(key("f"))
		r.stream(f, data, 0)
		r.wantCounts(map[string]int{op.Create: 1, op.UploadPart: 7})
		time.Sleep(time.Hour)
		r.wantCounts(map[string]int{op.Create: 1, op.UploadPart: 7}) // never completed before it is closed
		r.mem.ResetCounts()
		r.close(f)
		r.drain()
		r.wantCounts(map[string]int{op.UploadPart: 1, op.Complete: 1})
		r.wantBucket(map[string]string{key("f"): data})
	})
}

// A closed file does not wait for the parts that were on their way then before it sends the others.
func TestTheRestLeavesBesideTheStream(t *testing.T) {
	withSmallParts(t, func(t *testing.T, r *rig) {
		const n, under = 30, 5
		release := r.stalledFor(t, faultstore.Rule{Op: op.UploadPart, Count: under, Fault: faultstore.Stall()})
		data := text("x", n*part)
		f := r.create(key("f"))
		r.stream(f, data[:(under+1)*part], 0)
		r.writeAt(f, data[(under+1)*part:], (under+1)*part)
		r.close(f)
		time.Sleep(time.Second)
		r.wantCounts(map[string]int{op.Create: 1, op.UploadPart: n - under})
		r.wantBucket(nil)
		release()
		r.drain()
		r.wantCounts(map[string]int{op.Create: 1, op.UploadPart: n, op.Complete: 1})
		r.wantBucket(map[string]string{key("f"): data})
		r.wantNoUploads()
	})
}

// The parts of one file that are on their way are never more than Config.FileParts, those that left before it was closed included.
func TestTheRestKeepsToTheFilesParts(t *testing.T) {
	withSmallParts(t, func(t *testing.T, r *rig) {
		const n, most, under = 30, 12, 9 // the default of Config.FileParts
		release := r.stalledFor(t, faultstore.Rule{Op: op.UploadPart, Count: faultstore.Forever, Fault: faultstore.Applied(faultstore.Stall())})
		data := text("x", n*part)
		f := r.create(key("f"))
		r.writeAt(f, data[:(under+1)*part], 0) // at once, as a stream takes no more while it waits for what it has taken
		synctest.Wait()
		r.wantCounts(map[string]int{op.Create: 1, op.UploadPart: under})
		r.writeAt(f, data[(under+1)*part:], (under+1)*part)
		r.close(f)
		time.Sleep(time.Second)
		r.wantCounts(map[string]int{op.Create: 1, op.UploadPart: most})
		release()
		r.drain()
		r.wantCounts(map[string]int{op.Create: 1, op.UploadPart: n, op.Complete: 1})
		r.wantBucket(map[string]string{key("f"): data})
	})
}

func TestSmallFilesAreNotStreamed(t *testing.T) {
	withSmallParts(t, func(_ *testing.T, r *rig) {
		r.put(key("f"), text("x", part))
		r.drain()
		r.wantRequests("put f")
	})
}

// A part that is rewritten is sent again when the file is closed, and only then.
func Test_5a_OPEN_RewrittenPartIsSentAgain(t *testing.T) {
	withSmallParts(t, func(_ *testing.T, r *rig) {
		data := text("x", 4*part+10)
		f := r.create(key("f"))
		r.stream(f, data, 0)
		r.wantCounts(map[string]int{op.Create: 1, op.UploadPart: 4})
		for range 5 {
			r.writeAt(f, "REWRITTEN", part+3)
			r.writeAt(f, data[4*part:], 4*part)
			synctest.Wait()
		}
		r.wantCounts(map[string]int{op.Create: 1, op.UploadPart: 4})
		r.close(f)
		r.drain()
		r.wantCounts(map[string]int{op.Create: 1, op.UploadPart: 6, op.Complete: 1})
		r.wantBucket(map[string]string{key("f"): patch(data, "REWRITTEN", part+3)})
	})
}

// A part that is rewritten while it is on its way does not count.
func Test_5a_OPEN_PartRewrittenOnItsWay(t *testing.T) {
	withSmallParts(t, func(t *testing.T, r *rig) {
		fs := faultstore.New(r.mem, faultstore.Rule{Op: op.UploadPart, Fault: faultstore.Applied(faultstore.Stall())})
		r.stop()
		r.store = fs
		r.open()
		check(t, r.u.Prove(t.Context(), level))
		data := text("x", 2*part)
		f := r.create(key("f"))
		r.stream(f, data, 0)
		r.writeAt(f, "LATE", 5)
		fs.Release()
		r.close(f)
		r.drain()
		r.wantBucket(map[string]string{key("f"): patch(data, "LATE", 5)})
	})
}

func Test_5a_OPEN_StreamedFileGivesUpItsUpload(t *testing.T) {
	data := text("x", 4*part+10)
	tests := map[string]struct {
		do   func(*testing.T, *rig, *uploader.File)
		want map[string]string
	}{
		"renamed": {func(_ *testing.T, r *rig, f *uploader.File) {
			r.rename(key("f"), key("g"))
			r.close(f)
		}, map[string]string{key("g"): data}},
		"renamed and written": {func(_ *testing.T, r *rig, f *uploader.File) {
			r.rename(key("f"), key("g"))
			r.stream(f, text("y", 2*part), int64(len(data)))
			r.close(f)
		}, map[string]string{key("g"): data + text("y", 2*part)}},
		"unlinked": {func(_ *testing.T, r *rig, f *uploader.File) {
			r.remove(key("f"))
			r.stream(f, text("y", 2*part), int64(len(data)))
			check(r.t, f.Release(context.Background(), true))
		}, map[string]string{}},
		"truncated": {func(t *testing.T, r *rig, f *uploader.File) {
			check(t, f.Truncate(t.Context(), 10))
			r.close(f)
		}, map[string]string{key("f"): data[:10]}},
		"truncated to parts": {func(t *testing.T, r *rig, f *uploader.File) {
			check(t, f.Truncate(t.Context(), part+10))
			r.close(f)
		}, map[string]string{key("f"): data[:part+10]}},
		"truncated and grown": {func(t *testing.T, r *rig, f *uploader.File) {
			check(t, f.Truncate(t.Context(), part+10), f.Truncate(t.Context(), 3*part))
			r.close(f)
		}, map[string]string{key("f"): data[:part+10] + string(make([]byte, 2*part-10))}},
		"punched": {func(t *testing.T, r *rig, f *uploader.File) {
			check(t, f.PunchHole(t.Context(), part-5, 10))
			r.close(f)
		}, map[string]string{key("f"): data[:part-5] + string(make([]byte, 10)) + data[part+5:]}},
		"opened with O_TRUNC": {func(_ *testing.T, r *rig, f *uploader.File) {
			n := r.create(key("f"))
			r.writeAt(n, "new", 0)
			r.close(n)
			check(r.t, f.Release(context.Background(), true))
		}, map[string]string{key("f"): "new"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			withSmallParts(t, func(t *testing.T, r *rig) {
				f := r.create(key("f"))
				r.stream(f, data, 0)
				tt.do(t, r, f)
				r.drain()
				time.Sleep(time.Minute)
				r.wantBucket(tt.want)
				r.wantNoUploads()
			})
		})
	}
}

// A file that is written to while many others are sent leaves them room, and they it.
func TestStreamsLeaveRoom(t *testing.T) {
	withSmallParts(t, func(t *testing.T, r *rig) {
		slow := faultstore.New(r.mem, faultstore.Rule{Op: op.UploadPart, Key: key("open*"), Fault: faultstore.Stall(), Count: faultstore.Forever})
		r.stop()
		r.store = slow
		r.open()
		check(t, r.u.Prove(t.Context(), level))
		for _, n := range []string{"open1", "open2", "open3", "open4"} {
			r.stream(r.create(key(n)), text(n, 20*part), 0)
		}
		r.put(key("closed"), text("c", 3*part))
		r.put(key("small"), "s")
		time.Sleep(time.Second)
		r.wantBucket(map[string]string{key("closed"): text("c", 3*part), key("small"): "s"})
	})
}

// Nothing of an open file is sent to a level that is not proved.
func TestUnprovedLevelGetsNoParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memstore.Config{MinPart: 1}, func(c *uploader.Config) { c.PartSize = part })
		defer func() { r.stop() }()
		f := r.create(key("f"))
		r.stream(f, text("x", 4*part), 0)
		r.wantCounts(map[string]int{})
		r.close(f)
		r.drain()
		r.wantBucket(map[string]string{key("f"): text("x", 4*part)})
	})
}

// A store that refuses parts of an open file is asked now and then, and the file is stored when it is closed.
func TestRefusedPartsOfAnOpenFile(t *testing.T) {
	for name, fault := range map[string]faultstore.Fault{
		"500": faultstore.InternalError(), "lost upload": faultstore.NoUpload(), "expired": faultstore.Expired(),
		"400": faultstore.Invalid(),
	} {
		t.Run(name, func(t *testing.T) {
			withSmallParts(t, func(t *testing.T, r *rig) {
				fs := faultstore.New(r.mem, faultstore.Rule{Op: op.UploadPart, Fault: fault, Count: 20})
				r.stop()
				r.store = fs
				r.open()
				check(t, r.u.Prove(t.Context(), level))
				f := r.create(key("f"))
				data := text("x", 30*part)
				r.stream(f, data, 0)
				if n := r.mem.Counts()[op.Create]; n > 8 {
					t.Errorf("%d uploads begun", n)
				}
				r.close(f)
				fs.Clear()
				r.drain()
				r.wantBucket(map[string]string{key("f"): data})
			})
		})
	}
}

// What the store can not hold is told by the write, not by the upload.
func TestTooLargeIsToldByTheWrite(t *testing.T) {
	limits := store.S3Limits()
	limits.MinPart, limits.MaxParts, limits.MaxPart = 1, 10, 100
	for name, tt := range map[string]struct{ max, want int64 }{"object": {500, 500}, "parts": {5000, 1000}} {
		t.Run(name, func(t *testing.T) {
			l := limits
			l.MaxObject = tt.max
			runOn(t, memstore.Config{Limits: l}, func(t *testing.T, r *rig) {
				f := r.create(key("f"))
				data := text("x", int(tt.want))
				r.stream(f, data, 0)
				if _, err := f.WriteAt(t.Context(), []byte("y"), tt.want); !errors.Is(err, syscall.EFBIG) {
					t.Errorf("write behind the largest object: %v", err)
				}
				if err := f.Truncate(t.Context(), tt.want+1); !errors.Is(err, syscall.EFBIG) {
					t.Errorf("truncate behind the largest object: %v", err)
				}
				if err := f.Allocate(t.Context(), 0, tt.want+1); !errors.Is(err, syscall.EFBIG) {
					t.Errorf("allocate behind the largest object: %v", err)
				}
				r.close(f)
				r.drain()
				r.wantBucket(map[string]string{key("f"): data})
			}, func(c *uploader.Config) { c.PartSize = 10 })
		})
	}
}

// Parts get larger with the file: 10,000 of them are enough for any.
func TestPartsGrowWithTheFile(t *testing.T) {
	runOn(t, memstore.Config{MinPart: 1}, func(_ *testing.T, r *rig) {
		f := r.create(key("f"))
		data := text("x", 200*part)
		r.stream(f, data, 0)
		r.writeAt(f, "BEHIND", 100*part)
		r.close(f)
		r.drain()
		r.wantBucket(map[string]string{key("f"): patch(data, "BEHIND", 100*part)})
		if n := r.mem.Counts()[op.UploadPart]; n < 20 || n > 100 {
			r.t.Errorf("%d parts", n)
		}
	}, func(c *uploader.Config) { c.PartSize = part })
}

// Where parts have to be equal, a file that outgrows them is begun anew with larger ones.
func TestEqualPartsOfAFileThatGrows(t *testing.T) {
	limits := store.S3Limits()
	limits.MinPart, limits.MaxParts, limits.EqualParts = 1, 4, true
	runOn(t, memstore.Config{Limits: limits}, func(_ *testing.T, r *rig) {
		f := r.create(key("f"))
		data := text("x", 10*part)
		r.stream(f, data, 0)
		r.close(f)
		r.drain()
		r.wantBucket(map[string]string{key("f"): data})
		r.wantNoUploads()
	}, func(c *uploader.Config) { c.PartSize = part })
}

// A file that is flushed again and again while it is written (each process that inherits its descriptor does so at its
// end) is not sent once for each flush.
func TestFlushesWhileAFileIsWritten(t *testing.T) {
	withSmallParts(t, func(t *testing.T, r *rig) {
		f := r.create(key("f"))
		data := text("x", 40*part)
		for i := range 10 {
			r.stream(f, data[i*4*part:(i+1)*4*part], int64(i)*4*part)
			check(t, f.Flush(t.Context()))
		}
		r.close(f)
		r.drain()
		r.wantBucket(map[string]string{key("f"): data})
		if n := r.mem.Counts()[op.UploadPart]; n > 40+8 {
			t.Errorf("%d parts sent of 40", n)
		}
		r.wantNoUploads()
	})
}
