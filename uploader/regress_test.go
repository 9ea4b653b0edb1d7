package uploader_test

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// A second rename while the first upload has no answer: the first name does not come back.
func TestSecondRenameKeepsTheFirstNameAway(t *testing.T) {
	faulty(t, func(t *testing.T, r *rig, f *faultstore.Store) {
		r.mem.PutString(key("z"), "old")
		h := r.create(key("z"))
		r.writeAt(h, "v1", 0)
		check(t, h.Flush(t.Context()))
		r.rename(key("z"), key("k"))
		time.Sleep(5 * time.Second) // the bubble's clock: attempts go by
		r.writeAt(h, "v2", 0)
		r.rename(key("k"), key("k2"))
		r.close(h)
		f.Clear()
		r.drain()
		r.wantBucket(map[string]string{key("k2"): "v2"})
	}, faultstore.Rule{Op: faultstore.AnyOp, Fault: faultstore.Reset(), Count: 1000})
}

// A change of headers whose copy was never applied is not taken for done because the
// object carries the id of its own upload.
func TestHeaderChangeWithoutAnswerIsMade(t *testing.T) {
	faulty(t, func(t *testing.T, r *rig, _ *faultstore.Store) {
		r.put(key("f"), "data")
		r.drain()
		h := r.stored(key("f")).Headers.Clone()
		h.Metadata["v"] = "new"
		check(t, r.u.SetHeaders(t.Context(), key("f"), r.stored(key("f")), h))
		r.drain()
		if got := r.stored(key("f")).Headers.Metadata["v"]; got != "new" {
			t.Errorf("header change lost: %q", got)
		}
	}, faultstore.Rule{Op: "copy", Fault: faultstore.Reset(), Count: 4})
}

// Bytes that are found damaged after a crash are kept, for whoever can still read them.
func TestDamagedBytesAreKept(t *testing.T) {
	faulty(t, func(t *testing.T, r *rig, _ *faultstore.Store) {
		h := r.create(key("f"))
		r.writeAt(h, "first piece|", 0)
		r.writeAt(h, "second piece", 12)
		r.close(h)
		check(t, r.u.Sync(t.Context()))
		r.stop()
		segments, err := filepath.Glob(filepath.Join(r.dir, "seg", "*.seg"))
		if err != nil || len(segments) != 1 {
			t.Fatalf("segments: %q, %v", segments, err)
		}
		b, err := os.ReadFile(segments[0])
		check(t, err)
		b[len(b)-1] ^= 1
		check(t, os.WriteFile(segments[0], b, 0o600))
		r.open()
		time.Sleep(5 * time.Second) // the bubble's clock: syncs and checkpoints go by
		if n := len(r.u.Status().Quarantined); n != 1 {
			t.Errorf("%d quarantined generations, want 1", n)
		}
		if _, err := os.Stat(segments[0]); err != nil {
			t.Errorf("the bytes are gone: %v", err)
		}
	}, faultstore.Rule{Op: "put", Fault: faultstore.Reset(), Count: 1000})
}

// A copy with new headers whose answer is lost is known by the id that it carries, though it has another ETag.
func TestCopyWithHeadersWithoutAnswerIsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, memstore.Config{MinPart: 1}, func(c *uploader.Config) { c.PartSize = 8 })
		defer func() { r.stop() }()
		r.put(key("f"), "0123456789abcdef") // in parts: a copy of it has another ETag
		r.drain()
		f := faultstore.New(r.mem, faultstore.Rule{Op: "copy", Fault: faultstore.Lost(), Count: 1})
		r.stop()
		r.store = f
		r.open()
		check(t, r.u.SetHeaders(t.Context(), key("f"), r.stored(key("f")), memHeaders("7")))
		check(t, r.u.Rename(t.Context(), key("f"), key("g"), r.stored(key("f")), absent(), false))
		r.drain()
		r.wantBucket(map[string]string{key("g"): "0123456789abcdef"})
	})
}
