package uploader_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// edits changes a byte in each of some parts of the large object, with a flush after each change.
func edits(t *testing.T, r *rig, flush func(*uploader.File) error) (f *uploader.File, want string) {
	f, want = r.edit(key("f")), bigs
	for i, at := range []int{7, 20*part + 3, 40*part + 1, 20*part + 9} {
		c := string(rune('A' + i))
		r.writeAt(f, c, int64(at))
		check(t, flush(f))
		want = patch(want, c, at)
	}
	return f, want
}

func flush(f *uploader.File) error { return f.Flush(bg) }

// A large file that is flushed several times before its upload begins is one upload: what the store has copied, or been sent, of a
// generation that is superseded belongs to the one which takes its place.
func TestFlushesShareAnUpload(t *testing.T) {
	for name, crash := range map[string]bool{"": false, "and a crash": true} {
		t.Run("of a stored file "+name, func(t *testing.T) {
			onBig(t, func(t *testing.T, r *rig) {
				f, want := edits(t, r, flush)
				if crash {
					r.crash()
				} else {
					r.close(f)
				}
				r.drain()
				r.wantBucket(map[string]string{key("f"): want})
				c := r.mem.Counts()
				if c[op.Create] != 1 || c[op.CopyPart] > 64+3 || c[op.UploadPart] > 4 || c[op.Complete] != 1 || c[op.Copy] != 0 {
					t.Errorf("%v", c)
				}
				r.wantNoUploads()
			})
		})
	}
	t.Run("of a new one", func(t *testing.T) {
		withSmallParts(t, func(t *testing.T, r *rig) {
			data := text("new", 20*part+5)
			f := r.create(key("f"))
			r.stream(f, data, 0)
			synctest.Wait()
			check(t, f.Flush(bg))
			r.writeAt(f, "X", 3*part+1)
			r.writeAt(f, "more", int64(len(data)))
			r.close(f)
			r.drain()
			r.wantBucket(map[string]string{key("f"): patch(data, "X", 3*part+1) + "more"})
			c := r.mem.Counts()
			if c[op.Create] != 1 || c[op.UploadPart] != 22 || c[op.Complete] != 1 {
				t.Errorf("%v", c)
			}
			r.wantNoUploads()
		})
	})
}

// A Complete without an answer is found to be ours, in this process and in the next.
func TestSharedUploadWithoutAnAnswer(t *testing.T) {
	for name, crash := range map[string]bool{"": false, "and a crash": true} {
		t.Run("lost"+name, func(t *testing.T) {
			onBig(t, func(t *testing.T, r *rig) {
				release := r.stalledFor(t, faultstore.Rule{Op: op.Complete, Fault: faultstore.Applied(faultstore.Stall())})
				f, want := edits(t, r, flush)
				r.close(f)
				time.Sleep(5 * time.Second)
				if crash {
					r.crashThen(func() { r.store = r.mem })
				}
				release()
				r.drain()
				r.wantBucket(map[string]string{key("f"): want})
				if n := r.mem.Counts()[op.Complete]; n != 1 {
					t.Errorf("%d completed", n)
				}
				r.wantNoUploads()
			})
		})
	}
}

// An upload whose Complete has begun may become the object of the generation before: it is nobody else's.
func TestBegunCompleteIsNotShared(t *testing.T) {
	onBig(t, func(t *testing.T, r *rig) {
		release := r.stalledFor(t, faultstore.Rule{Op: op.Complete, Count: 40, Fault: faultstore.InternalError()})
		f := r.edit(key("f"))
		r.writeAt(f, "A", 7)
		check(t, f.Flush(bg))
		time.Sleep(30 * time.Second) // it has failed, and is known not to have landed
		r.writeAt(f, "B", 8)
		r.close(f)
		release()
		r.drain()
		r.wantBucket(map[string]string{key("f"): patch(bigs, "AB", 7)})
		if n := r.mem.Counts()[op.Create]; n != 2 {
			t.Errorf("%d uploads", n)
		}
		r.wantNoUploads()
	})
}

// What becomes of a file whose generation is superseded, and then renamed, removed or emptied, is what it was.
func TestSharedUploadThatIsNotNeeded(t *testing.T) {
	for name, tc := range map[string]struct {
		do   func(*rig, *uploader.File)
		want func(string) map[string]string
	}{
		"renamed": {func(r *rig, _ *uploader.File) { r.rename(key("f"), key("g")) }, func(s string) map[string]string { return map[string]string{key("g"): s} }},
		"removed": {func(r *rig, _ *uploader.File) { r.remove(key("f")) }, func(string) map[string]string { return map[string]string{} }},
		"emptied": {func(r *rig, f *uploader.File) {
			check(r.t, f.Truncate(bg, 0))
			r.writeAt(f, "short", 0)
		}, func(string) map[string]string { return map[string]string{key("f"): "short"} }},
		"cut": {func(r *rig, f *uploader.File) { check(r.t, f.Truncate(bg, 30*part+7)) }, func(s string) map[string]string { return map[string]string{key("f"): s[:30*part+7]} }},
		"cut and grown": {func(r *rig, f *uploader.File) {
			check(r.t, f.Truncate(bg, 30*part+7), f.Truncate(bg, 33*part))
		}, func(s string) map[string]string {
			return map[string]string{key("f"): s[:30*part+7] + string(make([]byte, 3*part-7))}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			onBig(t, func(t *testing.T, r *rig) {
				f, want := edits(t, r, flush)
				tc.do(r, f)
				r.close(f)
				r.drain()
				r.wantBucket(tc.want(want))
				r.wantNoUploads()
			})
		})
	}
}

// TestSharedUploadWithFaults: whichever request fails, and when ever the process is killed, the file is in the bucket in the end as it was closed
// last, once.
func TestSharedUploadWithFaults(t *testing.T) {
	n := 0
	for _, kind := range []string{op.Create, op.CopyPart, op.UploadPart, op.Complete, op.Get, op.Head} {
		for _, nth := range []int{1, 2, 3, 30, 60} {
			for _, fault := range []faultstore.Fault{faultstore.InternalError(), faultstore.Lost(), faultstore.NoUpload()} {
				for _, count := range []int{1, 5} {
					n++
					onBig(t, func(t *testing.T, r *rig) {
						release := r.stalledFor(t, faultstore.Rule{Op: kind, Nth: nth, Count: count, Fault: fault})
						f, want := edits(t, r, flush)
						if n%3 == 0 {
							time.Sleep(time.Duration(n%7) * time.Second)
							r.crash()
							check(t, r.u.Prove(t.Context(), level))
						} else {
							r.close(f)
						}
						r.drain()
						release()
						if got := r.bucket(); len(got) != 1 || got[key("f")] != want {
							t.Errorf("%s %d, %d times %s: %d objects, f has %d bytes", kind, nth, count, fault, len(got), len(got[key("f")]))
						}
					})
				}
			}
		}
	}
	t.Log(n, "cases")
}
