package faults

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/memstore/memhttp"
	"github.com/s3levelfs/s3levelfs/tests/rig"
)

// TestFlippedBitsOfParts: objects that were uploaded in parts whose checksums are those of the parts alone, as browsers do: a bit that is
// flipped once is healed, one that always is is EIO, and what is delivered before it is right. The server is one that tells
// the checksums of parts.
func TestFlippedBitsOfParts(t *testing.T) {
	const partSize = 5 * mib
	mem := memstore.New(memstore.Config{})
	var gets atomic.Int64
	handler := memhttp.Handler("parts", mem)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/parts/public/") {
			gets.Add(1)
		}
		handler.ServeHTTP(w, r)
	}))
	defer server.Close()
	sizes := map[string]int{"large": 12*mib + 345, "small": 6 * mib}
	for name, size := range sizes {
		for _, kind := range []string{"once", "always"} {
			uploadParts(t, mem, "public/"+kind+name, random(size), partSize)
		}
	}
	proxy := rig.StartProxy(t, server.URL)
	m := rig.MountAt(t, t.TempDir(), []string{"AWS_ACCESS_KEY_ID=id", "AWS_SECRET_ACCESS_KEY=secret"},
		"--endpoint", proxy.Endpoint, "--bucket", "parts", "--region", "us-east-1", "--path-style", "--identity-id", rig.Identity)
	flip := func(at int64, times int64) *atomic.Int64 {
		left := new(atomic.Int64)
		left.Store(times)
		proxy.SetFlip(func(r *http.Request) int64 {
			number, err := strconv.ParseInt(r.URL.Query().Get("partNumber"), 10, 32)
			if err != nil {
				whole := flips{at: at}
				whole.left.Store(1 << 40)
				if off := whole.of(r); r.Header.Get("Range") == "" || off < 0 || left.Add(-1) < 0 {
					return -1 // what the GET of the whole brings before it is known that it comes in parts nobody gets
				}
				return whole.of(r)
			}
			if off := at - (number-1)*partSize; off >= 0 && off < partSize && left.Add(-1) >= 0 {
				return off
			}
			return -1
		})
		return left
	}
	for name, size := range sizes {
		at := int64(size - 100)
		path := filepath.Join(m.Dir, "public", "once"+name)
		left := flip(at, 1)
		gets.Store(0)
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, random(size)) || left.Load() > 0 {
			t.Errorf("%s, flipped once: %d bytes, or others, %v", name, len(got), err)
		}
		t.Logf("%s: %d bytes in parts of 5 MiB: %d GETs, one of them again", name, size, gets.Load())
		if got := verifiedAttr(t, path); got != "yes" {
			t.Errorf("%s: verified %q", name, got)
		}
		path = filepath.Join(m.Dir, "public", "always"+name)
		flip(at, 1<<40)
		for range 2 {
			if n, err := readAway(t, path); !errors.Is(err, unix.EIO) || n > at/partSize*partSize {
				t.Errorf("%s, flipped always: %d bytes, then %v", name, n, err)
			}
		}
		proxy.SetFlip(nil)
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, random(size)) {
			t.Errorf("%s, right again: %d bytes, or others, %v", name, len(got), err)
		}
	}
	m.Unmount(t)
}

func uploadParts(t *testing.T, s store.Store, key string, data []byte, size int) {
	t.Helper()
	id, err := s.Create(t.Context(), key, store.Headers{})
	if err != nil {
		t.Fatal(err)
	}
	var parts []store.Part
	for off := 0; off < len(data); off += size {
		part := data[off:min(off+size, len(data))]
		p, err := s.UploadPart(t.Context(), key, id, int32(len(parts)+1), io.NewSectionReader(bytes.NewReader(part), 0, int64(len(part))))
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, p)
	}
	if _, err := s.Complete(t.Context(), key, id, parts, store.Cond{}); err != nil {
		t.Fatal(err)
	}
}
