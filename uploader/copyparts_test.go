package uploader_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// bigs are 64 parts and a bit: 1 GiB with parts of 16 MiB, to scale.
var bigs = text("big", 64*part+11)

// onBig runs a test with such an object at "f".
func onBig(t *testing.T, test func(*testing.T, *rig), change ...func(*uploader.Config)) {
	t.Helper()
	change = append([]func(*uploader.Config){func(c *uploader.Config) { c.PinBase = 4 * part }}, change...)
	withSmallParts(t, func(t *testing.T, r *rig) {
		r.mem.PutRaw(key("f"), memstore.Raw{Data: []byte(bigs), Headers: memHeaders("of f")})
		test(t, r)
	}, change...)
}

// stalledFor makes calls of one kind wait until release is called.
func (r *rig) stalledFor(t *testing.T, rules ...faultstore.Rule) (release func()) {
	r.stop()
	f := faultstore.New(r.mem, rules...)
	r.store = f
	r.open()
	check(t, r.u.Prove(t.Context(), level))
	r.mem.ResetCounts()
	return func() { f.Clear(); f.Release() }
}

func TestSmallEditOfALargeObject(t *testing.T) {
	tests := map[string]struct {
		data        string
		off         int
		sent, reads int
	}{
		"one byte":            {"X", 20*part + 7, 1, 2},
		"first byte":          {"X", 0, 1, 1},
		"last byte":           {"X", len(bigs) - 1, 1, 1},
		"over a border":       {"XY", 20*part - 1, 2, 2},
		"append a 16th part":  {text("Y", part/16), len(bigs), 1, 1},
		"append a part":       {text("Y", part), len(bigs), 2, 1},
		"append behind a gap": {text("Y", 4), len(bigs) + 9, 1, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			onBig(t, func(t *testing.T, r *rig) {
				f := r.edit(key("f"))
				r.writeAt(f, tt.data, int64(tt.off))
				r.close(f)
				if n := r.mem.BytesSent(); n > 2*part {
					t.Errorf("the flush has fetched %d bytes", n)
				}
				r.drain()
				want := patch(bigs, tt.data, tt.off)
				r.wantBucket(map[string]string{key("f"): want})
				c := r.mem.Counts()
				parts := (len(want) + part - 1) / part
				if c[op.UploadPart] != tt.sent || c[op.CopyPart] != parts-tt.sent || c[op.Get] > tt.reads || c[op.Complete] != 1 || c[op.Copy] != 0 {
					t.Errorf("%v", c)
				}
				if n := r.mem.BytesSent() + r.mem.BytesReceived(); n > 4*part {
					t.Errorf("%d bytes", n)
				}
				o, _ := r.mem.Object(key("f"))
				if o.Headers.Metadata["v"] != "of f" {
					t.Errorf("headers %v", o.Headers)
				}
				r.wantNoUploads()
			})
		})
	}
}

// What is small is fetched, as before.
func TestSmallBaseIsFetched(t *testing.T) {
	onBig(t, func(_ *testing.T, r *rig) {
		f := r.edit(key("f"))
		r.writeAt(f, "X", 7)
		r.close(f)
		r.drain()
		r.wantCounts(map[string]int{op.Get: 1, op.Create: 1, op.UploadPart: 65, op.Complete: 1})
	}, func(c *uploader.Config) { c.PinBase = int64(len(bigs)) })
}

// Close returns when the bytes are pinned: somebody else's change afterwards is a conflict, not a loss.
func Test_5b_SENDING_412_PinnedByCopies_KeepsBoth(t *testing.T) {
	for name, stop := range map[string]bool{"": false, "and a crash": true} {
		t.Run("foreign"+name, func(t *testing.T) {
			onBig(t, func(t *testing.T, r *rig) {
				f := r.edit(key("f"))
				r.writeAt(f, "X", 7)
				r.close(f)
				r.mem.PutString(key("f"), "theirs")
				if stop {
					r.crash()
				}
				r.drain()
				got := r.bucket()
				if got[key("f")] != patch(bigs, "X", 7) || len(got) != 2 {
					t.Errorf("%d objects, f has %d bytes", len(got), len(got[key("f")]))
				}
				for k, v := range got {
					if k != key("f") && (!strings.Contains(k, "conflict host") || v != "theirs") {
						t.Errorf("bucket has %q = %q", k, v)
					}
				}
				if n := r.u.Status().Conflicts; n != 1 {
					t.Errorf("%d conflicts", n)
				}
				r.wantNoUploads()
			})
		})
	}
}

