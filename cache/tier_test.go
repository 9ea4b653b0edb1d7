package cache_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/s3levelfs/s3levelfs/cache"
	"github.com/s3levelfs/s3levelfs/cache/disk"
	"github.com/s3levelfs/s3levelfs/store"
)

// tiered is a cache with a disk tier in dir, and what ends both.
func tiered(t testing.TB, s store.Reader, dir string, cfg cache.Config) (*cache.Cache, *disk.Store, func()) {
	t.Helper()
	d, err := disk.Open(disk.Config{Dir: dir, Owner: "test", Size: 256 * mib, Queue: 64 * mib})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Disk = d
	c := cache.New(s, cfg)
	stop := func() { c.Close(); d.Close() }
	t.Cleanup(stop)
	return c, d, stop
}

// fastDir is a directory in memory where there is one.
func fastDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "cache") //nolint:usetesting // t.TempDir is on a disk
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// TestDiskTierServesTheNextProcess: what one cache has read or stored, large and small, the next one has without a request.
func TestDiskTierServesTheNextProcess(t *testing.T) {
	s, dir := newFake(), fastDir(t)
	type file struct {
		obj  cache.Object
		data []byte
	}
	var files []file
	for _, size := range []int{1, 4096, 100_000, mib, 5 * mib, 40*mib + 12345} {
		data, obj := s.put(fmt.Sprint("k", size), size)
		files = append(files, file{obj, data})
	}
	c, _, stop := tiered(t, s, dir, cache.Config{})
	for _, f := range files {
		readAll(t, c, f.obj, 128<<10)
	}
	data, obj := s.put("stored", 300_000)
	if err := c.Add(obj, bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	files = append(files, file{obj, data})
	stop()
	before := len(s.requests())
	c, d, _ := tiered(t, s, dir, cache.Config{})
	for _, f := range files {
		if got := readAll(t, c, f.obj, 128<<10); !bytes.Equal(got, f.data) {
			t.Errorf("%s: bytes differ", f.obj.Key)
		}
	}
	if n := len(s.requests()) - before; n != 0 {
		t.Errorf("%d requests", n)
	}
	st := d.Stats()
	t.Logf("%+v", st)
	if st.Written != 0 || st.Bad != 0 {
		t.Errorf("what comes from the disk goes there again: %+v", st)
	}
}

// TestDiskTierServesPages: random reads of a file that was read in sequence read what they ask for from the disk, in pages, and pages
// that were read come back too.
func TestDiskTierServesPages(t *testing.T) {
	s, dir := newFake(), fastDir(t)
	data, obj := s.put("k", 32*mib)
	scattered, other := s.put("scattered", 32*mib)
	random := func(c *cache.Cache, obj cache.Object, data []byte, length int64) (asked int64) {
		rng := rand.New(rand.NewPCG(3, uint64(length)))
		var stream cache.Stream
		buf := make([]byte, length)
		for range 300 {
			off := (1 + rng.Int64N((obj.Size-length)/4096)) * 4096
			n, err := c.ReadAt(t.Context(), obj, &stream, buf, off)
			if (err != nil && !errors.Is(err, io.EOF)) || !bytes.Equal(buf[:n], data[off:][:n]) {
				t.Fatalf("at %d: %d, %v", off, n, err)
			}
			asked += int64(n)
		}
		return asked
	}
	c, _, stop := tiered(t, s, dir, cache.Config{})
	readAll(t, c, obj, 128<<10)
	random(c, other, scattered, 4096)
	stop()
	before := len(s.requests())
	for _, length := range []int64{4 << 10, 128 << 10} {
		c, d, stop := tiered(t, s, dir, cache.Config{})
		asked := random(c, obj, data, length)
		ratio := float64(d.Stats().Read) / float64(asked)
		t.Logf("reads of %d bytes: %.3f bytes from the disk for each that was asked for, %d blocks", length, ratio, d.Stats().Hits)
		if ratio > 1.25 {
			t.Errorf("reads of %d bytes: %.2f bytes for each", length, ratio)
		}
		stop()
	}
	c, _, stop = tiered(t, s, dir, cache.Config{})
	random(c, other, scattered, 4096)
	stop()
	if n := len(s.requests()) - before; n != 0 {
		t.Errorf("%d requests", n)
	}
}

// TestDiskTierBadBlocks: where blocks are damaged or gone, what is missing is asked for and no more, and all bytes are right.
func TestDiskTierBadBlocks(t *testing.T) {
	s, dir := newFake(), fastDir(t)
	data, obj := s.put("large", 40*mib)
	smallData, smallObj := s.put("small", 5*mib)
	c, _, stop := tiered(t, s, dir, cache.Config{})
	readAll(t, c, obj, 128<<10)
	readAll(t, c, smallObj, 128<<10)
	stop()
	names, err := filepath.Glob(filepath.Join(dir, "*.pack"))
	if err != nil || len(names) < 20 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		f, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte("damage"), 500_000); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for round := range 2 {
		before, fetched := len(s.requests()), s.bytes
		c, d, stop := tiered(t, s, dir, cache.Config{})
		if got := readAll(t, c, obj, 128<<10); !bytes.Equal(got, data) {
			t.Fatal("bytes differ")
		}
		if got := readAll(t, c, smallObj, 128<<10); !bytes.Equal(got, smallData) {
			t.Fatal("bytes of the small object differ")
		}
		gets, bytes := len(s.requests())-before, s.bytes-fetched
		t.Logf("round %d: %d requests, %d bytes, %+v", round, gets, bytes, d.Stats())
		if round == 0 && (gets == 0 || d.Stats().Bad == 0 || bytes > int64(2*len(names))*128<<10+5*mib) || round == 1 && gets != 0 {
			t.Errorf("round %d: %d requests of %d bytes, %d segments", round, gets, bytes, len(names))
		}
		stop()
	}
}

