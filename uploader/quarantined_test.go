package uploader_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/uploader"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// quarantine leaves half of a file behind and gives what is kept of it.
func (r *rig) quarantine(name, data string) uploader.Quarantined {
	r.t.Helper()
	r.writeAt(r.create(key(name)), data, 0)
	r.crash()
	kept := r.u.Kept()
	if len(kept) != 1 || kept[0].Key != key(name) {
		r.t.Fatalf("kept %+v", kept)
	}
	return kept[0]
}

func exported(t *testing.T, u *uploader.Uploader, id string) (string, *uploader.Export) {
	t.Helper()
	e, err := u.Export(id)
	check(t, err)
	defer e.Close()
	var b strings.Builder
	_, err = e.WriteTo(&b)
	check(t, err)
	return b.String(), e
}

func TestQuarantinedIsExportedAndDiscarded(t *testing.T) {
	for name, large := range map[string]bool{"in a segment": false, "in a file": true} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, r *rig) {
				data := "half"
				if large {
					data = strings.Repeat("half", 64<<10)
				}
				q := r.quarantine("f", data)
				for _, id := range []string{q.Gen, key("f")} {
					if got, e := exported(t, r.u, id); got != data || e.Pending || e.Gen != q.Gen || e.Size != int64(len(data)) {
						t.Errorf("export %s: %d bytes, %+v", id, len(got), e.Quarantined)
					}
				}
				e, err := r.u.Export(q.Gen)
				check(t, err, r.u.Discard(q.Gen))
				p := make([]byte, 4)
				if _, err := e.ReadAt(p, 0); err != nil || string(p) != "half" {
					t.Errorf("read beside the discard: %q, %v", p, err)
				}
				e.Close()
				if _, err := r.u.Export(q.Gen); !errors.Is(err, uploader.ErrNotKept) {
					t.Errorf("export after discard: %v", err)
				}
				if err := r.u.Discard(q.Gen); !errors.Is(err, uploader.ErrNotKept) {
					t.Errorf("second discard: %v", err)
				}
				time.Sleep(time.Minute)
				if bytes, _ := r.sp.Usage(); bytes != 0 {
					t.Errorf("%d bytes left in the spool", bytes)
				}
				r.crash()
				if kept := r.u.Kept(); len(kept) != 0 {
					t.Errorf("kept after a crash %+v", kept)
				}
			})
		})
	}
}

// A discard whose record a crash has taken is not made; a checkpoint in between changes nothing.
func TestDiscardSurvivesACheckpoint(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		q := r.quarantine("f", "half")
		check(t, r.u.Checkpoint())
		r.crash()
		if got, _ := exported(t, r.u, q.Gen); got != "half" {
			t.Errorf("exported %q", got)
		}
		r.u.FailLog(errors.New("full"), 0)
		if err := r.u.Discard(q.Gen); err == nil {
			t.Error("a discard that was not logged was acknowledged")
		}
		r.u.FailLog(nil, 0)
		if got, _ := exported(t, r.u, q.Gen); got != "half" {
			t.Errorf("exported %q after a refused discard", got)
		}
		check(t, r.u.Discard(q.Gen), r.u.Checkpoint())
		r.crash()
		if kept := r.u.Kept(); len(kept) != 0 {
			t.Errorf("kept %+v", kept)
		}
	})
}

func TestBaseLostIsExportedAsRanges(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		r.mem.PutString(key("f"), "0123456789")
		f := r.edit(key("f"))
		r.writeAt(f, "XY", 3)
		r.writeAt(f, "Z", 7)
		check(t, f.PunchHole(t.Context(), 8, 1))
		r.mem.PutString(key("f"), "foreign")
		if err := f.Flush(t.Context()); !errors.Is(err, uploader.ErrBaseLost) {
			t.Errorf("flush: %v", err)
		}
		_ = f.Release(t.Context(), true)
		for range 2 {
			e, err := r.u.Export(key("f"))
			check(t, err)
			if !e.BaseLost || e.Size != 10 || !slices.Equal(e.Ours, []uploader.Extent{{Off: 3, Len: 2}, {Off: 7, Len: 2}}) ||
				!slices.Equal(e.Data, []uploader.Extent{{Off: 3, Len: 2}, {Off: 7, Len: 1}}) {
				t.Errorf("export %+v", e)
			}
			p := make([]byte, 2)
			if _, err := e.ReadAt(p, 7); err != nil || string(p) != "Z\x00" {
				t.Errorf("read %q, %v", p, err)
			}
			if _, err := e.ReadAt(p, 0); !errors.Is(err, spool.ErrNoBase) {
				t.Errorf("read of the base: %v", err)
			}
			if _, err := e.WriteTo(io.Discard); !errors.Is(err, spool.ErrNoBase) {
				t.Errorf("write of the whole: %v", err)
			}
			e.Close()
			r.crash()
		}
		check(t, r.u.Discard(r.u.Kept()[0].Gen))
		r.drain()
		r.wantBucket(map[string]string{key("f"): "foreign"})
	})
}