// Somebody who writes again while theirs is copied aside is kept, too.
func Test_5b_SENDING_412_PinnedByCopies_Twice(t *testing.T) {
	onBig(t, func(t *testing.T, r *rig) {
		f := r.edit(key("f"))
		r.writeAt(f, "X", 7)
		r.close(f)
		r.mem.PutString(key("f"), "theirs 1")
		n := 0
		release := r.stalledFor(t, faultstore.Rule{Op: op.Complete, Nth: 2, Fault: faultstore.Do("foreign", func() {
			n++
			r.mem.PutString(key("f"), "theirs 2")
		})})
		r.drain()
		release()
		var theirs []string
		for k, v := range r.bucket() {
			if k != key("f") {
				theirs = append(theirs, v)
			}
		}
		if n != 1 || len(theirs) != 2 || r.bucket()[key("f")] != patch(bigs, "X", 7) {
			t.Errorf("foreign writes %d, kept %q: %v, %v, %v", n, theirs, r.mem.Requests(), r.told(), r.u.Status())
		}
	})
}

func Test_5c_QUEUED_PinnedByCopies_ForeignDelete(t *testing.T) {
	onBig(t, func(_ *testing.T, r *rig) {
		f := r.edit(key("f"))
		r.writeAt(f, "X", 7)
		r.close(f)
		r.mem.Remove(key("f"))
		r.drain()
		r.wantBucket(map[string]string{key("f"): patch(bigs, "X", 7)})
		r.wantTold("foreign-gone f")
	})
}

// A base that has gone before its parts were copied is lost: the writer is told, nothing of two versions is stored.
func Test_5b_QUEUED_412_OfACopiedPart_IsBaseLost(t *testing.T) {
	onBig(t, func(t *testing.T, r *rig) {
		f := r.edit(key("f"))
		r.writeAt(f, "X", 7)
		r.mem.PutString(key("f"), "theirs")
		if err := f.Flush(t.Context()); !errors.Is(err, uploader.ErrBaseLost) {
			t.Errorf("flush: %v", err)
		}
		check(t, f.Release(t.Context(), true))
		r.drain()
		r.wantBucket(map[string]string{key("f"): "theirs"})
		time.Sleep(time.Minute)
		r.wantNoUploads()
		if n := r.u.Status().BaseLost; n != 1 {
			t.Errorf("%d base lost", n)
		}
	})
}

func Test_5b_SENDING_NoSuchUpload_OfCopies(t *testing.T) {
	for name, foreign := range map[string]bool{"base is there": false, "base has gone": true} {
		t.Run(name, func(t *testing.T) {
			onBig(t, func(_ *testing.T, r *rig) {
				f := r.edit(key("f"))
				r.writeAt(f, "X", 7)
				r.close(f)
				r.mem.LoseUploads()
				want := map[string]string{key("f"): patch(bigs, "X", 7)}
				if foreign {
					r.mem.PutString(key("f"), "theirs")
					want[key("f")] = "theirs"
				}
				r.drain()
				r.wantBucket(want)
				if n := r.u.Status().BaseLost; (n == 1) != foreign {
					r.t.Errorf("%d base lost", n)
				}
			})
		})
	}
}

