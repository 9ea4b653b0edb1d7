package uploader_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// TestLateMovesOfADirectoryLookAtTheirTargets: a directory's new name was free when it was renamed. What a crash has left of that is carried out later:
// what somebody else has stored there by then is not overwritten, also by servers that keep no conditions on a copy's target.
func TestLateMovesOfADirectoryLookAtTheirTargets(t *testing.T) {
	for name, mc := range servers() {
		t.Run(name, func(t *testing.T) {
			runOn(t, mc, func(t *testing.T, r *rig) {
				f := faultstore.New(r.mem)
				r.stop()
				r.store = f
				r.open()
				check(t, r.u.Prove(t.Context(), level))
				const files = 100 // more than are copied at a time
				var entries []uploader.DirEntry
				want := map[string]string{}
				for i := range files {
					from, to := key(fmt.Sprintf("d/%03d", i)), key(fmt.Sprintf("e/%03d", i))
					r.mem.PutString(from, "ours")
					entries = append(entries, uploader.DirEntry{Key: from, ETag: r.stored(from).ETag, Size: 4})
					want[from], want[to] = "ours", "theirs"
				}
				f.Add(faultstore.Rule{Op: op.Copy, Count: files, Fault: faultstore.Stall()})
				done := make(chan struct{})
				go func() {
					defer close(done)
					_ = r.u.RenameDir(t.Context(), key("d"), key("e"), entries) // it ends with its process
				}()
				r.crashThen(func() {
					f.Clear()
					time.Sleep(time.Hour)
					for i := range files {
						r.mem.PutString(key(fmt.Sprintf("e/%03d", i)), "theirs")
					}
				})
				<-done
				r.drain()
				r.wantBucket(want)
			})
		})
	}
}
