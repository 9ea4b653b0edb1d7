package vfs_test

import (
	"bytes"
	"fmt"
	"syscall"
	"testing"

	"github.com/s3levelfs/s3levelfs/store/op"
)

// TestClosedFilesLeaveTheReadahead: a large file is read by as few GETs right after many small ones were read and closed.
func TestClosedFilesLeaveTheReadahead(t *testing.T) {
	const size, piece = 96 << 20, 1 << 20
	gets := func(small int) int {
		e := newEnv(t, envConfig{})
		defer e.close(t)
		for i := range small {
			e.put(t, fmt.Sprintf("public/f%03d", i), []byte("small"))
		}
		data := bytes.Repeat([]byte("0123456789abcdef"), size/16)
		e.put(t, "public/large", data)
		for i := range small {
			if got := readFile(t, e.fs, fmt.Sprintf("public/f%03d", i)); string(got) != "small" {
				t.Fatalf("%d: %q", i, got)
			}
		}
		h, err := e.fs.Open(t.Context(), "public/large", syscall.O_RDONLY)
		must(t, err)
		before := e.mem.Counts()[op.Get]
		buf := make([]byte, piece)
		for off := int64(0); off < size; off += piece {
			if n, err := h.ReadAt(t.Context(), buf, off); err != nil || n != piece {
				t.Fatalf("at %d: %d, %v", off, n, err)
			}
		}
		must(t, h.Release(t.Context()))
		return e.mem.Counts()[op.Get] - before
	}
	alone, after := gets(0), gets(200)
	t.Logf("GETs of 96 MiB: %d alone, %d after 200 small files", alone, after)
	if after > alone*5/4+2 {
		t.Errorf("%d alone, %d after 200 small files", alone, after)
	}
}
