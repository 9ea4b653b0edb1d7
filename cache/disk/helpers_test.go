package disk_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/s3levelfs/s3levelfs/cache/disk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const mib = 1 << 20

func config(dir string) disk.Config {
	return disk.Config{Dir: dir, Owner: "bucket\nidentity", Size: 64 * mib}
}

func open(t testing.TB, cfg disk.Config) *disk.Store {
	t.Helper()
	d, err := disk.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// fastDir is a directory in memory where there is one: what is written here does not wait for other tests' disk.
func fastDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "disk") //nolint:usetesting // t.TempDir is on a disk
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// object is a version with bytes of its own.
type object struct {
	key  string
	data []byte
}

func newObject(key string, size int) object {
	o := object{key, make([]byte, size)}
	var seed [32]byte
	copy(seed[:], key)
	_, _ = rand.NewChaCha8(seed).Read(o.data)
	return o
}

func (o object) version(d *disk.Store) disk.Version {
	return d.Version(o.key, "etag of "+o.key, int64(len(o.data)))
}

// unit gives the bytes of a block or page.
func (o object) unit(i int64, page bool) []byte {
	size := int64(disk.BlockSize)
	if page {
		size = disk.PageSize
	}
	return o.data[i*size : min((i+1)*size, int64(len(o.data)))]
}

func (o object) blocks() int64 {
	return (int64(len(o.data)) + disk.BlockSize - 1) / disk.BlockSize
}

// put hands all blocks of objects over and waits until they are written or dropped.
func put(t testing.TB, d *disk.Store, objects ...object) {
	t.Helper()
	var done sync.WaitGroup
	for _, o := range objects {
		for i := range o.blocks() {
			done.Add(1)
			patience := time.Hour
			if !d.Put(disk.Block{Version: o.version(d), Index: i, Data: o.unit(i, false), Done: done.Done}, &patience) {
				done.Done()
			}
		}
	}
	done.Wait()
}

// putBlock hands one block over and waits until it is written or dropped.
func putBlock(t testing.TB, d *disk.Store, o object, i int64) {
	t.Helper()
	done := make(chan struct{})
	if !d.Put(disk.Block{Version: o.version(d), Index: i, Data: o.unit(i, false), Done: func() { close(done) }}, nil) {
		t.Fatal("not taken")
	}
	<-done
}

// load reads the blocks of an object and tells how many there are. Those must be right.
func load(t testing.TB, d *disk.Store, o object) (n int64) {
	t.Helper()
	for i := int64(0); i < o.blocks(); {
		var bufs [][]byte
		for j := i; j < o.blocks(); j++ {
			bufs = append(bufs, make([]byte, len(o.unit(j, false))))
		}
		got := d.Load(o.version(d), i, false, bufs, int64(len(o.data)))
		for j := range got {
			if !bytes.Equal(bufs[j], o.unit(i+int64(j), false)) {
				t.Fatalf("block %d of %s has wrong bytes", i+int64(j), o.key)
			}
		}
		n += int64(got)
		i += int64(got) + 1
	}
	return n
}

// used is what the files in a directory take, in bytes, and how many there are.
func used(t testing.TB, dir string) (bytes int64, files int) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		bytes += info.Size()
	}
	return bytes, len(entries)
}

// copyDir is what a kill -9 leaves to the next process.
func copyDir(t testing.TB, from string) string {
	t.Helper()
	to := filepath.Join(fastDir(t), "copy")
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

func objects(n, size int) (all []object) {
	for i := range n {
		all = append(all, newObject(fmt.Sprintf("object %d", i), size))
	}
	return all
}

func sum(t testing.TB, d *disk.Store, all []object) (n int64) {
	t.Helper()
	for _, o := range all {
		n += load(t, d, o)
	}
	return n
}
