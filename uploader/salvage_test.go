package uploader_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/uploader"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// TestBehindADamagedRecord: what was closed behind a damaged record of the log is not uploaded and not removed either. It is named, with the
// reason, by a look without a mount as by the next one, can be had, and goes only when somebody says so.
func TestBehindADamagedRecord(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		small, large := "small, behind", strings.Repeat("large, behind ", 10_000)
		r.put(key("before"), "before")
		r.drain()
		r.crash() // nothing is under way
		check(t, r.u.Prove(t.Context(), level))
		log := filepath.Join(r.dir, "ns.log")
		begin, err := os.ReadFile(log)
		check(t, err)
		f := r.create(key("damaged.tmp")) // its CREATE will be
		r.writeAt(f, strings.Repeat("nameless ", 10_000), 0)
		mark, err := os.ReadFile(log)
		check(t, err)
		r.close(f)
		r.put(key("small.tmp"), small)
		r.put(key("large.tmp"), large)
		var look *spool.View
		r.crashThen(func() {
			log = filepath.Join(r.dir, "ns.log")
			b, err := os.ReadFile(log)
			check(t, err)
			if !bytes.HasPrefix(b, mark) || len(mark) == len(begin) {
				t.Fatal("the log was written again")
			}
			b[len(begin)+12] ^= 0x10
			check(t, os.WriteFile(log, b, 0o600))
			look, err = spool.Look(r.dir)
			check(t, err)
		})
		_, kept := uploader.Survey(append(look.Records, look.Salvaged...))
		for what, kept := range map[string][]uploader.Quarantined{"survey": kept, "mount": r.u.Kept()} {
			named := map[string]uploader.Quarantined{}
			for _, q := range kept {
				named[q.Key] = q
			}
			for name, data := range map[string]string{"small.tmp": small, "large.tmp": large} {
				if q := named[key(name)]; q.Size != int64(len(data)) || !strings.Contains(q.Why, "damaged") {
					t.Errorf("%s: %s is %+v", what, name, q)
				}
			}
			if len(kept) != 3 {
				t.Errorf("%s: kept %+v", what, kept)
			}
		}
		if data, _ := exported(t, r.u, key("small.tmp")); data != small {
			t.Errorf("exported %q", data)
		}
		if data, _ := exported(t, r.u, key("large.tmp")); data != large {
			t.Errorf("exported %d bytes", len(data))
		}
		synctest.Wait()
		told := 0
		for _, e := range r.told() {
			if strings.HasPrefix(e, "quarantined ") {
				told++
			}
		}
		if told != 3 {
			t.Errorf("%d were told", told)
		}
		time.Sleep(time.Minute)
		if n := len(r.bucket()); n != 1 {
			t.Errorf("%d files in the bucket", n)
		}
		check(t, r.u.Checkpoint())
		r.crash()
		if kept := r.u.Kept(); len(kept) != 3 || !strings.Contains(kept[0].Why, "damaged") {
			t.Errorf("after another start: %+v", kept)
		}
		for _, q := range r.u.Kept() {
			check(t, r.u.Discard(q.Gen))
		}
		r.crash()
		if kept := r.u.Kept(); len(kept) != 0 {
			t.Errorf("after the discard: %+v", kept)
		}
	})
}
