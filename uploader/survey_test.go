package uploader_test

import (
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/uploader"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// TestSurvey: what a look at a spool tells is what the next mount finds.
func TestSurvey(t *testing.T) {
	faulty(t, func(t *testing.T, r *rig, _ *faultstore.Store) {
		r.put(key("closed"), "closed")
		r.save(r.create(key("synced")), "synced")
		r.writeAt(r.create(key("open")), "open", 0)
		r.mem.PutString(key("old"), "old")
		r.remove(key("old"))
		wait(time.Second)
		check(t, r.u.Sync(t.Context()))
		v, err := spool.Look(r.dir)
		check(t, err)
		pending, kept := uploader.Survey(v.Records)
		names := map[string]string{}
		for _, i := range pending {
			names[i.Key] = i.What + " " + i.State.String()
			if i.Since.IsZero() {
				t.Errorf("%q: no age", i.Key)
			}
		}
		if len(names) != 3 || names[key("closed")] != "put queued" || names[key("synced")] != "put queued" || names[key("old")] == "" {
			t.Errorf("pending %q", names)
		}
		if len(kept) != 1 || kept[0].Key != key("open") || kept[0].BaseLost {
			t.Errorf("kept %+v", kept)
		}
		r.crash()
		after := r.u.Kept()
		if len(after) != 1 || after[0].Gen != kept[0].Gen {
			t.Errorf("the next mount keeps %+v, the survey said %+v", after, kept)
		}
		v, err = spool.Look(r.dir)
		check(t, err)
		if _, kept = uploader.Survey(v.Records); len(kept) != 1 || kept[0].Gen != after[0].Gen || kept[0].Size != 4 {
			t.Errorf("kept %+v", kept)
		}
	}, faultstore.Rule{Op: faultstore.AnyWrite, Fault: faultstore.SlowDown(), Count: faultstore.Forever})
}
