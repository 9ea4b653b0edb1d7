package churn

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/tests/rig"
)

func TestMain(m *testing.M) {
	if os.Getenv(roleVar) != "" {
		os.Exit(playReader())
	}
	rig.Main(m)
}

const (
	kib = 1 << 10
	mib = 1 << 20
)

// world is a mounted bucket.
type world struct{ *rig.World }

func newWorld(t *testing.T, options ...string) *world {
	t.Helper()
	return &world{rig.NewWorld(t, options...)}
}

// remount takes the mount away and mounts again with empty caches.
func (w *world) remount(t *testing.T) {
	t.Helper()
	w.Unmount(t)
	w.DropCache(t)
	w.Remount(t)
}

func (w *world) path(name string) string { return filepath.Join(w.Dir, "public", name) }

// put writes an object past the mount.
func (w *world) put(ctx context.Context, name string, data []byte) error {
	_, err := w.Foreign.Put(ctx, "public/"+name, rig.Body(string(data)), store.Headers{}, store.Cond{})
	return err
}

// status is the part of `status --json` that these tests look at.
type status struct {
	Goroutines int
	Kernel     map[string]int64
	Cache      struct{ Hedged int64 }
}

func (w *world) status(t *testing.T) status {
	t.Helper()
	return rig.Status[status](t, w.Mount)
}

// shell runs a line in a directory, in a process of its own, under a limit.
func shell(t *testing.T, dir, line string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), rig.CommandTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", line)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
	return string(out)
}

// setting is a size or count of a test: small in CI, from the environment in `make soak`.
func setting[T any](t *testing.T, name string, short T, parse func(string) (T, error)) T {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return short
	}
	v, err := parse(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}

func rounds(t *testing.T, name string, short int) int {
	t.Helper()
	return setting(t, name, short, strconv.Atoi)
}

func duration(t *testing.T, name string, short time.Duration) time.Duration {
	t.Helper()
	return setting(t, name, short, time.ParseDuration)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// version is the bytes of a version of a file: each word tells the version and its own place.
func version(n uint32, size int) []byte {
	p := make([]byte, size)
	for off := 0; off+8 <= size; off += 8 {
		binary.LittleEndian.PutUint64(p[off:], word(n, off))
	}
	return p
}

func word(n uint32, off int) uint64 { return uint64(n)<<32 | uint64(off/8) }

// judge tells which version p, read at off, is of. Bytes of two versions, or of another place, are an error.
func judge(p []byte, off int) (n uint32, err error) {
	if off%8 != 0 || len(p) < 8 {
		return 0, fmt.Errorf("%d bytes at %d", len(p), off)
	}
	n = uint32(binary.LittleEndian.Uint64(p) >> 32)
	for i := 0; i+8 <= len(p); i += 8 {
		if got := binary.LittleEndian.Uint64(p[i:]); got != word(n, off+i) {
			return n, fmt.Errorf("at %d: word %d of version %d, beside version %d", off+i, uint32(got), got>>32, n)
		}
	}
	return n, nil
}

// readOn reads a file from off to its end. It gives the version of the bytes, and the error of the read, which may be the file system's
// right; wrong is an error of the bytes.
func readOn(f io.ReaderAt, off int) (n uint32, size int, err, wrong error) {
	buf := make([]byte, 256*kib)
	first := true
	for {
		got, err := f.ReadAt(buf, int64(off))
		if got > 0 {
			v, wrong := judge(buf[:got], off)
			if wrong != nil {
				return n, off, nil, wrong
			}
			if !first && v != n {
				return n, off, nil, fmt.Errorf("at %d: version %d, before it version %d", off, v, n)
			}
			n, first = v, false
			off += got
		}
		switch {
		case errors.Is(err, io.EOF):
			return n, off, nil, nil
		case err != nil:
			return n, off, err, nil
		}
	}
}
