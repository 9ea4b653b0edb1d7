package fs_test

import (
	"bytes"
	"slices"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// TestLargeReadsAreNotCopied: what lies in the cache goes to the kernel from there, as go-fuse takes it, whole and with the end of the file; a small
// read is copied.
func TestLargeReadsAreNotCopied(t *testing.T) {
	onRaw(t, func(t *testing.T, k *kernel) {
		want := bytes.Repeat([]byte("0123456789abcde\n"), 80_000)
		k.mem.PutString(ownKey("f"), string(want))
		node := k.must(k.lookup(k.own, "f")).NodeId
		out, status := k.open(node, syscall.O_RDONLY)
		if status != fuse.OK {
			t.Fatal(status)
		}
		defer k.release(node, out.Fh)
		for _, tt := range []struct{ off, size int }{{0, 1 << 20}, {1 << 20, 1 << 20}, {77, 1 << 20}, {len(want) - 100, 1 << 20}, {5, 4096}} {
			in := fuse.ReadIn{InHeader: k.head(node), Fh: out.Fh, Offset: uint64(tt.off), Size: uint32(tt.size)}
			buf := make([]byte, tt.size)
			result, status := k.raw.Read(k.close, &in, buf)
			if status != fuse.OK {
				t.Fatal(status)
			}
			want := want[tt.off:min(tt.off+tt.size, len(want))]
			lent, ok := result.(interface {
				Slices() ([][]byte, fuse.Status)
			})
			if large := len(want) >= 64<<10; ok != large {
				t.Errorf("%d bytes at %d: lent %v", len(want), tt.off, ok)
			}
			if result.Size() != len(want) {
				t.Errorf("%d bytes at %d, want %d", result.Size(), tt.off, len(want))
			}
			if ok {
				if buf[0] != 0 {
					t.Errorf("%d bytes at %d were copied", len(want), tt.off)
				}
				if got, status := lent.Slices(); status != fuse.OK || !bytes.Equal(slices.Concat(got...), want) {
					t.Errorf("wrong bytes lent at %d, %v", tt.off, status)
				}
			}
			if got, status := result.Bytes(buf); status != fuse.OK || !bytes.Equal(got, want) {
				t.Errorf("wrong bytes at %d, %v", tt.off, status)
			}
			result.Done()
		}
	})
}
