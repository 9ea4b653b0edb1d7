package fs_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/fs"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/tests/mount"
)

// promised is the longest that a call may wait for a store that does not answer.
const promised = 20 * time.Second

// TestSilentStore: whatever is asked of a store that takes requests and never answers is EIO in
// time. A read(2) is several requests of the kernel: it repeats the first page of what failed.
func TestSilentStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mem := memstore.New(memstore.Config{HideAbsent: true})
		faults := faultstore.New(mem)
		stack, err := mount.NewStack(t.TempDir(), faults, mount.StackOptions{MetadataTTL: ttl})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			faults.Clear()
			if err := stack.Stop(); err != nil {
				t.Error(err)
			}
		}()
		k := &kernel{t: t, raw: fs.Raw(stack.VFS, zap.NewNop()), mem: mem, close: make(chan struct{})}
		k.own = k.must(k.lookup(fuse.FUSE_ROOT_ID, "private")).NodeId
		for _, name := range []string{"f", "g"} {
			mem.PutString(ownKey(name), "text")
		}
		f := k.must(k.lookup(k.own, "f"))
		fh, status := k.open(f.NodeId, 0)
		if status != fuse.OK {
			t.Fatal(status)
		}
		faults.Add(faultstore.Rule{Op: faultstore.AnyRead, Count: faultstore.Forever, Fault: faultstore.Stall()})

		eio := func(what string, call func() fuse.Status) {
			t.Helper()
			start := time.Now()
			if status := call(); status != fuse.EIO {
				t.Errorf("%s: %v, want EIO", what, status)
			}
			if took := time.Since(start); took >= promised {
				t.Errorf("%s took %v", what, took)
			}
		}
		eio("read(2)", func() fuse.Status {
			_, readahead := k.read(f.NodeId, fh.Fh, 128<<10)
			_, page := k.read(f.NodeId, fh.Fh, 4<<10)
			if readahead != page {
				t.Errorf("readahead %v, page %v", readahead, page)
			}
			return page
		})
		gets := countGets(faults)
		time.Sleep(time.Minute)
		eio("read(2), later", func() fuse.Status { _, status := k.read(f.NodeId, fh.Fh, 4<<10); return status })
		if countGets(faults) == gets {
			t.Error("a later read asks the store no more")
		}
		eio("lookup", func() fuse.Status { _, status := k.lookup(k.own, "g"); return status })
		h := k.head(f.NodeId)
		eio("getxattr", func() fuse.Status {
			_, status := k.raw.GetXAttr(k.close, &h, "user.x", nil)
			return status
		})
		k.release(f.NodeId, fh.Fh)
	})
}

func countGets(s *faultstore.Store) (n int) {
	for _, c := range s.Calls() {
		if c.Op == op.Get {
			n++
		}
	}
	return n
}
