package uploader_test

import (
	"testing"

	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// TestTruncatedAgainAndAgainWhileOpen: each open with O_TRUNC leaves a generation below that no flush reaches any more. The
// last one that is closed ends all of them.
func TestTruncatedAgainAndAgainWhileOpen(t *testing.T) {
	for name, last := range map[string]string{"written": "last", "left empty": ""} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, r *rig) {
				r.put(key("f"), "stored")
				r.drain()
				r.mem.ResetCounts()
				first := r.edit(key("f"))
				r.writeAt(first, "first", 3)
				files := []*uploader.File{first}
				for range 3 {
					f, err := r.u.Open(t.Context(), key("f"), uploader.OpenOptions{Base: r.stored(key("f")), Truncate: true})
					check(t, err)
					r.writeAt(first, "again", 0) // all handles are of the newest generation
					files = append(files, f)
				}
				f, err := r.u.Open(t.Context(), key("f"), uploader.OpenOptions{Base: r.stored(key("f")), Truncate: true})
				check(t, err)
				if last != "" {
					r.writeAt(f, last, 0)
				}
				for _, f := range append(files, f) {
					r.close(f)
				}
				r.drain()
				if n := r.u.Operations(); n != 0 {
					t.Errorf("%d operations are left", n)
				}
				r.wantBucket(map[string]string{key("f"): last})
				if n := r.mem.Counts()[op.Put]; n != 1 {
					t.Errorf("%d uploads", n)
				}
			})
		})
	}
}
