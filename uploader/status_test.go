package uploader_test

import (
	"strings"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/uploader"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// TestReasonsAndAgesSurviveARestart: what failed, why and since when is known of a spool that no mount uses, also after its log was
// rewritten.
func TestReasonsAndAgesSurviveARestart(t *testing.T) {
	faulty(t, func(t *testing.T, r *rig, _ *faultstore.Store) {
		r.put(key("f"), "x")
		wait(time.Hour)
		r.mem.PutString(key("old"), "x")
		r.remove(key("old"))
		wait(time.Hour)
		want := r.u.Pending()
		if len(want) != 2 || want[0].Err == "" || want[1].Err == "" {
			t.Fatalf("pending %+v", want)
		}
		for _, rewritten := range []bool{false, true} {
			if rewritten {
				check(t, r.u.Checkpoint())
			}
			r.u.Kill()
			check(t, r.sp.Close())
			sp, rec, err := spool.Open(spool.Config{Dir: r.dir, Owner: "test", BootID: r.boot})
			check(t, err)
			u, err := uploader.New(uploader.Config{Store: uploader.Offline(), Spool: sp, Recovery: rec})
			check(t, err)
			got := u.Pending()
			if len(got) != len(want) {
				t.Fatalf("pending %+v, want %+v", got, want)
			}
			for i := range got {
				if got[i].Key != want[i].Key || !got[i].Since.Equal(want[i].Since) || !strings.Contains(got[i].Err, "503") || got[i].Attempts != 0 {
					t.Errorf("rewritten %v: %+v, want %+v", rewritten, got[i], want[i])
				}
			}
			u.Kill()
			check(t, sp.Close())
			r.open()
		}
	}, faultstore.Rule{Op: faultstore.AnyWrite, Fault: faultstore.SlowDown(), Count: faultstore.Forever})
}
