package uploader_test

import (
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// The headers of an upload are those that it was begun with: what the file got later is made by one self-copy.
func TestHeadersOfAStreamedFile(t *testing.T) {
	stamp := func(c *uploader.Config) {
		c.Stamp = func(h *store.Headers, mod time.Time) {
			*h = h.Clone()
			if h.Metadata == nil {
				h.Metadata = map[string]string{}
			}
			h.Metadata["mtime"] = mod.Format(time.RFC3339)
		}
	}
	for _, crash := range []bool{false, true} {
		withSmallParts(t, func(t *testing.T, r *rig) {
			f := r.create(key("f"))
			r.stream(f, text("x", 4*part), 0)
			time.Sleep(time.Hour)
			r.writeAt(f, "y", 4*part)
			written := time.Now().Format(time.RFC3339)
			time.Sleep(time.Hour)
			r.close(f)
			if crash {
				r.crash()
			}
			r.drain()
			o, _ := r.mem.Object(key("f"))
			if o.Headers.Metadata["mtime"] != written || string(o.Data) != text("x", 4*part)+"y" {
				t.Errorf("%d bytes, headers %v, want mtime %s", len(o.Data), o.Headers, written)
			}
			if n := r.mem.Counts()[op.Copy]; n != 1 {
				t.Errorf("%d copies", n)
			}
		}, stamp)
	}
}

// chmod of a file whose parts are being sent sends none of them twice.
func Test_5a_SENDING_HeadersOfAFileInParts(t *testing.T) {
	for name, o := range map[string]string{"parts": op.UploadPart, "complete": op.Complete} {
		t.Run(name, func(t *testing.T) {
			withSmallParts(t, func(t *testing.T, r *rig) {
				release := r.stalledFor(t, faultstore.Rule{Op: o, Fault: faultstore.Applied(faultstore.Stall())})
				f := r.create(key("f"))
				r.stream(f, text("x", 4*part), 0)
				check(t, f.Flush(t.Context()))
				time.Sleep(time.Second)
				check(t, f.SetHeaders(memHeaders("late")), f.Release(t.Context(), true))
				time.Sleep(time.Second)
				release()
				r.drain()
				r.wantCounts(map[string]int{op.Create: 1, op.UploadPart: 4, op.Complete: 1, op.Copy: 1})
				o, _ := r.mem.Object(key("f"))
				if string(o.Data) != text("x", 4*part) || o.Headers.Metadata["v"] != "late" {
					t.Errorf("%d bytes, headers %v", len(o.Data), o.Headers)
				}
			})
		})
	}
}
