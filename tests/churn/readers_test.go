package churn

import (
	"fmt"
	"io"
	"os"
	"sync"
	"testing"

	"github.com/dustin/go-humanize"
)

// TestThousandReaders: a thousand open files, all being read. Every byte is right; what the daemon needs is printed.
func TestThousandReaders(t *testing.T) {
	const readers, files, size, each = 1000, 50, 4 * mib, 512 * kib
	w := newWorld(t)
	for i := range files {
		must(t, w.put(t.Context(), fmt.Sprint("r", i), version(uint32(i), size)))
	}
	idle, _ := w.Memory(t)
	open := make([]*os.File, readers)
	for i := range open {
		var err error
		open[i], err = os.Open(w.path(fmt.Sprint("r", i%files)))
		must(t, err)
	}
	var wg sync.WaitGroup
	for i, f := range open {
		wg.Go(func() {
			off := i / files * each % size // each has a place of its own
			n, got, err, wrong := readOn(io.NewSectionReader(f, 0, int64(off+each)), off)
			if err != nil || wrong != nil || n != uint32(i%files) || got != off+each {
				t.Errorf("reader %d: version %d up to %d: %v, %v", i, n, got, err, wrong)
			}
		})
	}
	wg.Wait()
	now, peak := w.Memory(t)
	t.Logf("idle %d MiB, with %d open readers %d MiB, at most %d MiB resident (--memory is 256 MiB)", idle/mib, readers, now/mib, peak/mib)
	for _, f := range open {
		must(t, f.Close())
	}
	w.Unmount(t)
}

// TestWarmRead: a file in the page cache is read again without a READ to the daemon, as status shows. S3LEVELFS_WARM is its size.
func TestWarmRead(t *testing.T) {
	size := setting(t, "S3LEVELFS_WARM", 64*mib, func(s string) (int, error) { n, err := humanize.ParseBytes(s); return int(n), err })
	w := newWorld(t)
	must(t, w.put(t.Context(), "large", version(1, size)))
	read := func() (reads int64) {
		before := w.status(t).Kernel["read"]
		f := open(t, w.path("large"))
		if n, end, err, wrong := readOn(f, 0); err != nil || wrong != nil || n != 1 || end != size {
			t.Errorf("%d bytes of version %d: %v, %v", end, n, err, wrong)
		}
		must(t, f.Close())
		return w.status(t).Kernel["read"] - before
	}
	cold, warm := read(), read()
	for range 5 { // what the kernel itself has given up meanwhile is read from the daemon, and then the kernel's again
		if warm == 0 {
			break
		}
		t.Logf("again %d READs", warm)
		warm = read()
	}
	t.Logf("%s: %d READs, again %d", humanize.IBytes(uint64(size)), cold, warm)
	if cold < int64(size/mib) || warm != 0 {
		t.Error("want a READ for each MiB, and then none")
	}
	w.Unmount(t)
}
