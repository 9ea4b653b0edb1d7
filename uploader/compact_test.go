package uploader_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/op"
)

// One small file that can not be uploaded does not keep all that was written around it.
func TestWaitingFileDoesNotKeepItsSegment(t *testing.T) {
	faulty(t, func(t *testing.T, r *rig, f *faultstore.Store) {
		const n, size = 900, 40 << 10 // 36 MiB
		filler := strings.Repeat("x", size)
		r.put(key("stuck"), "waits")
		r.writeAt(r.create(key("half")), "not closed", 0)
		r.crash() // half is quarantined
		kept := r.u.Kept()
		check(t, r.u.Prove(t.Context(), level))
		for i := range n {
			r.put(key(fmt.Sprint(i)), filler)
			if i%100 == 50 {
				r.put(key(fmt.Sprint("stuck", i)), filler)
			}
		}
		time.Sleep(time.Minute)
		if s := r.u.Status(); s.Failed != 10 || s.Queued+s.Sending > 0 {
			t.Fatalf("status %+v", s.Counts)
		}
		if used, _ := r.sp.Usage(); used > 2<<20 {
			t.Errorf("%d bytes in the spool for %d", used, 9*size)
		}
		segments, err := filepath.Glob(filepath.Join(r.dir, "seg", "*.seg"))
		sum := int64(0)
		for _, s := range segments {
			info, err := os.Stat(s)
			check(t, err)
			sum += info.Size()
		}
		if err != nil || sum > 2<<20 {
			t.Errorf("%d bytes in %d segments, %v", sum, len(segments), err)
		}
		r.crash()
		if got, _ := exported(t, r.u, kept[0].Gen); got != "not closed" {
			t.Errorf("exported %q", got)
		}
		check(t, r.u.Discard(kept[0].Gen))
		f.Clear()
		r.drain()
		b := r.bucket()
		if len(b) != n+10 || b[key("stuck")] != "waits" || b[key("stuck50")] != filler || b[key("stuck850")] != filler {
			t.Errorf("%d objects in the bucket", len(b))
		}
		time.Sleep(time.Minute)
		if used, _ := r.sp.Usage(); used != 0 {
			t.Errorf("%d bytes left in the spool", used)
		}
	}, faultstore.Rule{Op: op.Put, Key: key("stuck*"), Fault: faultstore.Reset(), Count: faultstore.Forever})
}
