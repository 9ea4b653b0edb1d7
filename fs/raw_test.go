package fs_test

import (
	"encoding/binary"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/fs"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/tests/mount"
)

// kernel calls the raw file system as the kernel does.
type kernel struct {
	t     *testing.T
	raw   fuse.RawFileSystem
	mem   *memstore.Store
	own   uint64 // node of private/
	close chan struct{}
}

const ttl = 5 * time.Second

// onRaw runs a test with a clock of its own: time passes only where it is waited for.
func onRaw(t *testing.T, test func(t *testing.T, k *kernel)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newKernel(t)) })
}

func newKernel(t *testing.T) *kernel {
	t.Helper()
	mem := memstore.New(memstore.Config{HideAbsent: true})
	stack, err := mount.NewStack(t.TempDir(), mem, mount.StackOptions{MetadataTTL: ttl})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stack.Stop(); err != nil {
			t.Error(err)
		}
	})
	k := &kernel{t: t, raw: fs.Raw(stack.VFS, zap.NewNop()), mem: mem, close: make(chan struct{})}
	k.own = k.must(k.lookup(fuse.FUSE_ROOT_ID, "private")).NodeId
	return k
}

func ownKey(name string) string { return "private/" + mount.Identity + "/" + name }

func (k *kernel) head(node uint64) fuse.InHeader { return fuse.InHeader{NodeId: node} }

func (k *kernel) lookup(dir uint64, name string) (fuse.EntryOut, fuse.Status) {
	var out fuse.EntryOut
	h := k.head(dir)
	status := k.raw.Lookup(k.close, &h, name, &out)
	return out, status
}

func (k *kernel) must(out fuse.EntryOut, status fuse.Status) fuse.EntryOut {
	k.t.Helper()
	if status != fuse.OK {
		k.t.Fatal(status)
	}
	return out
}

func (k *kernel) open(node uint64, flags uint32) (fuse.OpenOut, fuse.Status) {
	var out fuse.OpenOut
	status := k.raw.Open(k.close, &fuse.OpenIn{InHeader: k.head(node), Flags: flags}, &out)
	return out, status
}

func (k *kernel) read(node, fh uint64, size int) (string, fuse.Status) {
	k.t.Helper()
	in := fuse.ReadIn{InHeader: k.head(node), Fh: fh, Size: uint32(size)}
	buf := make([]byte, size)
	result, status := k.raw.Read(k.close, &in, buf)
	if status != fuse.OK {
		return "", status
	}
	data, status := result.Bytes(buf)
	return string(data), status
}

func (k *kernel) release(node, fh uint64) {
	k.raw.Release(k.close, &fuse.ReleaseIn{InHeader: k.head(node), Fh: fh})
}

