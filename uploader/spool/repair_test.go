package spool_test

import (
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// failingDisk fails the next n syncs of the files whose path has part in it.
type failingDisk struct {
	part string
	n    int
}

func (d *failingDisk) sync(path string) error {
	if d.n > 0 && strings.Contains(path, d.part) {
		d.n--
		return syscall.EIO
	}
	return nil
}

// A segment that the disk did not take is written again from memory; the files that share it go on.
func TestFailedSyncOfASegmentIsRepaired(t *testing.T) {
	for failures, fails := range map[int]bool{1: false, 2: true} { // of the segment, and of the one written anew
		t.Run(fmt.Sprint(failures), func(t *testing.T) {
			dir := fastDir(t)
			d := newDisk(t, dir)
			bad := &failingDisk{part: ".seg", n: failures}
			cfg := config(dir)
			cfg.OnSync, cfg.SyncFile = d.OnSync, bad.sync
			s, _ := open(t, cfg)
			c := stored(t, s, "a", []byte("first"))
			if err := s.Sync(t.Context()); fails != errors.Is(err, syscall.EIO) {
				t.Fatalf("sync: %v", err)
			}
			stored(t, s, "b", []byte("second")) // goes on in the same segment
			check(t, s.Sync(t.Context()))
			same(t, "a", read(t, c, nil), []byte("first"))
			lost := fastDir(t)
			d.lose(lost, false)
			check(t, s.Close())

			cfg = config(lost)
			cfg.BootID = "boot-2"
			s, rec := open(t, cfg)
			defer s.Close()
			same(t, "a", read(t, adopt(t, s, rec, "a"), nil), []byte("first"))
			same(t, "b", read(t, adopt(t, s, rec, "b"), nil), []byte("second"))
		})
	}
}

// Bytes that memory has lost, too, are not written as if they were good.
func TestFailedSyncOfADamagedSegmentSticks(t *testing.T) {
	dir := fastDir(t)
	bad := &failingDisk{part: ".seg", n: 1}
	cfg := config(dir)
	cfg.SyncFile = bad.sync
	s, _ := open(t, cfg)
	defer s.Close()
	c := stored(t, s, "a", []byte("first"))
	path := storageFiles(t, dir)[0]
	b, err := os.ReadFile(path)
	check(t, err)
	b[len(b)-1] ^= 1
	check(t, os.WriteFile(path, b, 0o600))
	for range 2 {
		if err := s.Sync(t.Context()); !errors.Is(err, syscall.EIO) || !strings.Contains(err.Error(), "disk") {
			t.Fatalf("sync: %v", err)
		}
	}
	check(t, s.Append(&spool.Record{Type: spool.TypeDrop, Gen: "a"}))
	c.Release()
	check(t, s.Sync(t.Context())) // nobody needs it any more
}

func TestFailedSyncOfTheLogIsRepaired(t *testing.T) {
	for failures, fails := range map[int]bool{1: false, 2: true} {
		t.Run(fmt.Sprint(failures), func(t *testing.T) {
			dir := fastDir(t)
			d := newDisk(t, dir)
			bad := &failingDisk{part: "ns.log", n: failures}
			cfg := config(dir)
			cfg.OnSync, cfg.SyncFile = d.OnSync, bad.sync
			s, _ := open(t, cfg)
			stored(t, s, "a", []byte("first"))
			if err := s.Sync(t.Context()); fails != errors.Is(err, syscall.EIO) {
				t.Fatalf("sync: %v", err)
			}
			stored(t, s, "b", []byte("second"))
			check(t, s.Sync(t.Context()))
			lost := fastDir(t)
			d.lose(lost, false)
			check(t, s.Close())

			cfg = config(lost)
			cfg.BootID = "boot-2"
			s, rec := open(t, cfg)
			defer s.Close()
			for gen, want := range map[string]string{"a": "first", "b": "second"} {
				same(t, gen, read(t, adopt(t, s, rec, gen), nil), []byte(want))
			}
		})
	}
}

// What a crash leaves of a segment in the making is removed.
func TestSegmentInTheMakingIsRemoved(t *testing.T) {
	dir := fastDir(t)
	s, _ := open(t, config(dir))
	check(t, s.Close())
	leftover := filepath.Join(dir, "seg", ".0000000000000001.seg.123")
	check(t, os.WriteFile(leftover, []byte("half"), 0o600))
	s, _ = open(t, config(dir))
	defer s.Close()
	if _, err := os.Stat(leftover); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("stat: %v", err)
	}
}

// A data file that the disk did not take is written again, too, once its generation is sealed with checksums that prove all of its bytes.
func TestFailedSyncOfADataFileIsRepaired(t *testing.T) {
	for _, tc := range []struct {
		name  string
		sums  func(data []byte) []spool.Sum
		fails bool
	}{
		{"proved", func(data []byte) []spool.Sum {
			return []spool.Sum{{Len: 40_000, CRC: crc32.ChecksumIEEE(data[:40_000])}, {Off: 40_000, Len: int64(len(data)) - 40_000, CRC: crc32.ChecksumIEEE(data[40_000:])}}
		}, false},
		{"proved in part", func(data []byte) []spool.Sum {
			return []spool.Sum{{Len: 40_000, CRC: crc32.ChecksumIEEE(data[:40_000])}}
		}, true},
		{"other bytes", func(data []byte) []spool.Sum { return []spool.Sum{{Len: int64(len(data)), CRC: 1}} }, true},
		{"of an older program", func([]byte) []spool.Sum { return nil }, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := fastDir(t)
			d := newDisk(t, dir)
			bad := &failingDisk{part: "-g", n: 1}
			cfg := config(dir)
			cfg.OnSync, cfg.SyncFile = d.OnSync, bad.sync
			s, _ := open(t, cfg)
			data := ownData(1)
			c := create(t, s, "g")
			write(t, c, data, 0)
			if err := s.Sync(t.Context()); !errors.Is(err, syscall.EIO) {
				t.Errorf("sync of what is open: %v", err)
			}
			check(t, s.Append(&spool.Record{Type: spool.TypeSeal, Gen: "g", Key: "key-g", Size: c.Size(), Extents: c.Seal(), Sums: tc.sums(data)}))
			if err := s.Sync(t.Context()); tc.fails != (err != nil) {
				t.Fatalf("sync: %v", err)
			}
			if tc.fails {
				check(t, s.Append(&spool.Record{Type: spool.TypeDrop, Gen: "g"}))
				c.Release()
				check(t, s.Close())
				return
			}
			same(t, "g", read(t, c, nil), data)
			lost := fastDir(t)
			d.lose(lost, false)
			check(t, s.Close())
			cfg = config(lost)
			cfg.BootID = "boot-2"
			s, rec := open(t, cfg)
			defer s.Close()
			same(t, "g", read(t, adopt(t, s, rec, "g"), nil), data)
		})
	}
}