// What waits for its upload can be looked at, not thrown away.
func TestPendingIsExportedButNotDiscarded(t *testing.T) {
	faulty(t, func(t *testing.T, r *rig, f *faultstore.Store) {
		h := r.create(key("f"))
		r.writeAt(h, "one", 0)
		if _, err := r.u.Export(key("f")); !errors.Is(err, uploader.ErrOpen) {
			t.Errorf("export of an open file: %v", err)
		}
		r.close(h)
		got, e := exported(t, r.u, key("f"))
		if got != "one" || !e.Pending {
			t.Errorf("exported %q, %+v", got, e.Quarantined)
		}
		if err := r.u.Discard(e.Gen); !errors.Is(err, uploader.ErrPending) {
			t.Errorf("discard: %v", err)
		}
		time.Sleep(time.Second)
		g := r.create(key("f"))
		r.writeAt(g, "two", 0)
		r.close(g)
		if _, err := r.u.Export(key("f")); !errors.Is(err, uploader.ErrAmbiguous) {
			t.Errorf("export of two: %v", err)
		}
		f.Release()
		r.drain()
		r.wantBucket(map[string]string{key("f"): "two"})
	}, stalledPut("f"))
}

func TestRetryOfKeysIsAtOnce(t *testing.T) {
	runOn(t, memstore.Config{}, func(t *testing.T, r *rig) {
		f := faultstore.New(r.mem)
		r.stop()
		r.store = f
		r.open()
		check(t, r.u.Prove(t.Context(), level))
		f.StartOutage(faultstore.Reset())
		for _, name := range []string{"a", "b", "d/c"} {
			r.put(key(name), name)
		}
		time.Sleep(time.Hour)
		f.EndOutage()
		pending := r.u.Pending()
		if len(pending) != 3 || pending[0].Attempts == 0 || pending[0].Err == "" || pending[0].Gen == "" {
			t.Fatalf("pending %+v", pending)
		}
		for _, x := range []struct {
			keys []string
			n    int
			want map[string]string
		}{
			{[]string{key("nothing"), key("d")}, 0, map[string]string{}},
			{[]string{key("b")}, 1, map[string]string{key("b"): "b"}},
			{[]string{key("d/")}, 1, map[string]string{key("b"): "b", key("d/c"): "d/c"}},
			{nil, 1, map[string]string{key("a"): "a", key("b"): "b", key("d/c"): "d/c"}},
		} {
			if n := r.u.RetryKeys(x.keys...); n != x.n {
				t.Errorf("retry %q: %d, want %d", x.keys, n, x.n)
			}
			time.Sleep(time.Millisecond)
			r.wantBucket(x.want)
		}
	})
}

// An uploader that is never started shows, gives and discards what is in a spool, and sends nothing.
func TestSpoolWithoutAMount(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		r.put(key("closed.tmp"), "closed")
		r.writeAt(r.create(key("open")), "half", 0)
		r.stop()
		sp, rec, err := spool.Open(spool.Config{Dir: r.dir, Owner: "test", BootID: r.boot})
		check(t, err)
		u, err := uploader.New(uploader.Config{Store: uploader.Offline(), Spool: sp, Recovery: rec})
		check(t, err)
		if p := u.Pending(); len(p) != 1 || p[0].Key != key("closed.tmp") {
			t.Errorf("pending %+v", p)
		}
		got, e := exported(t, u, key("open"))
		if got != "half" {
			t.Errorf("exported %q", got)
		}
		check(t, u.Discard(e.Gen), u.Leave(t.Context()), sp.Close())
		r.open()
		if kept := r.u.Kept(); len(kept) != 0 {
			t.Errorf("kept %+v", kept)
		}
		r.drain()
		r.wantBucket(map[string]string{key("closed.tmp"): "closed"})
	})
}
