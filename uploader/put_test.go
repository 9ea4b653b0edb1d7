package uploader_test

import (
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/uploader"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSmallFileIsOnePut(t *testing.T) {
	run(t, func(_ *testing.T, r *rig) {
		r.put(key("a.txt"), "hello")
		r.drain()
		r.wantBucket(map[string]string{key("a.txt"): "hello"})
		r.wantRequests("put a.txt")
		o, _ := r.mem.Object(key("a.txt"))
		if !strings.HasPrefix(o.Headers.ContentType, "text/plain") {
			r.t.Errorf("content type %q", o.Headers.ContentType)
		}
		r.wantTold("committed a.txt")
		if i, ok := r.u.Lookup(key("a.txt")); ok {
			r.t.Errorf("still pending: %+v", i)
		}
	})
}

func TestFlushBeforeTheFirstWriteSendsNothing(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		f := r.create(key("f"))
		check(t, f.Flush(t.Context()))
		time.Sleep(time.Minute)
		r.wantRequests()
		r.writeAt(f, "x", 0)
		r.close(f)
		r.drain()
		r.wantRequests("put f")
	})
}

func TestEmptyFileIsUploadedAtTheLastRelease(t *testing.T) {
	run(t, func(_ *testing.T, r *rig) {
		r.close(r.create(key("f")))
		r.drain()
		r.wantBucket(map[string]string{key("f"): ""})
		r.wantRequests("put f")
	})
}

func TestOverwriteIsConditionalOnTheBase(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		etag := r.mem.PutString(key("f"), "old")
		r.put(key("f"), "new")
		r.drain()
		r.wantBucket(map[string]string{key("f"): "new"})
		if q := r.mem.Requests(); len(q) != 1 || q[0].Cond.IfMatch != etag {
			t.Errorf("requests %v", q)
		}
	})
}

func TestDeltaIsMadeWhole(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		r.mem.PutString(key("f"), "0123456789")
		f := r.edit(key("f"))
		r.writeAt(f, "AB", 4)
		if got := r.read(f); got != "0123AB6789" {
			t.Errorf("read %q", got)
		}
		r.close(f)
		r.drain()
		r.wantBucket(map[string]string{key("f"): "0123AB6789"})
	})
}

func TestLargeFileGoesInParts(t *testing.T) {
	runOn(t, memstore.Config{MinPart: 1 << 10}, func(_ *testing.T, r *rig) {
		data := strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB
		r.put(key("big"), data)
		r.drain()
		r.wantBucket(map[string]string{key("big"): data})
		if n := r.mem.Counts()["upload-part"]; n != 4 {
			r.t.Errorf("%d parts, want 4: %v", n, r.mem.Counts())
		}
	}, func(c *uploader.Config) { c.PartSize = 256 << 10 })
}

func TestSecondGenerationSupersedesTheFirst(t *testing.T) {
	run(t, func(_ *testing.T, r *rig) {
		r.put(key("f.tmp"), "one")
		r.put(key("f.tmp"), "two")
		r.drain()
		r.wantBucket(map[string]string{key("f.tmp"): "two"})
		r.wantRequests("put f.tmp")
	})
}

func TestCrashAfterCloseKeepsTheFile(t *testing.T) {
	run(t, func(_ *testing.T, r *rig) {
		r.put(key("f.tmp"), "kept")
		r.crash()
		r.drain()
		r.wantBucket(map[string]string{key("f.tmp"): "kept"})
	})
}

func TestCrashQuarantinesWhatWasNotClosed(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		r.mem.PutString(key("f"), "good")
		r.writeAt(r.create(key("f")), "half", 0)
		r.crash()
		r.drain()
		r.wantBucket(map[string]string{key("f"): "good"})
		if q := r.u.Status().Quarantined; len(q) != 1 || q[0].Key != key("f") || q[0].Size != 4 {
			t.Errorf("quarantined %+v", q)
		}
		if _, ok := r.u.Lookup(key("f")); ok {
			t.Error("the quarantined generation is visible")
		}
		r.crash()
		if q := r.u.Status().Quarantined; len(q) != 1 {
			t.Errorf("quarantined after a second crash %+v", q)
		}
	})
}

func TestFsyncedIsSealedAsFound(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		f := r.create(key("f"))
		r.writeAt(f, "synced", 0)
		check(t, f.Sync(t.Context()))
		r.crash()
		r.drain()
		r.wantBucket(map[string]string{key("f"): "synced"})
	})
}
