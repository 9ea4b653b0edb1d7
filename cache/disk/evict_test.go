package disk_test

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/s3levelfs/s3levelfs/cache/disk"
)

// TestSizeIsABound: whatever is put, read, dropped and opened again, the files never take more than the size, and each block is right or
// not there.
func TestSizeIsABound(t *testing.T) {
	all := append(objects(12, 2*mib), newObject("large", 5*mib), newObject("small", 10_000))
	rapid.Check(t, func(rt *rapid.T) {
		cfg := config(fastDir(t))
		defer func() { _ = os.RemoveAll(cfg.Dir) }()
		cfg.Size = disk.MinSize
		cfg.MaxBlocks = rapid.SampledFrom([]int{0, 60}).Draw(rt, "blocks")
		d := open(t, cfg)
		defer func() { d.Close() }()
		for range rapid.IntRange(1, 8).Draw(rt, "steps") {
			o := all[rapid.IntRange(0, len(all)-1).Draw(rt, "object")]
			switch rapid.IntRange(0, 9).Draw(rt, "step") {
			case 0:
				d.Close()
				d = open(t, cfg)
			case 1:
				d.Drop(o.version(d), int64(len(o.data)), 0, int64(len(o.data)))
				if n := load(t, d, o); n != 0 {
					rt.Fatalf("%d blocks after they were dropped", n)
				}
			case 2, 3, 4:
				load(t, d, o)
			default:
				for _, o := range all[:rapid.IntRange(1, 6).Draw(rt, "objects")] {
					had := load(t, d, o) // as the cache does: what is bad is known then
					put(t, d, o)
					// What was there need not have been carried while room was made for the rest; and what is carried in a
					// store of a few blocks ages those that have just come.
					if n := load(t, d, o); n < o.blocks()*3/4-had {
						rt.Fatalf("%d of %d blocks that were just put, %d of them were there", n, o.blocks(), had)
					}
				}
				put(t, d, o)
			}
			if bytes, _ := used(t, cfg.Dir); bytes > cfg.Size {
				rt.Fatalf("%d bytes, %d allowed", bytes, cfg.Size)
			}
			if st := d.Stats(); st.Bytes > cfg.Size || cfg.MaxBlocks > 0 && st.Blocks > cfg.MaxBlocks || st.Dropped > 0 {
				rt.Fatalf("%+v", st)
			}
		}
	})
}

// TestUsedBlocksStay: of a working set that is read while four times the store's size passes, nearly all is there in the end; of what
// passes, the last. A restart does not forget that.
func TestUsedBlocksStay(t *testing.T) {
	for _, restart := range []bool{false, true} {
		cfg := config(fastDir(t))
		cfg.Size = disk.MinSize
		d := open(t, cfg)
		hot := objects(4, mib)
		put(t, d, hot...)
		var passed []object
		for i := range 64 {
			o := newObject(fmt.Sprint("passing ", i), mib)
			put(t, d, o)
			passed = append(passed, o)
			if i%4 == 0 {
				sum(t, d, hot)
			}
			if restart && i%5 == 0 {
				d.Close()
				d = open(t, cfg)
			}
		}
		stays, young, old := sum(t, d, hot), sum(t, d, passed[58:]), sum(t, d, passed[:48])
		t.Logf("restarts %v: %d of 32 used blocks, %d of the last 48, %d of the first 384, %d carried", restart, stays, young, old, d.Stats().Carried)
		if stays < 30 || young < 44 || old > 8 {
			t.Errorf("restarts %v: %d of 32 used blocks, %d of the last 48, %d of the first 384", restart, stays, young, old)
		}
	}
}

