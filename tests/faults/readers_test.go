package faults

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"sync"
	"testing"

	"github.com/dustin/go-humanize"

	"github.com/s3levelfs/s3levelfs/store"
)

// TestManyReaders: the memory of one sequential reader of a large file, and of 1,000 readers at once, each of its own place in one of
// several large files: all get their bytes, and the daemon keeps within its promise.
func TestManyReaders(t *testing.T) {
	const size, files, readers, each = 256 * mib, 4, 1000, 512 << 10
	w := newWorld(t)
	data := random(size)
	for i := range files {
		w.foreignPut(t, fmt.Sprint("public/f", i), string(data), store.Headers{})
	}
	if n, err := readAway(t, w.path("public", "f0")); err != nil || n != size {
		t.Fatalf("%d bytes, %v", n, err)
	}
	one := peakMemory(t, w.Mount)
	var all sync.WaitGroup
	for i := range readers {
		all.Go(func() {
			f, err := os.Open(w.path("public", fmt.Sprint("f", i%files)))
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			off := int64(i) * (size - each) / readers
			buf := make([]byte, each)
			if _, err := io.ReadFull(io.NewSectionReader(f, off, each), buf); err != nil || !bytes.Equal(buf, data[off:][:each]) {
				t.Errorf("reader %d at %d: wrong bytes, or %v", i, off, err)
			}
		})
	}
	all.Wait()
	many := peakMemory(t, w.Mount)
	t.Logf("the daemon's memory was at most %s with one sequential reader, %s with %d readers", humanize.IBytes(uint64(one)), humanize.IBytes(uint64(many)), readers)
	if one > 128*mib {
		t.Error("one reader: more than 128 MiB")
	}
	if many > (256+64)*mib {
		t.Error("many readers: more than --memory and 64 MiB")
	}
	w.Unmount(t)
}
