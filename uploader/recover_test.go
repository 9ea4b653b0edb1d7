package uploader_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// What a crash and a full disk leave of the details.

// stamped records the time of the last write as vfs does.
func stamped(c *uploader.Config) {
	c.Stamp = func(h *store.Headers, mod time.Time) {
		m := maps.Clone(h.Metadata)
		if m == nil {
			m = map[string]string{}
		}
		m["mtime"] = mod.Format(time.TimeOnly)
		h.Metadata = m
	}
}

func Test_5c_OPEN_Synced_Kill_HasItsTime(t *testing.T) {
	for name, set := range map[string]bool{"written": false, "set": true} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, r *rig) {
				time.Sleep(time.Hour)
				f := r.create(key("f"))
				r.writeAt(f, "data", 0)
				want := "01:00:00"
				if set {
					want = "as set"
					check(t, f.SetHeaders(store.Headers{Metadata: map[string]string{"mtime": want}}))
				}
				check(t, f.Sync(t.Context()))
				time.Sleep(time.Hour)
				r.crash()
				r.drain()
				if got := r.stored(key("f")).Headers.Metadata["mtime"]; got != want {
					t.Errorf("time %q, want %q", got, want)
				}
			}, stamped)
		})
	}
}

// A change of headers that an open generation took over is made when a crash ends that.
func Test_5c_OPEN_Unsynced_Kill_KeepsThePendingHeaders(t *testing.T) {
	for name, renamed := range map[string]bool{"in place": false, "renamed": true} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, r *rig) {
				r.mem.PutString(key("f"), "good")
				check(t, r.u.SetHeaders(t.Context(), key("f"), r.stored(key("f")), memHeaders("7")))
				f := r.edit(key("f"))
				r.writeAt(f, "HALF", 0)
				to := key("f")
				if renamed {
					to = key("g")
					r.rename(key("f"), to)
				}
				r.crash()
				r.drain()
				r.wantBucket(map[string]string{to: "good"})
				if got := r.stored(to).Headers.Metadata["v"]; got != "7" {
					t.Errorf("headers %q", got)
				}
			})
		})
	}
}

// A seal that the log does not take at the last close is shown as failed, and done when it does.
func TestSealThatFailsAtTheLastCloseIsRetried(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		f := r.create(key("f"))
		r.writeAt(f, "data", 0)
		r.u.FailLog(syscall.ENOSPC, 0)
		if err := f.Release(t.Context(), true); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("release: %v", err)
		}
		time.Sleep(time.Minute)
		if s := r.u.Status(); s.Failed != 1 || s.Items[0].Err == "" {
			t.Errorf("status %+v", s)
		}
		if left, err := r.u.Wait(t.Context(), ""); err != nil || left.Failed != 1 {
			t.Errorf("left %+v, %v", left, err)
		}
		r.u.FailLog(nil, 0)
		time.Sleep(10 * time.Minute)
		r.drain()
		r.wantBucket(map[string]string{key("f"): "data"})
	})
}

// A change of headers while the file is being sent is as safe.
func TestSealOfHeadersThatFailsIsRetried(t *testing.T) {
	sending(t, func(t *testing.T, r *rig) {
		r.u.FailLog(syscall.ENOSPC, 1) // the new generation is logged, its end is not
		if err := r.u.SetHeaders(t.Context(), key("f"), absent(), memHeaders("7")); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("set headers: %v", err)
		}
		r.u.FailLog(nil, 0)
		time.Sleep(time.Minute)
		t.Cleanup(func() {
			r.wantBucket(map[string]string{key("f"): "one"})
			if got := r.stored(key("f")).Headers.Metadata["v"]; got != "7" {
				t.Errorf("headers %q", got)
			}
		})
	})
}

