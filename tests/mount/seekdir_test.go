package mount_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/tests/mount"
)

// dirent is an entry as getdents64(2) gives it: after is what telldir(3) says behind it.
type dirent struct {
	name  string
	after int64
}

// entries reads an open directory from where it is to its end, dots left out.
func entries(t *testing.T, fd int) (all []dirent) {
	t.Helper()
	buf := make([]byte, 32<<10)
	for {
		n, err := unix.Getdents(fd, buf)
		must(t, err)
		if n == 0 {
			return all
		}
		for rest := buf[:n]; len(rest) > 0; {
			size := binary.NativeEndian.Uint16(rest[16:])
			name, _, _ := strings.Cut(string(rest[19:size]), "\x00")
			if name != "." && name != ".." {
				all = append(all, dirent{name, int64(binary.NativeEndian.Uint64(rest[8:]))})
			}
			rest = rest[size:]
		}
	}
}

// TestSeekdir: from each place that telldir(3) has told, however many batches of the listing ago, a stream goes on with the
// names that followed, each once; while the kernel caches the stream, and while it does not because another one is open.
func TestSeekdir(t *testing.T) {
	mount.Run(t, slow(), func(t *testing.T, m *mount.Mount) {
		const files = 5500 // in batches of a thousand or so, of which two are kept where the kernel does not cache
		for i := range files {
			m.Call(t, "Put", mount.Object{Key: fmt.Sprintf("public/d/f%04d", i), Data: []byte("x")}, &struct{}{})
		}
		openDir := func() int {
			fd, err := unix.Open(m.Path("public", "d"), unix.O_RDONLY|unix.O_DIRECTORY, 0)
			must(t, err)
			return fd
		}
		check := func(what string) {
			t.Helper()
			fd := openDir()
			all := entries(t, fd)
			if len(all) != files {
				t.Fatalf("%s: %d names, want %d", what, len(all), files)
			}
			for _, at := range []int{5400, 4200, 100, 3000, 2999, 5499, 0} { // forth and back, by more than two batches too
				_, err := unix.Seek(fd, all[at].after, unix.SEEK_SET)
				must(t, err)
				if rest := entries(t, fd); !slices.Equal(rest, all[at+1:]) {
					t.Errorf("%s: behind name %d are %d names, want %d", what, at, len(rest), files-at-1)
				}
			}
			_, err := unix.Seek(fd, 0, unix.SEEK_SET)
			must(t, err)
			if again := entries(t, fd); !slices.Equal(again, all) {
				t.Errorf("%s: after rewinddir %d names", what, len(again))
			}
			must(t, unix.Close(fd))
		}
		other := openDir() // the stream that caches, as the first one
		_, err := unix.Getdents(other, make([]byte, 1024))
		must(t, err)
		check("not cached")
		must(t, unix.Close(other))
		check("cached")
		check("cached before")
	})
}
