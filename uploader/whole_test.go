package uploader_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// TestStoreWithoutParts: files larger than a part are sent in one request, whether they are new, changed or renamed, and a change of
// a large object fetches what it leaves alone.
func TestStoreWithoutParts(t *testing.T) {
	small := func(c *uploader.Config) { c.PartSize, c.PinBase = 1<<10, 1<<10 }
	runOn(t, memstore.Config{Limits: store.WholeLimits()}, func(t *testing.T, r *rig) {
		text := strings.Repeat("0123456789abcdef", 1<<10)
		f := r.create(key("large"))
		r.writeAt(f, text, 0)
		r.close(f)
		r.drain()
		f = r.edit(key("large"))
		r.writeAt(f, "X", 8000)
		r.close(f)
		r.drain()
		r.wantBucket(map[string]string{key("large"): text[:8000] + "X" + text[8001:]})
		for _, o := range []string{op.Create, op.UploadPart, op.CopyPart, op.Complete} {
			if n := r.mem.Counts()[o]; n != 0 {
				t.Errorf("%d requests %s", n, o)
			}
		}
		if n := r.mem.Counts()[op.Put]; n != 2 {
			t.Errorf("%d puts", n)
		}
	}, small)
}

// TestStoreWithoutPartsIsFull: where one request is all that there is, what it can not hold is told at the write that goes too far.
func TestStoreWithoutPartsIsFull(t *testing.T) {
	limits := store.WholeLimits()
	limits.MaxPut = 1 << 10
	runOn(t, memstore.Config{Limits: limits}, func(t *testing.T, r *rig) {
		f := r.create(key("f"))
		r.writeAt(f, strings.Repeat("x", 1<<10), 0)
		if _, err := f.WriteAt(t.Context(), []byte("y"), 1<<10); !errors.Is(err, syscall.EFBIG) {
			t.Errorf("a byte too many: %v", err)
		}
		r.close(f)
		r.drain()
		r.wantBucket(map[string]string{key("f"): strings.Repeat("x", 1<<10)})
	})
}

// Test_5d_NoConditions_SaidByTheStore: a store that says so itself is not tried with a condition; the probe asks for the right alone and
// leaves nothing.
func Test_5d_NoConditions_SaidByTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := store.WholeLimits()
		limits.LooseCond = true
		r := newRig(t, memstore.Config{Limits: limits})
		defer r.stop()
		check(t, r.u.Prove(t.Context(), level))
		if l := r.u.Status().Levels[0]; l.State != "proved" || !l.NoConditions {
			t.Errorf("level %+v", l)
		}
		for _, q := range r.mem.Requests() {
			if q.Cond != (store.Cond{}) {
				t.Errorf("request %v with a condition", q)
			}
		}
		r.wantBucket(map[string]string{})
		f := r.create(key("f.txt"))
		r.writeAt(f, "ours", 0)
		r.mem.PutString(key("f.txt"), "theirs")
		r.close(f)
		r.drain()
		r.wantBucket(map[string]string{key("f.txt"): "theirs", key(ours): "ours"})
	})
}

// Test_5d_NoConditions_WhereNothingMayBeRead: a store whose conditions are looks of its own is sent none where it could not look.
func Test_5d_NoConditions_WhereNothingMayBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := store.WholeLimits()
		limits.LooseCond = true
		r := newRig(t, memstore.Config{Limits: limits}, func(c *uploader.Config) {
			c.Levels = []uploader.Level{{Prefix: level, CanPut: true, CanList: true}}
		})
		defer r.stop()
		check(t, r.u.Prove(t.Context(), level))
		f, err := r.u.Open(t.Context(), key("f"), uploader.OpenOptions{Base: absent(), Truncate: true})
		check(t, err)
		r.writeAt(f, "x", 0)
		r.close(f)
		r.drain()
		r.wantBucket(map[string]string{key("f"): "x"})
		for _, q := range r.mem.Requests() {
			if q.Cond.IfNoneMatch || q.Cond.IfMatch != "" {
				t.Errorf("request %v with a condition", q)
			}
		}
	})
}