func Test_5c_QUEUED_PinnedByCopies_Crash(t *testing.T) {
	onBig(t, func(_ *testing.T, r *rig) {
		f := r.edit(key("f"))
		r.writeAt(f, "X", 7)
		r.close(f)
		r.wantCounts(map[string]int{op.Create: 1, op.CopyPart: 64, op.Get: 1})
		r.crash()
		r.mem.ResetCounts()
		r.drain()
		r.wantCounts(map[string]int{op.UploadPart: 1, op.Complete: 1})
		r.wantBucket(map[string]string{key("f"): patch(bigs, "X", 7)})
	})
}

// A store that does not answer holds close up for PinWait; the copies come later.
func TestPinByCopiesDoesNotHoldCloseUp(t *testing.T) {
	onBig(t, func(t *testing.T, r *rig) {
		release := r.stalledFor(t, faultstore.Rule{Op: op.CopyPart, Nth: 10, Count: faultstore.Forever, Fault: faultstore.Stall()})
		f := r.edit(key("f"))
		r.writeAt(f, "X", 7)
		began := time.Now()
		r.close(f)
		if d := time.Since(began); d != 5*time.Second {
			t.Errorf("close took %v", d)
		}
		release()
		r.drain()
		r.wantBucket(map[string]string{key("f"): patch(bigs, "X", 7)})
	})
}

// What is written after the copies were made is sent, not what was copied.
func TestWriteOverCopiedParts(t *testing.T) {
	onBig(t, func(t *testing.T, r *rig) {
		var f *uploader.File
		r.stalledFor(t, faultstore.Rule{
			Op: op.CopyPart, Where: func(c faultstore.Call) bool { return c.Part == 40 },
			Fault: faultstore.Do("write", func() { r.writeAt(f, "OVER", 30*part) }),
		})
		f = r.edit(key("f"))
		r.writeAt(f, "X", 7)
		r.close(f)
		r.drain()
		r.wantBucket(map[string]string{key("f"): patch(patch(bigs, "X", 7), "OVER", 30*part)})
	})
}

// The generations above one that is stored with copied parts read what it left.
func TestReadersOfABaseThatACommitReplaces(t *testing.T) {
	onBig(t, func(t *testing.T, r *rig) {
		f, second := r.edit(key("f")), r.edit(key("f"))
		r.writeAt(f, "X", 7)
		check(t, f.Flush(t.Context()))
		r.writeAt(second, "Y", 20*part)
		time.Sleep(time.Minute)
		want := patch(patch(bigs, "X", 7), "Y", 20*part)
		if got := r.bucket()[key("f")]; got != patch(bigs, "X", 7) {
			t.Errorf("first generation is not stored")
		}
		if got := r.read(second); got != want {
			t.Errorf("read over the new base differs")
		}
		r.close(f)
		r.close(second)
		r.drain()
		r.wantBucket(map[string]string{key("f"): want})
		if n := r.mem.Counts()[op.UploadPart]; n > 3 {
			t.Errorf("%d parts sent", n)
		}
	})
}

// A commit that is on its way ends the base that a read asks for: the read goes on with what is committed.
func TestReadWhileTheBaseIsReplaced(t *testing.T) {
	onBig(t, func(t *testing.T, r *rig) {
		release := r.stalledFor(t, faultstore.Rule{Op: op.Complete, Fault: faultstore.Applied(faultstore.Stall())})
		f := r.edit(key("f"))
		r.writeAt(f, "X", 7)
		check(t, f.Flush(t.Context()))
		time.Sleep(5 * time.Second) // completed there, not known here
		var got string
		done := make(chan bool)
		go func() { got = r.read(f); close(done) }()
		synctest.Wait()
		release()
		<-done
		if got != patch(bigs, "X", 7) {
			t.Error("read differs")
		}
		r.writeAt(f, "Y", 20*part)
		r.close(f)
		r.drain()
		r.wantBucket(map[string]string{key("f"): patch(patch(bigs, "X", 7), "Y", 20*part)})
	})
}

