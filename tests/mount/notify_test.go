package mount_test

import (
	"bytes"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/fs/vfs"
	"github.com/s3levelfs/s3levelfs/tests/mount"
)

// TestNoticesOfBusyNodes: notices of a file that is being read, and of a directory in which a name is looked up, whose answers do not
// come, keep nobody waiting: neither whoever sends them, nor the notices of other files. When the answers come all is told.
func TestNoticesOfBusyNodes(t *testing.T) {
	mount.Run(t, slow(), func(t *testing.T, m *mount.Mount) {
		data := bytes.Repeat([]byte{'x'}, 64<<10)
		for _, key := range []string{"public/f", "public/g", "public/d/h"} {
			m.Call(t, "Put", mount.Object{Key: key, Data: data}, &struct{}{})
		}
		f, err := os.Open(m.Path("public", "f"))
		must(t, err)
		defer f.Close()
		wantContent(t, m.Path("public", "g"), data)
		m.Call(t, "Stall", true, &struct{}{})
		var wg sync.WaitGroup
		wg.Go(func() { // its pages are locked until the store answers
			if _, err := f.ReadAt(make([]byte, 4096), 0); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() { // as is this directory
			if _, err := os.Stat(m.Path("public", "d", "h")); err != nil {
				t.Error(err)
			}
		})
		eventually(t, "both are in flight", func() bool {
			var busy int
			m.Call(t, "Waiting", struct{}{}, &busy)
			return busy >= 2
		})
		told := make(chan struct{})
		wg.Go(func() {
			defer close(told)
			for range 3 {
				m.Call(t, "Invalidate", vfs.Invalidation{Parent: "public", Name: "f", Content: true}, &struct{}{})
				m.Call(t, "Invalidate", vfs.Invalidation{Parent: "public/d", Name: "h", Content: true}, &struct{}{})
				m.Call(t, "Invalidate", vfs.Invalidation{Parent: "public", Name: "g", Content: true}, &struct{}{})
			}
		})
		select {
		case <-told:
		case <-time.After(10 * time.Second):
			t.Error("notices wait for operations whose answers do not come")
		}
		reread := asked(t, m, func() {
			m.Call(t, "Release", "/g", &struct{}{})
			wantContent(t, m.Path("public", "g"), data)
		})
		if reread["read"] == 0 {
			t.Error("the notice of g was not taken")
		}
		var before map[string]int64
		m.Call(t, "Kernel", struct{}{}, &before)
		m.Call(t, "Stall", false, &struct{}{})
		wg.Wait()
		eventually(t, "f is read anew, by who waited for it or by the next", func() bool {
			_, err := f.ReadAt(make([]byte, 4096), 0)
			must(t, err)
			var now map[string]int64
			m.Call(t, "Kernel", struct{}{}, &now)
			return now["read"] > before["read"]
		})
	})
}