// TestVersions: a version of somebody else's is another node; a version that is
// the same is the same node, and its pages may be kept.
func TestVersions(t *testing.T) {
	onRaw(t, func(t *testing.T, k *kernel) {
		k.mem.PutString(ownKey("f"), "first")
		first := k.must(k.lookup(k.own, "f"))
		again := k.must(k.lookup(k.own, "f"))
		if first.NodeId != again.NodeId || first.Generation != again.Generation {
			t.Errorf("same version: nodes %d and %d", first.NodeId, again.NodeId)
		}
		fh, status := k.open(first.NodeId, syscall.O_RDONLY)
		if status != fuse.OK || fh.OpenFlags&fuse.FOPEN_KEEP_CACHE == 0 {
			t.Errorf("open: %v, flags %#x", status, fh.OpenFlags)
		}
		if got, status := k.read(first.NodeId, fh.Fh, 100); got != "first" {
			t.Errorf("read %q, %v", got, status)
		}

		k.mem.PutString(ownKey("f"), "the second")
		time.Sleep(ttl)
		second := k.must(k.lookup(k.own, "f"))
		if second.Ino != first.Ino || second.Generation == first.Generation || second.Size != 10 {
			t.Errorf("new version: inode %d generation %d size %d; before: %d, %d",
				second.Ino, second.Generation, second.Size, first.Ino, first.Generation)
		}
		if _, status := k.open(first.NodeId, syscall.O_RDONLY); status != fuse.Status(syscall.ESTALE) {
			t.Errorf("open of the old node: %v, want ESTALE", status)
		}
		newFh, status := k.open(second.NodeId, syscall.O_RDONLY)
		if status != fuse.OK {
			t.Fatal(status)
		}
		if got, _ := k.read(second.NodeId, newFh.Fh, 100); got != "the second" {
			t.Errorf("new node reads %q", got)
		}
		// The old handle has its bytes in the cache, or none any more.
		if got, status := k.read(first.NodeId, fh.Fh, 100); got != "first" && status != fuse.Status(syscall.ESTALE) {
			t.Errorf("old handle reads %q, %v", got, status)
		}
		var attr fuse.AttrOut
		in := fuse.GetAttrIn{InHeader: k.head(first.NodeId)}
		if status := k.raw.GetAttr(k.close, &in, &attr); status != fuse.OK || attr.Size != 5 || attr.Ino != first.Ino {
			t.Errorf("fstat of the old handle: %v, size %d", status, attr.Size)
		}
		k.release(first.NodeId, fh.Fh)
		k.release(second.NodeId, newFh.Fh)
		if status := k.raw.GetAttr(k.close, &in, new(fuse.AttrOut)); status != fuse.Status(syscall.ESTALE) {
			t.Errorf("stat of the old node: %v, want ESTALE", status)
		}
	})
}

// TestNegativeEntries: an absent name is a success without a node, believed as
// long as vfs does.
func TestNegativeEntries(t *testing.T) {
	onRaw(t, func(t *testing.T, k *kernel) {
		out, status := k.lookup(k.own, "absent")
		if status != fuse.OK || out.NodeId != 0 || out.EntryTimeout() <= 0 || out.EntryTimeout() > ttl {
			t.Errorf("%v, node %d, timeout %v", status, out.NodeId, out.EntryTimeout())
		}
		k.mem.SetAllow(func(op, _ string) error {
			if op == "list" {
				return syscall.EACCES
			}
			return nil
		})
		time.Sleep(ttl) // the listing is too old
		if out, status := k.lookup(k.own, "unknown"); status == fuse.OK || status == fuse.ENOENT {
			t.Errorf("a failed listing says that the name is absent: %v, node %d", status, out.NodeId)
		}
	})
}

// TestHandleAfterRelease: whatever comes late finds no handle.
func TestHandleAfterRelease(t *testing.T) {
	onRaw(t, func(t *testing.T, k *kernel) {
		var out fuse.CreateOut
		in := fuse.CreateIn{InHeader: k.head(k.own), Flags: syscall.O_RDWR | syscall.O_CREAT, Mode: 0o644}
		if status := k.raw.Create(k.close, &in, "f", &out); status != fuse.OK {
			t.Fatal(status)
		}
		write := fuse.WriteIn{InHeader: k.head(out.NodeId), Fh: out.Fh}
		if n, status := k.raw.Write(k.close, &write, []byte("bytes")); n != 5 || status != fuse.OK {
			t.Fatal(n, status)
		}
		if status := k.raw.Flush(k.close, &fuse.FlushIn{InHeader: k.head(out.NodeId), Fh: out.Fh}); status != fuse.OK {
			t.Error(status)
		}
		if got, status := k.read(out.NodeId, out.Fh, 10); got != "bytes" {
			t.Errorf("read %q, %v", got, status)
		}
		k.release(out.NodeId, out.Fh)
		again := k.must(k.lookup(k.own, "f"))
		if again.NodeId != out.NodeId || again.Size != 5 {
			t.Errorf("after the release: node %d size %d, before: node %d", again.NodeId, again.Size, out.NodeId)
		}
	})
}

