package faults

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/s3levelfs/s3levelfs/tests/rig"
)

const (
	mib      = 1 << 20
	partSize = 8 * mib // the program's own; those of larger files grow, to less than a hundredth of what precedes them
)

// largeSizes are those of the objects: 256 MiB in CI; `make soak` makes them 1 and 10 GiB.
func largeSizes(t *testing.T) (sizes []int64) {
	text := os.Getenv("S3LEVELFS_LARGE")
	if text == "" {
		text = "256MiB"
	}
	for one := range strings.SplitSeq(text, ",") {
		n, err := humanize.ParseBytes(one)
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, int64(n))
	}
	return sizes
}

// TestSmallChangesOfLargeObjects: one byte changed, and 1 MiB appended, cost the parts that they touch; the server copies
// the others. Bytes and requests are counted at the proxy.
func TestSmallChangesOfLargeObjects(t *testing.T) {
	for _, size := range largeSizes(t) {
		t.Run(humanize.IBytes(uint64(size)), func(t *testing.T) {
			const memory = 64 * mib
			w := newWorld(t, "--memory", fmt.Sprint(memory))
			write(t, w.path("public", "first"), "proves the level")
			syncAll(t, w)
			l := &large{world: w, object: filepath.Join(w.Server.Data, rig.Bucket, "public", "large"), want: filepath.Join(w.Top, "want"), size: size}
			l.fill(t)
			w.seenSize(t, w.path("public", "large"), size)
			l.change(t, "one byte in the middle", size/2+partSize/2+12345, []byte{'X'})
			l.change(t, "one byte at a border of parts", size/2, []byte{'Y'})
			l.change(t, "1 MiB appended", size, noise(1, mib))
			changing := peakMemory(t, w.Mount)
			w.remount(t) // nothing of it is cached
			l.readBack(t)
			if size < 1<<30 {
				l.compare(t, "read through the mount", w.path("public", "large"))
			}
			reading := peakMemory(t, w.Mount)
			t.Logf("the daemon's memory was at most %s, then %s, --memory is %s", humanize.IBytes(uint64(changing)), humanize.IBytes(uint64(reading)), humanize.IBytes(memory))
			if max(changing, reading) > memory+64*mib {
				t.Error("the daemon needs more than --memory + 64 MiB")
			}
			w.Unmount(t)
		})
	}
}

// large is an object and, beside it, a file that has what it should have.
type large struct {
	*world

	object, want string // paths on the disk
	size         int64
	changed      []int64
}

// noise is n bytes of a seed.
func noise(seed uint64, n int) []byte {
	p := make([]byte, n)
	key := [32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), byte(seed >> 24), byte(seed >> 32), byte(seed >> 40)}
	_, _ = rand.NewChaCha8(key).Read(p) // never fails
	return p
}

// fill puts the object into the bucket's directory: 4 KiB in each of its MiB, and a hole behind.
func (l *large) fill(t *testing.T) {
	t.Helper()
	for _, path := range []string{l.want, l.object} {
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		for off := int64(0); off < l.size && err == nil; off += mib {
			_, err = f.WriteAt(noise(uint64(off), 4096), off)
		}
		if err := errors.Join(err, f.Truncate(l.size), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// change writes into the object through the mount and judges what that cost.
func (l *large) change(t *testing.T, what string, off int64, data []byte) {
	t.Helper()
	l.Proxy.Take()
	start := time.Now()
	for _, path := range []string{l.want, l.path("public", "large")} {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.WriteAt(data, off)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	waited := time.Since(start)
	syncAll(t, l.world)
	took := time.Since(start)
	l.size = max(l.size, off+int64(len(data)))
	l.changed = append(l.changed, off)
	var sent, got int64
	ops := map[string]int{}
	for _, r := range l.Proxy.Take() {
		ops[r.Op()]++
		sent += r.Bytes
		if r.Op() == "GetObject" {
			got += r.Sent
		}
	}
	t.Logf("%s of %s: the program waited %v, stored after %v; %v; sent %s, fetched %s", what, humanize.IBytes(uint64(l.size)),
		waited.Round(time.Millisecond), took.Round(time.Millisecond), ops, humanize.IBytes(uint64(sent)), humanize.IBytes(uint64(got)))
	if n := ops["UploadPart"]; n < 1 || n > 2 {
		t.Errorf("%s: %d UploadPart, want 1 or 2", what, n)
	}
	if n := ops["UploadPart"] + ops["UploadPartCopy"]; l.size < 1<<30 && n != int(l.size+partSize-1)/partSize {
		t.Errorf("%s: %d parts sent and copied, but the file has %d bytes", what, n, l.size)
	}
	if ops["PutObject"] != 0 || ops["CompleteMultipartUpload"] != 1 {
		t.Errorf("%s: not one upload in parts: %v", what, ops)
	}
	if limit := max(2*partSize, l.size/100) + mib; sent > limit || got > limit { // with the list of parts
		t.Errorf("%s: sent %d, fetched %d bytes; want at most %d each", what, sent, got, limit)
	}
	l.compare(t, what, l.object)
}

// compare compares all of a file, the object on the server's disk or that of the mount.
func (l *large) compare(t *testing.T, what, path string) {
	t.Helper()
	a, b := open(t, path), open(t, l.want)
	defer func() { _, _ = a.Close(), b.Close() }() // opened for reading
	p, q := make([]byte, mib), make([]byte, mib)
	for off := int64(0); ; off += mib {
		n, err := io.ReadFull(a, p)
		m, errWant := io.ReadFull(b, q)
		if n != m || !bytes.Equal(p[:n], q[:m]) {
			t.Fatalf("%s: differs in the MiB at %d: %d bytes, want %d", what, off, n, m)
		}
		if err != nil || errWant != nil {
			break
		}
	}
}

// readBack reads through the mount around what was changed and at the borders of parts.
func (l *large) readBack(t *testing.T) {
	t.Helper()
	l.seenSize(t, l.path("public", "large"), l.size)
	a, b := open(t, l.path("public", "large")), open(t, l.want)
	const around = 8192
	offs := append([]int64{0, l.size - around/2}, l.changed...)
	for off := int64(partSize); off < l.size; off += max(partSize, l.size/32/partSize*partSize) {
		offs = append(offs, off)
	}
	p, q := make([]byte, around), make([]byte, around)
	for _, off := range offs {
		off = max(0, off-around/2)
		n, err := a.ReadAt(p, off)
		m, _ := b.ReadAt(q, off)
		if err != nil && !errors.Is(err, io.EOF) || n != m || !bytes.Equal(p[:n], q[:m]) {
			t.Fatalf("read at %d: %d bytes, want %d, or others (%v)", off, n, m, err)
		}
	}
	if err := errors.Join(a.Close(), b.Close()); err != nil {
		t.Error(err)
	}
	t.Logf("read back at %d places", len(offs))
}

// seenSize waits until a file has a size.
func (w *world) seenSize(t *testing.T, path string, size int64) {
	t.Helper()
	within(t, 15*time.Second, path+" has its size", func() bool {
		fi, err := os.Stat(path)
		return err == nil && fi.Size() == size
	})
}

// syncAll waits until all is in the bucket.
func syncAll(t *testing.T, w *world) {
	t.Helper()
	within(t, 10*time.Minute, "all is in the bucket", func() bool { _, _, code := w.Run(t, "sync", w.Dir); return code == 0 })
}
