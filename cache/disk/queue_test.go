package disk_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/cache/disk"
)

// TestSmallUnitsAreWrittenTogether: what is less than a block waits for more, for 20 ms; a block does not, nor does Close.
func TestSmallUnitsAreWrittenTogether(t *testing.T) {
	dir := fastDir(t)
	synctest.Test(t, func(t *testing.T) {
		cfg := config(dir)
		var writes atomic.Int64
		cfg.DiskRoom = func(string) (free, total int64, err error) { // is asked before each write
			writes.Add(1)
			return 1 << 40, 1 << 40, nil
		}
		d := open(t, cfg)
		writes.Store(0)
		all := objects(10, 4096)
		began := time.Now()
		var done sync.WaitGroup
		for _, o := range all {
			done.Add(1)
			if !d.Put(disk.Block{Version: o.version(d), Data: o.data, Done: done.Done}, nil) {
				t.Fatal("not taken")
			}
			time.Sleep(time.Millisecond)
		}
		done.Wait()
		if n, took := writes.Load(), time.Since(began); n != 1 || took > 25*time.Millisecond {
			t.Errorf("10 files of 4 KiB within 10 ms took %d writes and %v", n, took)
		}
		began = time.Now()
		block := newObject("block", disk.BlockSize)
		put(t, d, block)
		last := newObject("last", 1)
		if !d.Put(disk.Block{Version: last.version(d), Data: last.data, Done: func() {}}, nil) {
			t.Fatal("not taken")
		}
		d.Close()
		if took := time.Since(began); took != 0 {
			t.Errorf("a block, and a byte before the end, waited for %v", took)
		}
		d = open(t, cfg)
		if n := sum(t, d, append(all, block, last)); n != 12 {
			t.Errorf("%d of 12 are there", n)
		}
		d.Close()
	})
}

// TestChecksumsAreOfWhatWasPut: bytes that change between Put and the disk are not taken for right ones.
func TestChecksumsAreOfWhatWasPut(t *testing.T) {
	dir := fastDir(t)
	synctest.Test(t, func(t *testing.T) {
		d := open(t, config(dir))
		o := newObject("o", 10_000)
		done := make(chan struct{})
		if !d.Put(disk.Block{Version: o.version(d), Data: o.data, Done: func() { close(done) }}, nil) {
			t.Fatal("not taken")
		}
		o.data[5000] ^= 1 // it lies in memory that goes bad
		other := newObject("other", 1)
		put(t, d, other)
		<-done
		if n := load(t, d, o); n != 0 || d.Stats().Bad != 1 {
			t.Errorf("%d blocks of changed bytes, %+v", n, d.Stats())
		}
		if n := load(t, d, other); n != 1 {
			t.Error("what was written with them is gone")
		}
		d.Close()
	})
}
