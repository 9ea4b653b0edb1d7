package mount_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/tests/mount"
)

// TestVersionsInThePageCache: objects that somebody replaces while the listing still shows the old
// version. Pages of both never come together, and a reader that goes on with a longer
// version gets all of it.
func TestVersionsInThePageCache(t *testing.T) {
	o := mount.Options{Daemon: daemonName, Args: mount.StackOptions{MetadataTTL: time.Hour}}
	mount.Run(t, o, func(t *testing.T, m *mount.Mount) {
		const size = 16 << 20 // more than one reading fetches
		put := func(name string, data []byte) {
			m.Call(t, "Put", mount.Object{Key: ownKey(name), Data: data}, &struct{}{})
		}
		old, fresh := bytes.Repeat([]byte{'o'}, size), bytes.Repeat([]byte{'n'}, size)
		put("f", old)
		put("grown", []byte("old"))
		path := m.Path("private", "f")

		first, err := os.Open(path)
		must(t, err)
		_, err = first.ReadAt(make([]byte, 4096), 0) // pages of the old version
		must(t, err)
		must(t, first.Close())
		put("f", fresh)
		second, err := os.Open(path)
		must(t, err)
		defer second.Close()
		buf := make([]byte, 4096)
		_, err = second.ReadAt(buf, size-4096)
		wantErr(t, "bytes of a version that is gone, beside pages of it", err, syscall.ESTALE)
		_, err = second.ReadAt(buf, 0)
		if err != nil && !errors.Is(err, syscall.ESTALE) || err == nil && !bytes.Equal(buf, old[:4096]) {
			t.Errorf("its beginning: %q…, %v", buf[:8], err)
		}
		wantContent(t, path, fresh) // the next open

		grown, err := os.Open(m.Path("private", "grown"))
		must(t, err)
		defer grown.Close()
		longer := bytes.Repeat([]byte("longer "), 3000)
		put("grown", longer)
		got, err := io.ReadAll(grown)
		must(t, err)
		if !bytes.Equal(got, longer) {
			t.Errorf("a longer version read by an older descriptor: %d bytes, want %d", len(got), len(longer))
		}
	})
}

// TestShorterVersion: an object that somebody replaces by a shorter one between open and the first read. The kernel has been told the
// old size and would fill what is missing with zeros: such a reader gets ESTALE, and the next open the new version.
func TestShorterVersion(t *testing.T) {
	mount.Run(t, slow(), func(t *testing.T, m *mount.Mount) {
		sizes := map[string]int{"small": 12_000, "of pages": 64 << 10, "large": 3 << 20}
		put := func(name string, c byte, size int) []byte {
			data := bytes.Repeat([]byte{c}, size)
			m.Call(t, "Put", mount.Object{Key: "public/" + name, Data: data}, &struct{}{})
			return data
		}
		for name, size := range sizes {
			put(name, 'o', size)
		}
		for name, size := range sizes {
			f, err := os.Open(m.Path("public", name))
			must(t, err)
			defer f.Close()
			short := put(name, 'n', size-3000)
			got, err := io.ReadAll(f)
			wantErr(t, name, err, syscall.ESTALE)
			if len(got) > 0 {
				t.Errorf("%s: %d bytes, the last is %q", name, len(got), got[len(got)-1])
			}
			wantContent(t, m.Path("public", name), short)
		}
	})
}
