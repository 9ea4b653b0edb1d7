package uploader_test

import (
	"errors"
	"fmt"
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

// TestDamagedDiskAfterARestart: that holds for a process after the one that wrote them, too: the checksums are in the log. Bytes that are
// good go as ever.
func TestDamagedDiskAfterARestart(t *testing.T) {
	change := func(c *uploader.Config) { c.PartSize, c.TempSettle = 1<<20, time.Hour }
	for name, size := range map[string]int{"one request": 200_000, "parts": 3 << 20} {
		for what, before := range map[string]func(*testing.T, *rig){
			"closed": func(*testing.T, *rig) {},
			"log written again": func(t *testing.T, r *rig) {
				check(t, r.u.Checkpoint())
			},
			"appended to": func(t *testing.T, r *rig) {
				f := r.edit(key("f.tmp"))
				r.writeAt(f, "more", int64(size))
				r.close(f)
			},
			"renamed": func(_ *testing.T, r *rig) { r.rename(key("f.tmp"), key("g.tmp")); r.rename(key("g.tmp"), key("f.tmp")) },
		} {
			for _, bad := range []bool{true, false} {
				t.Run(fmt.Sprint(name, ", ", what, ", ", bad), func(t *testing.T) {
					run(t, func(t *testing.T, r *rig) {
						f := r.create(key("f.tmp"))
						for data := strings.Repeat("0123456789abcdef", size/16); f != nil; f = nil {
							r.writeAt(f, data[:size/3], 0)
							r.writeAt(f, data[size/3:], int64(size/3))
							r.close(f)
						}
						before(t, r)
						r.crashThen(func() {
							if bad {
								damage(t, r.dir)
							}
						})
						check(t, r.u.Prove(t.Context(), level))
						r.u.RetryKeys()
						time.Sleep(2 * time.Hour)
						i, ok := r.u.Lookup(key("f.tmp"))
						if bad && (len(r.bucket()) > 0 || !ok || i.State != uploader.StateFailed || !errors.Is(i.Err, uploader.ErrDamaged)) {
							t.Errorf("%+v, %v, %d in the bucket", i, ok, len(r.bucket()))
						}
						if !bad && (len(r.bucket()) != 1 || ok) {
							t.Errorf("%+v, %v, %d in the bucket", i, ok, len(r.bucket()))
						}
					}, change)
				})
			}
		}
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
