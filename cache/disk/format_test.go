package disk

import (
	"math/rand/v2"
	"os"
	"runtime"
	"testing"
	"time"
)

// sparse makes the directory of a store that is full of blocks, of which only the index is written.
func sparse(t testing.TB, cfg Config) {
	t.Helper()
	cfg, err := cfg.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	bytes := int64(0)
	for seq := uint32(1); bytes < cfg.Size-2*cfg.segmentSize(); seq++ {
		s, err := newSegment(cfg.Dir, seq)
		if err != nil {
			t.Fatal(err)
		}
		for s.size+recordLen(BlockSize) <= cfg.segmentSize() {
			s.recs = append(s.recs, rec{id: rand.Uint64(), off: uint32(s.size), length: BlockSize})
			s.size += recordLen(BlockSize)
		}
		bytes += s.cost()
		if err := s.write([][]byte{appendFooter(nil, s.recs, s.size)}, s.size); err != nil {
			t.Fatal(err)
		}
		if err := s.file.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestLargeStoreOpensSoon prints what a full store of 10 GiB costs at a start; its memory is bounded.
func TestLargeStoreOpensSoon(t *testing.T) {
	dir, err := os.MkdirTemp("/dev/shm", "disk") //nolint:usetesting // t.TempDir is on a disk
	if err != nil {
		dir = t.TempDir()
	}
	defer func() { _ = os.RemoveAll(dir) }()
	cfg := Config{Dir: dir, Size: 10 << 30}
	sparse(t, cfg)
	before := inUse()
	began := time.Now()
	d, err := Open(cfg)
	took := time.Since(began)
	if err != nil {
		t.Fatal(err)
	}
	memory := inUse() - before
	st := d.Stats()
	d.Close()
	t.Logf("10 GiB: %d blocks in %d segments, %.1f bytes of memory each, %d KiB in all, opened in %v",
		st.Blocks, len(d.order), float64(memory)/float64(st.Blocks), memory>>10, took)
	if st.Blocks < 78_000 || memory > 6<<20 {
		t.Errorf("%d blocks, %d bytes of memory", st.Blocks, memory)
	}
}

func inUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestUnitsHaveNamesOfTheirOwn: blocks, pages and versions do not share names in the index.
func TestUnitsHaveNamesOfTheirOwn(t *testing.T) {
	d := new(Store)
	seen := map[uint64]bool{}
	for _, key := range []string{"a", "b"} {
		for _, etag := range []string{"", "1"} {
			for size := range int64(5) {
				for i := range int64(5000) {
					for _, page := range []bool{false, true} {
						id := unitID(d.Version(key, etag, size), i, page)
						if seen[id] {
							t.Fatalf("%s %s %d %d %v has another's name", key, etag, size, i, page)
						}
						seen[id] = true
					}
				}
			}
		}
	}
}
