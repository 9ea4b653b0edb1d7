package faults

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/store"
)

// flips has the proxy flip one bit of the byte at an offset of the object in the next answers to GETs that have it.
type flips struct {
	at   int64
	left atomic.Int64
}

func (f *flips) of(r *http.Request) int64 {
	if r.Method != http.MethodGet || strings.Contains(r.URL.RawQuery, "list-type") {
		return -1
	}
	var from int64
	to := int64(1) << 62
	if first, last, ok := strings.Cut(strings.TrimPrefix(r.Header.Get("Range"), "bytes="), "-"); ok {
		from, _ = strconv.ParseInt(first, 10, 64)
		to, _ = strconv.ParseInt(last, 10, 64)
	}
	if f.at < from || f.at > to || f.left.Add(-1) < 0 {
		return -1
	}
	return f.at - from
}

// random are bytes that repeat nowhere near.
func random(size int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, "%015d\n", i*7919)
	}
	return b.Bytes()[:size]
}

// TestFlippedBits: a proxy flips one bit of what a GET brings. Objects of at most 8 MiB are right when that happens once, and an error
// while it happens always; of a single PUT of 64 MiB the last 8 MiB are not delivered, and nothing of it stays.
func TestFlippedBits(t *testing.T) {
	const always = 1 << 40
	w := newWorld(t)
	w.foreignPut(t, "public/large", string(random(64*mib)), store.Headers{})
	sizes := []int{1, 100_000, 8 * mib}
	for _, size := range sizes {
		w.foreignPut(t, fmt.Sprint("public/once", size), string(random(size)), store.Headers{})
		w.foreignPut(t, fmt.Sprint("public/always", size), string(random(size)), store.Headers{})
	}
	for _, size := range sizes {
		once := &flips{at: int64(size / 2)}
		once.left.Store(1)
		w.Proxy.SetFlip(once.of)
		if got, err := os.ReadFile(w.path("public", fmt.Sprint("once", size))); err != nil || !bytes.Equal(got, random(size)) {
			t.Errorf("%d bytes, flipped once: %d bytes, or others, %v", size, len(got), err)
		}
		if once.left.Load() > 0 {
			t.Errorf("%d bytes: nothing was flipped", size)
		}
		ever := &flips{at: int64(size - 1)}
		ever.left.Store(always)
		w.Proxy.SetFlip(ever.of)
		if got, err := os.ReadFile(w.path("public", fmt.Sprint("always", size))); !errors.Is(err, unix.EIO) || len(got) > 0 {
			t.Errorf("%d bytes, flipped always: %d bytes, %v", size, len(got), err)
		}
		w.Proxy.SetFlip(nil)
	}

	ever := &flips{at: 20*mib + 3}
	ever.left.Store(always)
	w.Proxy.SetFlip(ever.of)
	large := w.path("public", "large")
	for range 2 {
		n, err := readAway(t, large)
		if !errors.Is(err, unix.EIO) || n > 56*mib {
			t.Errorf("64 MiB: %d bytes, then %v", n, err)
		}
	}
	if got := verifiedAttr(t, large); got != "wrong" {
		t.Errorf("verified: %q", got)
	}
	if s := w.cacheStatus(t); s.Bytes > 17*mib { // the small ones; nothing of the large one
		t.Errorf("%d bytes stay cached", s.Bytes)
	}
	w.Proxy.SetFlip(nil)
	if got, err := os.ReadFile(large); err != nil || !bytes.Equal(got, random(64*mib)) {
		t.Errorf("right again: %d bytes, or others, %v", len(got), err)
	}
	if got := verifiedAttr(t, large); got != "yes" {
		t.Errorf("verified: %q", got)
	}
	w.Unmount(t)
}

// readAway reads a file from its beginning and says how far that went.
func readAway(t *testing.T, name string) (int64, error) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{f}, make([]byte, 128<<10))
}

func verifiedAttr(t *testing.T, name string) string {
	t.Helper()
	buf := make([]byte, 16)
	n, err := unix.Getxattr(name, "user.s3levelfs.verified", buf)
	if err != nil {
		return err.Error()
	}
	return string(buf[:n])
}

// TestUnverifiedIsSaid: of a multipart object without checksums status and the attribute tell that nothing vouches for its bytes.
func TestUnverifiedIsSaid(t *testing.T) {
	w := newWorld(t)
	data := random(12 * mib)
	w.Proxy.HideChecksums() // the server makes them itself
	id, err := w.Foreign.Create(t.Context(), "public/parts", store.Headers{})
	if err != nil {
		t.Fatal(err)
	}
	var parts []store.Part
	for i := range 2 {
		body := io.NewSectionReader(bytes.NewReader(data), int64(i)*6*mib, 6*mib)
		p, err := w.Foreign.UploadPart(t.Context(), "public/parts", id, int32(i+1), body)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, p)
	}
	if _, err := w.Foreign.Complete(t.Context(), "public/parts", id, parts, store.Cond{}); err != nil {
		t.Fatal(err)
	}
	if got := w.cacheStatus(t); got.Unverified != 0 {
		t.Errorf("%+v", got)
	}
	if got, err := os.ReadFile(w.path("public", "parts")); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, or others, %v", len(got), err)
	}
	if got, attr := w.cacheStatus(t), verifiedAttr(t, w.path("public", "parts")); got.Unverified != 1 || attr != "no" {
		t.Errorf("%+v, verified %q", got, attr)
	}
	if out, _, _ := w.Run(t, "status", w.Dir); !strings.Contains(out, "unverified") {
		t.Errorf("status says nothing of it: %s", out)
	}
	w.Unmount(t)
}