func TestRenameOfADeltaOfALargeObject(t *testing.T) {
	for _, when := range []string{"open", "queued", "sending", "completing"} {
		t.Run(when, func(t *testing.T) {
			onBig(t, func(t *testing.T, r *rig) {
				release := func() {}
				switch when {
				case "sending":
					release = r.stalledFor(t, faultstore.Rule{Op: op.UploadPart, Fault: faultstore.Stall()})
				case "completing":
					release = r.stalledFor(t, faultstore.Rule{Op: op.Complete, Fault: faultstore.Applied(faultstore.Stall())})
				}
				f := r.edit(key("f"))
				r.writeAt(f, "X", 7)
				if when == "open" {
					r.rename(key("f"), key("g"))
				}
				r.close(f)
				if when != "queued" {
					time.Sleep(10 * time.Second)
				}
				if when != "open" {
					r.rename(key("f"), key("g"))
				}
				time.Sleep(10 * time.Second)
				release()
				r.drain()
				time.Sleep(time.Minute)
				r.drain()
				r.wantBucket(map[string]string{key("g"): patch(bigs, "X", 7)})
				if n := r.mem.BytesSent(); n > 8*part {
					t.Errorf("%d bytes of the base were fetched", n)
				}
				r.wantNoUploads()
			})
		})
	}
}

// Renames in a circle of large objects that are being changed wait for nothing for ever.
func TestCircleOfDeltasOfLargeObjects(t *testing.T) {
	onBig(t, func(t *testing.T, r *rig) {
		other := text("other", 40*part)
		r.mem.PutString(key("g"), other)
		f, g := r.edit(key("f")), r.edit(key("g"))
		r.writeAt(f, "X", 7)
		r.writeAt(g, "Y", 7)
		r.rename(key("f"), key("t"))
		r.rename(key("g"), key("f"))
		r.rename(key("t"), key("g"))
		r.close(f)
		r.close(g)
		r.drain()
		r.wantBucket(map[string]string{key("g"): patch(bigs, "X", 7), key("f"): patch(other, "Y", 7)})
	})
}

// A server whose conditions do not hold is not trusted with them in copies either.
func TestNoCopiesWhereConditionsAreIgnored(t *testing.T) {
	runOn(t, memstore.Config{MinPart: 1, IgnoreWriteCond: true}, func(_ *testing.T, r *rig) {
		r.mem.PutString(key("f"), bigs)
		f := r.edit(key("f"))
		r.writeAt(f, "X", 7)
		r.close(f)
		r.drain()
		r.wantBucket(map[string]string{key("f"): patch(bigs, "X", 7)})
		if n := r.mem.Counts()[op.CopyPart]; n != 0 {
			r.t.Errorf("%d copies", n)
		}
	}, func(c *uploader.Config) { c.PartSize, c.PinBase = part, part })
}

// What a change sends does not depend on where in the object it is, though files of unknown size have parts that grow: the size
// of a stored one is known.
func TestChangesOfLargeObjectsSendSmallParts(t *testing.T) {
	limits := store.S3Limits()
	limits.MinPart, limits.MaxParts, limits.MaxObject = 1, 100, 100*40*part
	for name, off := range map[string]int{"begin": 7, "middle": 31*part + 7, "end": 64*part + 7} {
		t.Run(name, func(t *testing.T) {
			runOn(t, memstore.Config{Limits: limits}, func(_ *testing.T, r *rig) {
				r.mem.PutRaw(key("f"), memstore.Raw{Data: []byte(bigs)})
				f := r.edit(key("f"))
				r.writeAt(f, "X", int64(off))
				r.close(f)
				r.drain()
				r.wantBucket(map[string]string{key("f"): patch(bigs, "X", off)})
				r.wantCounts(map[string]int{op.UploadPart: 1, op.CopyPart: 64, op.Create: 1, op.Complete: 1, op.Get: 1})
				if n := r.mem.BytesReceived(); n > part {
					t.Errorf("%d bytes were sent for one", n)
				}
			}, func(c *uploader.Config) { c.PartSize, c.PinBase = part, 4*part })
		})
	}
}