// TestReaddirplus: entries carry attributes and nodes, offsets can be sought, and
// "." and ".." are there.
func TestReaddirplus(t *testing.T) {
	onRaw(t, func(t *testing.T, k *kernel) {
		for _, name := range []string{"a", "b", "c"} {
			k.mem.PutString("public/"+name, name)
		}
		public := k.must(k.lookup(fuse.FUSE_ROOT_ID, "public")).NodeId
		var open fuse.OpenOut
		if status := k.raw.OpenDir(k.close, &fuse.OpenIn{InHeader: k.head(public)}, &open); status != fuse.OK {
			t.Fatal(status)
		}
		list := func(offset uint64) []byte {
			t.Helper()
			out := fuse.NewDirEntryList(make([]byte, 4096), offset)
			in := fuse.ReadIn{InHeader: k.head(public), Fh: open.Fh, Offset: offset, Size: 4096}
			if status := k.raw.ReadDirPlus(k.close, &in, out); status != fuse.OK {
				t.Fatal(status)
			}
			return out.Bytes()
		}
		before := k.mem.Counts()
		all := list(0)
		const entry = 128 + 24 + 8 // fuse_entry_out, fuse_dirent, a name padded to 8 bytes
		if len(all) != 5*entry {
			t.Fatalf("%d bytes, want 5 entries", len(all))
		}
		for i := range 5 {
			node := binary.NativeEndian.Uint64(all[i*entry:])
			if hasNode := node != 0; hasNode != (i >= 2) { // the dots have none
				t.Errorf("entry %d has node %d", i, node)
			}
		}
		if rest := list(3); len(rest) != 2*entry || string(rest[128+24]) != "b" {
			t.Errorf("from offset 3: %d bytes", len(rest))
		}
		if again := list(0); len(again) != len(all) { // rewinddir
			t.Errorf("after a rewind: %d bytes", len(again))
		}
		for _, op := range []string{"head", "get"} {
			if k.mem.Counts()[op] != before[op] {
				t.Errorf("%d requests %q for a listing", k.mem.Counts()[op]-before[op], op)
			}
		}
		k.raw.ReleaseDir(&fuse.ReleaseIn{InHeader: k.head(public), Fh: open.Fh})
	})
}

// TestXattrSizes is the size protocol of getxattr(2) and listxattr(2).
func TestXattrSizes(t *testing.T) {
	onRaw(t, func(t *testing.T, k *kernel) {
		k.mem.PutString(ownKey("f"), "x")
		node := k.must(k.lookup(k.own, "f")).NodeId
		h := k.head(node)
		set := fuse.SetXAttrIn{InHeader: h, Size: 5}
		if status := k.raw.SetXAttr(k.close, &set, "user.name", []byte("value")); status != fuse.OK {
			t.Fatal(status)
		}
		for _, tc := range []struct {
			size int
			want fuse.Status
		}{{0, fuse.ERANGE}, {4, fuse.ERANGE}, {5, fuse.OK}, {100, fuse.OK}} {
			buf := make([]byte, tc.size)
			n, status := k.raw.GetXAttr(k.close, &h, "user.name", buf)
			if status != tc.want || n != 5 {
				t.Errorf("getxattr with %d bytes: %d, %v", tc.size, n, status)
			}
			if status == fuse.OK && string(buf[:n]) != "value" {
				t.Errorf("value %q", buf[:n])
			}
		}
		need, status := k.raw.ListXAttr(k.close, &h, nil)
		if status != fuse.ERANGE || need == 0 {
			t.Errorf("listxattr without a buffer: %d, %v", need, status)
		}
		if n, status := k.raw.ListXAttr(k.close, &h, make([]byte, need)); n != need || status != fuse.OK {
			t.Errorf("listxattr with %d bytes: %d, %v", need, n, status)
		}
	})
}