// A rename that the log does not take changes nothing.
func TestRenameThatTheLogRefusesChangesNothing(t *testing.T) {
	faulty(t, func(t *testing.T, r *rig, f *faultstore.Store) {
		h := r.create(key("f"))
		big := string(make([]byte, 256<<10)) // in a file of its own
		r.writeAt(h, big, 0)
		check(t, h.Flush(t.Context()))
		time.Sleep(5 * time.Second)
		r.u.FailLog(syscall.ENOSPC, 0)
		for range 3 {
			if err := r.u.Rename(t.Context(), key("f"), key("g"), absent(), absent(), false); !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("rename: %v", err)
			}
		}
		r.u.FailLog(nil, 0)
		if got := r.u.Generations(); got != 1 {
			t.Errorf("%d generations known", got)
		}
		if i, ok := r.u.Lookup(key("g")); ok {
			t.Errorf("new name %+v", i)
		}
		r.close(h)
		f.Release()
		r.drain()
		r.wantBucket(map[string]string{key("f"): big})
		time.Sleep(time.Minute)
		if n, _ := r.sp.Usage(); n != 0 {
			t.Errorf("%d bytes left in the spool", n)
		}
	}, stalledPut("f"))
}

// A new file whose name an open, unlinked one had does not wait for that one's end.
func Test_5a_DELETING_Write_Held_IsReplacedByTheNextFile(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		etag := r.mem.PutString(key("f"), "old")
		h := uploader.NewHold()
		check(t, r.u.Remove(t.Context(), key("f"), r.stored(key("f")), uploader.RemoveOptions{Hold: h}))
		r.put(key("f"), "new")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if left, err := r.u.Wait(ctx, ""); err != nil || left.Ops != 0 {
			t.Errorf("left %+v, %v", left, err)
		}
		r.wantBucket(map[string]string{key("f"): "new"})
		if q := r.mem.Requests(); len(q) != 1 || q[0].Op != op.Put || q[0].Cond.IfMatch != etag {
			t.Errorf("requests %v", q)
		}
		r.u.Release(h)
		r.drain()
		r.wantBucket(map[string]string{key("f"): "new"})
	})
}

// A file that is removed and made anew, before the removal has been sent, is one request: it replaces the version that was removed and no other.
func Test_5a_DELETING_Write_Unsent_IsReplacedByTheNextFile(t *testing.T) {
	for name, again := range map[string]func(*rig){
		"created": func(r *rig) { r.put(key("f"), "new") },
		"renamed onto": func(r *rig) {
			r.put(key("f.tmp"), "new")
			r.rename(key("f.tmp"), key("f"))
		},
		"after a crash": func(r *rig) {
			r.put(key("f"), "new")
			r.crash()
		},
		"removed and created again": func(r *rig) {
			r.put(key("f"), "newer")
			r.remove(key("f"))
			r.put(key("f"), "new")
		},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, r *rig) {
				etag := r.mem.PutString(key("f"), "old")
				r.remove(key("f"))
				again(r)
				r.drain()
				r.wantBucket(map[string]string{key("f"): "new"})
				if q := slices.DeleteFunc(r.mem.Requests(), func(q memstore.Request) bool { return q.Key != key("f") }); len(q) != 1 || q[0].Op != op.Put || q[0].Cond.IfMatch != etag {
					t.Errorf("requests %v", q)
				}
			})
		})
	}
}

// What somebody else has written meanwhile is not replaced; nor is what was removed there again when the new file goes, too.
func Test_5a_DELETING_Write_Unsent_TheNextFileChanges(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(*rig)
		want map[string]string
	}{
		{"foreign version", func(r *rig) { r.mem.PutString(key("f"), "theirs") }, map[string]string{key("f"): "theirs", key("f (conflict)"): "new"}},
		{"foreign delete", func(r *rig) { r.mem.Remove(key("f")) }, map[string]string{key("f"): "new"}},
		{"removed", func(r *rig) { r.remove(key("f")) }, map[string]string{}},
		{"renamed", func(r *rig) { r.rename(key("f"), key("g")) }, map[string]string{key("g"): "new"}},
		{"renamed, then a crash", func(r *rig) { r.rename(key("f"), key("g")); r.crash() }, map[string]string{key("g"): "new"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			run(t, func(t *testing.T, r *rig) {
				r.mem.PutString(key("f"), "old")
				r.remove(key("f"))
				r.put(key("f"), "new")
				tc.do(r)
				r.drain()
				if got := r.seen(); !maps.Equal(got, tc.want) {
					t.Errorf("bucket %q, want %q", got, tc.want)
				}
			})
		})
	}
}