// TestDiskTierWithoutETag: what nobody could tell apart is never kept, nor what is read once.
func TestDiskTierWithoutETag(t *testing.T) {
	s, dir := newFake(), fastDir(t)
	_, obj := s.put("k", 200_000)
	s.set("k", func(o *fakeObject) { o.etag = "" })
	obj.ETag = ""
	_, once := s.put("once", 3*mib)
	c, d, stop := tiered(t, s, dir, cache.Config{})
	var stream cache.Stream
	buf := make([]byte, mib)
	if _, err := c.ReadAt(t.Context(), obj, &stream, buf[:obj.Size], 0); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ReadOnce(t.Context(), once, buf, 0); err != nil {
		t.Fatal(err)
	}
	stop()
	if st := d.Stats(); st.Written != 0 || st.Dropped != 0 {
		t.Errorf("%+v", st)
	}
}

// TestDiskTierBesideReaders: with far too little memory, a disk that evicts, drops and is closed in the end, all readers get the right bytes.
func TestDiskTierBesideReaders(t *testing.T) {
	const size = 24*mib + 777
	s, dir := newFake(), fastDir(t)
	data, obj := s.put("k", size)
	d, err := disk.Open(disk.Config{Dir: dir, Owner: "test", Size: disk.MinSize, Queue: mib})
	if err != nil {
		t.Fatal(err)
	}
	c := newCache(t, s, cache.Config{Memory: 4 * mib, Disk: d})
	var readers sync.WaitGroup
	var closed atomic.Bool
	for worker := range 6 {
		readers.Go(func() {
			var stream cache.Stream
			rng := rand.New(rand.NewPCG(5, uint64(worker)))
			buf := make([]byte, 256<<10)
			for i, after := 0, 0; after < 50; i++ {
				if closed.Load() {
					after++
				} else if st := d.Stats(); worker == 5 && (st.Hits > 0 && st.Evicted > 0 || i == 100_000) {
					d.Close()
					closed.Store(true)
				}
				p := buf[:1+rng.IntN(len(buf))]
				off := rng.Int64N(size)
				if worker%2 == 0 {
					off = int64(i) * 150_000 % size
				}
				n, err := c.ReadAt(context.Background(), obj, &stream, p, off)
				if (err != nil && !errors.Is(err, io.EOF)) || !bytes.Equal(p[:n], data[off:][:n]) {
					t.Errorf("read of %d at %d: %d, %v", len(p), off, n, err)
					return
				}
			}
		})
	}
	readers.Wait()
	t.Logf("%+v", d.Stats())
	if st := d.Stats(); st.Hits == 0 || st.Evicted == 0 || st.Bad != 0 {
		t.Errorf("%+v", st)
	}
}

// BenchmarkSequentialToDisk is BenchmarkSequential with a disk that keeps all of it.
func BenchmarkSequentialToDisk(b *testing.B) {
	s := newFake()
	_, obj := s.put("k", 256*mib)
	buf := make([]byte, 128<<10)
	b.SetBytes(obj.Size)
	dropped, direct := int64(0), int64(0)
	for b.Loop() {
		d, err := disk.Open(disk.Config{Dir: b.TempDir(), Owner: "test", Size: 1 << 30})
		if err != nil {
			b.Fatal(err)
		}
		c := cache.New(s, cache.Config{Memory: 128 * mib, Disk: d})
		var stream cache.Stream
		for off := int64(0); ; off += int64(len(buf)) {
			if _, err := c.ReadAt(b.Context(), obj, &stream, buf, off); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
		c.Close()
		d.Close()
		dropped += d.Stats().Dropped
		direct += d.Stats().Direct
	}
	b.ReportMetric(float64(dropped)/float64(b.N), "dropped/op")
	b.ReportMetric(float64(direct)/float64(b.N), "direct/op")
}

// TestDiskTierHungDisk: a disk that takes nothing any more costs blocks, and readers a moment once, not their bytes.
func TestDiskTierHungDisk(t *testing.T) {
	s := newFake()
	data, obj := s.put("k", 40*mib)
	hang := make(chan struct{})
	d, err := disk.Open(disk.Config{
		Dir: fastDir(t), Owner: "test", Size: 256 * mib, Queue: mib,
		DiskRoom: func(string) (int64, int64, error) { <-hang; return 1 << 40, 1 << 40, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	c := newCache(t, s, cache.Config{Disk: d})
	for range 2 {
		if got := readAll(t, c, obj, 128<<10); !bytes.Equal(got, data) {
			t.Error("bytes differ")
		}
	}
	if st := d.Stats(); st.Dropped == 0 || st.Queued > mib || st.Written != 0 {
		t.Errorf("%+v", st)
	}
	close(hang)
	c.Close()
	d.Close()
	if st := d.Stats(); st.Written == 0 {
		t.Errorf("what had waited is not kept: %+v", st)
	}
}