// TestPutAgain: the first half of an object is the oldest that there is. Who puts all of it has used that half: it stays while room is
// made for the other one.
func TestPutAgain(t *testing.T) {
	cfg := config(fastDir(t))
	cfg.Size = disk.MinSize
	d := open(t, cfg)
	o := newObject("o", 3*mib)
	for i := range o.blocks() / 2 {
		putBlock(t, d, o, i)
	}
	for i := range 11 { // with which it is full, but for less than the other half
		put(t, d, newObject(fmt.Sprint("passing ", i), mib))
	}
	if st := d.Stats(); st.Evicted != 0 {
		t.Fatalf("%d blocks have gone already", st.Evicted)
	}
	for i := range o.blocks() {
		putBlock(t, d, o, i)
	}
	if st, n := d.Stats(), load(t, d, o); n != o.blocks() || st.Evicted == 0 {
		t.Errorf("%d of %d blocks, %+v", n, o.blocks(), st)
	}
}

// TestSegmentsAreFilled: blocks that come one at a time and many at once take the same room.
func TestSegmentsAreFilled(t *testing.T) {
	var files [2][]int64
	for at, together := range []bool{false, true} {
		cfg := config(fastDir(t))
		cfg.Size = disk.MinSize
		d := open(t, cfg)
		o := newObject("o", 8*mib)
		first := make(chan struct{})
		for i := range o.blocks() {
			if !together {
				putBlock(t, d, o, i)
				continue
			}
			b := disk.Block{Version: o.version(d), Index: i, Data: o.unit(i, false), Done: func() {}}
			if i == 0 {
				b.Done = func() { <-first } // the writer is kept from what follows until all of it waits
			}
			if !d.Put(b, nil) {
				t.Fatal("not taken")
			}
		}
		close(first)
		d.Close()
		entries, err := os.ReadDir(cfg.Dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if info, err := e.Info(); err == nil && filepath.Ext(e.Name()) == ".pack" {
				files[at] = append(files[at], info.Size())
			}
		}
		if n := load(t, open(t, cfg), o); n != o.blocks() {
			t.Errorf("%d of %d blocks", n, o.blocks())
		}
	}
	t.Log(files)
	if !slices.Equal(files[0], files[1]) {
		t.Errorf("one at a time %v, together %v", files[0], files[1])
	}
}

// TestSmallerSize: a store that is opened with less room keeps the youngest blocks.
func TestSmallerSize(t *testing.T) {
	cfg := config(fastDir(t))
	d := open(t, cfg)
	all := objects(40, mib)
	put(t, d, all...)
	d.Close()
	cfg.Size = disk.MinSize
	d = open(t, cfg)
	bytes, _ := used(t, cfg.Dir)
	if n := sum(t, d, all[30:]); bytes > cfg.Size || n != 80 {
		t.Errorf("%d bytes, %d blocks of the last 80", bytes, n)
	}
}

// TestDiskIsNeverFilled: what is to stay free stays so, if need be by giving back what is taken; one line says it.
func TestDiskIsNeverFilled(t *testing.T) {
	core, logs := observer.New(zap.WarnLevel)
	cfg := config(fastDir(t))
	cfg.Log = zap.New(core)
	others := int64(0)
	cfg.KeepFree = func(total int64) int64 { return total / 10 }
	cfg.DiskRoom = func(dir string) (int64, int64, error) {
		bytes, _ := used(t, dir)
		return 100*mib - others - bytes, 100 * mib, nil
	}
	d := open(t, cfg)
	all := objects(40, mib)
	put(t, d, all...)
	if n := sum(t, d, all); n != 320 {
		t.Fatalf("%d blocks", n)
	}
	others = 80 * mib
	put(t, d, newObject("x", mib))
	if bytes, _ := used(t, cfg.Dir); bytes > 10*mib || load(t, d, newObject("x", mib)) != 8 {
		t.Errorf("%d bytes are taken", bytes)
	}
	others = 95 * mib
	put(t, d, objects(60, mib)[40:]...)
	if st := d.Stats(); st.Bytes != 0 || st.Dropped == 0 || st.Full != "its disk is full" {
		t.Errorf("%+v", st)
	}
	if logs.Len() != 1 {
		t.Errorf("%d lines in the log", logs.Len())
	}
}

