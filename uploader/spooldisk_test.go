package uploader_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A file that the spool's disk did not take fails each fsync until it has been uploaded, not for ever.
func TestFailedSyncOfTheSpoolEndsWithTheUpload(t *testing.T) {
	run(t, func(t *testing.T, r *rig) {
		r.stop()
		failed := false
		r.syncFile = func(path string) error {
			if strings.Contains(path, "/data/") && !failed {
				failed = true
				return syscall.EIO
			}
			return nil
		}
		r.open()
		check(t, r.u.Prove(t.Context(), level))
		f := r.create(key("big"))
		r.writeAt(f, string(make([]byte, 256<<10)), 0)
		for range 2 {
			if err := f.Sync(t.Context()); !errors.Is(err, syscall.EIO) || !strings.Contains(err.Error(), "disk") {
				t.Errorf("fsync: %v", err)
			}
		}
		r.close(f)
		r.drain()
		time.Sleep(time.Minute)
		check(t, r.u.Sync(t.Context()))
		if bytes, _ := r.sp.Usage(); bytes != 0 {
			t.Errorf("%d bytes left in the spool", bytes)
		}
	})
}
