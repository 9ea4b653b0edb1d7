package spool_test

import (
	"errors"
	"syscall"
	"testing"

	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

func TestKeepFreeIsTheLess(t *testing.T) {
	for _, tt := range []struct {
		keep        spool.KeepFree
		total, want int64
	}{
		{spool.KeepFree{}, 1000, 0},
		{spool.KeepFree{Bytes: 7}, 1000, 7},
		{spool.KeepFree{Percent: 5}, 1000, 50},
		{spool.KeepFree{Bytes: 1 << 30, Percent: 5}, 10 << 30, 10 << 30 / 100 * 5},
		{spool.KeepFree{Bytes: 1 << 30, Percent: 5}, 1 << 40, 1 << 30},
	} {
		if got := tt.keep.Of(tt.total); got != tt.want {
			t.Errorf("%+v of %d: %d, want %d", tt.keep, tt.total, got, tt.want)
		}
	}
}

// The spool stops before the part of the disk that is others', and goes on when there is room again. What it has can
// still be ended, rewritten in place and put on stable storage.
func TestKeepFree(t *testing.T) {
	const total = 1 << 30
	free, looks := int64(200_000), 0
	cfg := config(fastDir(t))
	cfg.KeepFree = spool.KeepFree{Bytes: 100_000, Percent: 50}
	cfg.DiskRoom = func(string) (int64, int64, error) { looks++; return free, total, nil }
	s, _ := open(t, cfg)
	defer s.Close()
	a := stored(t, s, "a", ownData(1)) // 70,000
	free -= 70_000
	c := create(t, s, "c")
	for _, n := range []int{60_500, 70_000} { // in a segment, in a file
		_, err := c.WriteAt(pattern(1, n), 0)
		if !errors.Is(err, spool.ErrFull) || !errors.Is(err, syscall.ENOSPC) || c.Size() != 0 {
			t.Fatalf("%d bytes: %v, size %d", n, err, c.Size())
		}
	}
	write(t, c, pattern(2, 20_000), 0)
	check(t, s.Append(&spool.Record{Type: spool.TypeCommit, Gen: "a"}))
	a.Release()
	check(t, s.Sync(t.Context()))
	free = total
	write(t, c, ownData(3), 0)
	same(t, "c", read(t, c, nil), ownData(3))
	before := looks
	for i := range 100 {
		write(t, c, pattern(byte(i), 1000), int64(100_000+i*1000))
	}
	if looks > before+1 {
		t.Errorf("%d looks at the disk for 100 small writes", looks-before)
	}
}

// A disk that does not tell stops nobody.
func TestKeepFreeOfASilentDisk(t *testing.T) {
	cfg := config(fastDir(t))
	cfg.KeepFree = spool.KeepFree{Percent: 99}
	cfg.DiskRoom = func(string) (int64, int64, error) { return 0, 0, syscall.EIO }
	s, _ := open(t, cfg)
	defer s.Close()
	stored(t, s, "a", ownData(1))
}