// TestFullDisk: a disk that refuses costs blocks, no errors; what is there stays readable.
func TestFullDisk(t *testing.T) {
	core, logs := observer.New(zap.WarnLevel)
	cfg := config(fastDir(t))
	cfg.Log = zap.New(core)
	d := open(t, cfg)
	first := newObject("first", 700_000)
	put(t, d, first)
	signal.Ignore(unix.SIGXFSZ)
	defer signal.Reset(unix.SIGXFSZ)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	// A file size limit refuses as a full disk does, in the middle of a write: the file has more already.
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 600_000, Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	all := objects(5, 400_000)
	put(t, d, all...)
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	st := d.Stats()
	t.Logf("%+v", st)
	if n := load(t, d, first); n != 6 || st.Dropped == 0 || st.Bad != 0 || st.Full == "" || logs.Len() != 1 {
		t.Errorf("%d blocks of the first, %d lines in the log, %+v", n, logs.Len(), st)
	}
	d.Close()
	d = open(t, config(cfg.Dir))
	if n := sum(t, d, append(all, first)); n != int64(st.Blocks) {
		t.Errorf("%d blocks in the next process, want %d", n, st.Blocks)
	}
}

// TestFullQueue: who has no patience is sent away, who has some waits for the writer or for so long.
func TestFullQueue(t *testing.T) {
	cfg := config(fastDir(t))
	cfg.Queue = 2 * disk.BlockSize
	d := open(t, cfg)
	o := newObject("o", 8*disk.BlockSize)
	hold, held := make(chan struct{}), make(chan struct{}, 8)
	block := func(i int64) disk.Block {
		return disk.Block{Version: o.version(d), Index: i, Data: o.unit(i, false), Done: func() { held <- struct{}{}; <-hold }}
	}
	if !d.Put(block(0), nil) {
		t.Fatal("not taken")
	}
	<-held // written, and still on the account
	if !d.Put(block(1), nil) || d.Put(block(2), nil) {
		t.Error("the queue does not hold what it should")
	}
	patience := 10 * time.Millisecond
	if d.Put(block(3), &patience) || patience > 0 {
		t.Errorf("%v of patience left", patience)
	}
	patience = time.Hour
	if d.Put(block(3), &patience) || patience != time.Hour {
		t.Errorf("waited although somebody did in vain: %v left", patience)
	}
	close(hold)
	<-held
	d.Close()
	if d.Put(block(4), nil) {
		t.Error("taken by a closed store")
	}
	d = open(t, cfg)
	if st := d.Stats(); st.Blocks != 2 {
		t.Errorf("%+v", st)
	}
}

// TestDropped: what was found to be wrong is gone, for the next process too, also when it is on its way to the disk.
func TestDropped(t *testing.T) {
	for _, killed := range []bool{false, true} {
		cfg := config(fastDir(t))
		d := open(t, cfg)
		bad, good := newObject("bad", mib), newObject("good", mib)
		put(t, d, good, bad)
		d.Drop(bad.version(d), mib, disk.BlockSize, 3*disk.BlockSize)
		if n := load(t, d, bad); n != 6 {
			t.Errorf("%d blocks after 2 of 8 were dropped", n)
		}
		held, hold := make(chan struct{}), make(chan struct{})
		blocker := newObject("blocker", 10)
		if !d.Put(disk.Block{Version: blocker.version(d), Data: blocker.data, Done: func() { close(held); <-hold }}, nil) {
			t.Fatal("not taken")
		}
		<-held
		done := make(chan struct{}, 1)
		if !d.Put(disk.Block{Version: bad.version(d), Index: 1, Data: bad.unit(1, false), Done: func() { done <- struct{}{} }}, nil) {
			t.Fatal("not taken")
		}
		d.Drop(bad.version(d), mib, 0, mib)
		<-done
		close(hold)
		dir := cfg.Dir
		if killed {
			dir = copyDir(t, dir)
		} else {
			d.Close()
		}
		next := open(t, config(dir))
		if n := load(t, next, bad); n != 0 {
			t.Errorf("killed %v: %d dropped blocks in the next process", killed, n)
		}
		if n := load(t, next, good); n != 8 {
			t.Errorf("killed %v: %d other blocks in the next process", killed, n)
		}
	}
}
