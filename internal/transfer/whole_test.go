package transfer_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/s3levelfs/s3levelfs/internal/transfer"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/op"
)

// TestPutWhole: a store without multipart uploads gets files and streams of any size in one request.
func TestPutWhole(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for _, n := range []int{0, 1, partSize, partSize + 1, 5*partSize + 7} {
		data := noise(n)
		mem := memstore.New(memstore.Config{Limits: store.WholeLimits()})
		c := client(mem, t.TempDir())
		got, err := c.PutFile(t.Context(), "file.html", file(t, data), transfer.PutOptions{})
		if err != nil || got.Size != int64(n) || got.ETag == "" || !strings.HasPrefix(got.ContentType, "text/html") {
			t.Fatalf("%d bytes: %+v, %v", n, got, err)
		}
		want(t, mem, "file.html", data)
		cond := transfer.PutOptions{Cond: store.Cond{IfNoneMatch: true}}
		if got, err = c.PutStream(t.Context(), "s", "standard input", bytes.NewReader(data), cond); err != nil || got.Size != int64(n) {
			t.Fatalf("%d bytes of a stream: %+v, %v", n, got, err)
		}
		want(t, mem, "s", data)
		if _, err := c.PutStream(t.Context(), "s", "standard input", bytes.NewReader(nil), cond); !errors.Is(err, transfer.ErrExists) {
			t.Errorf("over an object: %v", err)
		}
		if counts := mem.Counts(); counts[op.Put] != 3 || counts[op.Create] != 0 {
			t.Errorf("%d bytes: requests %v", n, counts)
		}
		if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) != 0 {
			t.Errorf("left are %v, %v", left, err)
		}
	}
	c := client(memstore.New(memstore.Config{Limits: store.WholeLimits()}), t.TempDir())
	broken := errors.New("pipe is broken")
	if _, err := c.PutStream(t.Context(), "s", "standard input", io.MultiReader(bytes.NewReader(noise(10)), iotest.ErrReader(broken)), transfer.PutOptions{}); !errors.Is(err, broken) {
		t.Errorf("a stream that breaks: %v", err)
	}
}
