package uploader_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/uploader"
)

// TestDamagedDiskIsNotUploaded: bytes that the spool's disk has changed after they were written never get into the bucket: the
// store is told what was written. The file fails, and says why; what is good in it can be exported.
func TestDamagedDiskIsNotUploaded(t *testing.T) {
	for name, size := range map[string]int{"one request": 200_000, "parts": 3 << 20} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, r *rig) {
				f := r.create(key("f.tmp")) // its upload waits
				data := strings.Repeat("0123456789abcdef", size/16)
				r.writeAt(f, data, 0)
				damage(t, r.dir)
				r.close(f)
				time.Sleep(time.Minute)
				r.wantBucket(nil)
				i, ok := r.u.Lookup(key("f.tmp"))
				if !ok || i.State != uploader.StateFailed || !errors.Is(i.Err, uploader.ErrDamaged) {
					t.Errorf("%+v, %v", i, ok)
				}
			}, func(c *uploader.Config) { c.PartSize = 1 << 20 })
		})
	}
}

// damage flips one bit of each large file below dir.
func damage(t *testing.T, dir string) {
	t.Helper()
	n := 0
	check(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil || len(b) < 100_000 {
			return err
		}
		n++
		b[len(b)/2] ^= 4
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.WriteAt(b, 0)
		return errors.Join(err, f.Close())
	}))
	if n == 0 {
		t.Fatal("no file to damage")
	}
}
