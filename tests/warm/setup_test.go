// Package warm proves on real mounts what the read cache on disk is for: what was read or written once is read without a request
// after a remount, and whatever happens to its files, no byte is wrong.
package warm

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/s3levelfs/s3levelfs/cache/disk"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/tests/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

const (
	mib    = 1 << 20
	public = "public/"
)

// world is a bucket behind a proxy, and a mount of it with a cache that is as large as it must be.
type world struct{ *rig.World }

// newWorld makes a bucket with objects. Nothing is mounted yet.
func newWorld(t *testing.T, objects map[string][]byte, options ...string) *world {
	t.Helper()
	w := &world{rig.NewBucket(t, t.TempDir(), append([]string{"--cache-size", "1GiB"}, options...)...)}
	for key, data := range objects {
		body := io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data)))
		if _, err := w.Foreign.Put(t.Context(), public+key, body, store.Headers{}, store.Cond{}); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// mount mounts as an identity, anew where there is a mount, and counts requests from then on.
func (w *world) mount(t *testing.T, identity string, more ...string) {
	t.Helper()
	w.Remount(t, append([]string{"--identity-id", identity}, more...)...)
	w.Proxy.Take()
}

// remount ends the mount in an orderly way and mounts again: a new process, with an empty page cache.
func (w *world) remount(t *testing.T) {
	t.Helper()
	w.mount(t, rig.Identity)
}

// gets are the requests for bytes of objects since the last call.
func (w *world) gets() (n int, bytes int64) {
	for _, r := range w.Proxy.Take() {
		if r.Op() == "GetObject" {
			n++
			bytes += r.Sent
		}
	}
	return n, bytes
}

func (w *world) path(key string) string { return filepath.Join(w.Dir, "public", key) }

// same reads each object through the mount, from its beginning to its end, and compares.
func (w *world) same(t *testing.T, objects map[string][]byte) {
	t.Helper()
	for key, want := range objects {
		got, err := os.ReadFile(w.path(key))
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%s: %d bytes of %d, equal: %v, %v\n%s", key, len(got), len(want), bytes.Equal(got, want), err, w.Log())
		}
	}
}

// diskStats is what the mount says of its cache on disk.
func (w *world) diskStats(t *testing.T) (s disk.Stats, none string) {
	t.Helper()
	status := rig.Status[struct {
		Disk   disk.Stats `json:"disk_cache"`
		NoDisk string     `json:"no_disk_cache"`
	}](t, w.Mount)
	return status.Disk, status.NoDisk
}

// content gives bytes that are their own at each place.
func content(seed string, size int) []byte {
	data := make([]byte, size)
	var s [32]byte
	copy(s[:], seed)
	_, _ = rand.NewChaCha8(s).Read(data)
	return data
}

func smallFiles(n int) map[string][]byte {
	all := map[string][]byte{}
	for i := range n {
		name := fmt.Sprintf("small-%03d", i)
		all[name] = content(name, 1+i*173%30_000)
	}
	return all
}

// packs are the files of the read cache.
func (w *world) packs(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(w.Top, "cache", "*", "blocks", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}