// TestRemovedWhileOpen: what the kernel still asks of a node without a name.
func TestRemovedWhileOpen(t *testing.T) {
	onRaw(t, func(t *testing.T, k *kernel) {
		k.mem.PutString(ownKey("f"), "bytes")
		node := k.must(k.lookup(k.own, "f")).NodeId
		fh, status := k.open(node, syscall.O_RDONLY)
		if status != fuse.OK {
			t.Fatal(status)
		}
		h := k.head(k.own)
		if status := k.raw.Unlink(k.close, &h, "f"); status != fuse.OK {
			t.Fatal(status)
		}
		var attr fuse.AttrOut
		if status := k.raw.GetAttr(k.close, &fuse.GetAttrIn{InHeader: k.head(node)}, &attr); status != fuse.OK || attr.Nlink != 0 || attr.Size != 5 {
			t.Errorf("fstat: %v, nlink %d, size %d", status, attr.Nlink, attr.Size)
		}
		if got, status := k.read(node, fh.Fh, 10); got != "bytes" {
			t.Errorf("read %q, %v", got, status)
		}
		// By /proc/self/fd, or by a program that had found the name before: the file itself, not another one that
		// has taken the name meanwhile.
		k.mem.PutString(ownKey("f"), "another")
		again, status := k.open(node, syscall.O_RDONLY)
		if got, _ := k.read(node, again.Fh, 10); status != fuse.OK || got != "bytes" {
			t.Errorf("reopen: %v, reads %q", status, got)
		}
		if _, status := k.open(node, syscall.O_RDWR); status != fuse.Status(syscall.ESTALE) {
			t.Errorf("reopen for writing: %v, want ESTALE", status)
		}
		k.release(node, fh.Fh)
		k.release(node, again.Fh)
		if status := k.raw.GetAttr(k.close, &fuse.GetAttrIn{InHeader: k.head(node)}, &attr); status != fuse.Status(syscall.ESTALE) {
			t.Errorf("stat after the last release: %v, want ESTALE", status)
		}
	})
}

// TestRefusedTruncation: an open with O_TRUNC that fails has emptied nothing.
func TestRefusedTruncation(t *testing.T) {
	const truncate = syscall.O_WRONLY | syscall.O_TRUNC
	stale := fuse.Status(syscall.ESTALE)
	onRaw(t, func(t *testing.T, k *kernel) {
		k.mem.PutString(ownKey("f"), "first")
		first := k.must(k.lookup(k.own, "f"))
		k.mem.PutString(ownKey("f"), "the second")
		time.Sleep(ttl)
		if _, status := k.open(first.NodeId, truncate); status != stale {
			t.Errorf("a node whose version is gone: %v, want ESTALE", status)
		}
		k.stays("f", "the second")

		// Renamed over a file that is open: its node is reached by its descriptor alone.
		k.mem.PutString(ownKey("open"), "open")
		k.mem.PutString(ownKey("over"), "over")
		time.Sleep(ttl)
		node := k.must(k.lookup(k.own, "open"))
		k.must(k.lookup(k.own, "over"))
		fh, status := k.open(node.NodeId, syscall.O_RDONLY)
		if status != fuse.OK {
			t.Fatal(status)
		}
		in := fuse.RenameIn{InHeader: k.head(k.own), Newdir: k.own}
		if status := k.raw.Rename(k.close, &in, "over", "open"); status != fuse.OK {
			t.Fatal(status)
		}
		if _, status := k.open(node.NodeId, truncate); status != stale {
			t.Errorf("a node that was replaced while open: %v, want ESTALE", status)
		}
		k.release(node.NodeId, fh.Fh)
		k.stays("open", "over")
	})
}

// stays wants an object as it is, after all that could have been sent.
func (k *kernel) stays(name, want string) {
	k.t.Helper()
	time.Sleep(time.Minute)
	if raw, ok := k.mem.Object(ownKey(name)); !ok || string(raw.Data) != want {
		k.t.Errorf("%s holds %q, want %q", name, raw.Data, want)
	}
}
