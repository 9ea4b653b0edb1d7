package spool_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// littered is a spool of small segments in which little things wait between much that has ended.
type littered struct {
	s    *spool.Spool
	kept []*spool.Content
}

func smallSegments(dir string) spool.Config {
	c := config(dir)
	c.SegmentSize = 8 << 10
	return c
}

func litter(t fatal, cfg spool.Config) *littered {
	t.Helper()
	l := &littered{}
	l.s, _ = open(t, cfg)
	for i := range 60 {
		gen := fmt.Sprint(i)
		c := stored(t, l.s, gen, pattern(byte(i), 700))
		if i%15 == 3 {
			l.kept = append(l.kept, c)
			continue
		}
		check(t, l.s.Append(&spool.Record{Type: spool.TypeCommit, Gen: gen}))
		c.Release()
	}
	check(t, l.s.Sync(context.Background()))
	return l
}

func (l *littered) snapshot() (recs []*spool.Record) {
	for _, c := range l.kept {
		recs = append(recs, &spool.Record{Type: spool.TypeSeal, Gen: c.Gen(), Key: "key-" + c.Gen(), Size: c.Size(), Extents: c.Extents()})
	}
	return recs
}

// want reads what waits.
func (l *littered) want(t fatal) {
	t.Helper()
	for _, c := range l.kept {
		var i int
		_, err := fmt.Sscan(c.Gen(), &i)
		check(t, err)
		same(t, c.Gen(), read(t, c, nil), pattern(byte(i), 700))
	}
}

// reopened are the same generations as a start finds them.
func reopened(t fatal, cfg spool.Config, kept []*spool.Content) *littered {
	t.Helper()
	l := &littered{}
	var rec *spool.Recovery
	l.s, rec = open(t, cfg)
	if len(rec.Damaged) > 0 {
		t.Fatalf("damaged: %+v", rec.Damaged)
	}
	for _, c := range kept {
		l.kept = append(l.kept, adopt(t, l.s, rec, c.Gen()))
	}
	check(t, l.s.Recovered())
	return l
}

func TestCompactionGivesSegmentsBack(t *testing.T) {
	dir := fastDir(t)
	l := litter(t, smallSegments(dir))
	before, _ := l.s.Usage()
	if n := len(storageFiles(t, dir)); n < 5 {
		t.Fatalf("%d files, want some that are mostly dead", n)
	}
	gain, err := l.s.Compact(l.kept, nil)
	check(t, err)
	if gain < before/2 {
		t.Errorf("gain %d of %d", gain, before)
	}
	l.want(t)
	check(t, l.s.Checkpoint(l.snapshot()), l.s.Sync(t.Context()))
	l.want(t)
	if n := len(storageFiles(t, dir)); n != 1 {
		t.Errorf("%d files are left", n)
	}
	if used, _ := l.s.Usage(); used > 4*800 {
		t.Errorf("usage %d of %d", used, before)
	}
	if gain, err := l.s.Compact(l.kept, nil); gain != 0 || err != nil {
		t.Errorf("once more: %d, %v", gain, err)
	}
	check(t, l.s.Close())
	for _, boot := range []string{"boot-1", "boot-2"} {
		cfg := smallSegments(dir)
		cfg.BootID = boot
		again := reopened(t, cfg, l.kept)
		again.want(t)
		check(t, again.s.Close())
	}
}

// Whenever the process dies, one valid copy is there.
func TestCompactionKilledAtEveryStep(t *testing.T) {
	dir := fastDir(t)
	var shots []string
	shoot := func() {
		to := filepath.Join(fastDir(t), "shot")
		snapshot(t, dir, to)
		shots = append(shots, to)
	}
	armed := false
	cfg := smallSegments(dir)
	cfg.WriteAt = func(f *os.File, p []byte, off int64) (int, error) {
		if armed {
			shoot()
			if n, err := f.WriteAt(p[:len(p)/2], off); err != nil { // half of it
				return n, err
			}
			shoot()
		}
		return f.WriteAt(p, off)
	}
	cfg.OnSync = func(string) {
		if armed {
			shoot()
		}
	}
	l := litter(t, cfg)
	armed = true
	gain, err := l.s.Compact(l.kept, nil)
	check(t, err)
	if gain == 0 {
		t.Fatal("nothing was compacted")
	}
	check(t, l.s.Checkpoint(l.snapshot()), l.s.Sync(t.Context()))
	armed = false
	shoot()
	check(t, l.s.Close())
	if len(shots) < 10 {
		t.Errorf("%d steps only", len(shots))
	}
	for _, at := range shots {
		again := reopened(t, smallSegments(at), l.kept)
		again.want(t)
		check(t, again.s.Close())
	}
}

// The same for a power loss: what was synced when.
func TestCompactionAndPowerLoss(t *testing.T) {
	dir := fastDir(t)
	d := newDisk(t, dir)
	var lost []string
	armed := false
	cfg := smallSegments(dir)
	cfg.OnSync = func(path string) {
		d.OnSync(path)
		if armed {
			to := fastDir(t)
			d.lose(to, len(lost)%2 == 0)
			lost = append(lost, to)
		}
	}
	l := litter(t, cfg)
	armed = true
	_, err := l.s.Compact(l.kept, nil)
	check(t, err, l.s.Sync(t.Context()), l.s.Checkpoint(l.snapshot()), l.s.Sync(t.Context()))
	armed = false
	check(t, l.s.Close())
	if len(lost) < 4 {
		t.Errorf("%d syncs only", len(lost))
	}
	for _, at := range lost {
		cfg := smallSegments(at)
		cfg.BootID = "boot-2"
		again := reopened(t, cfg, l.kept)
		again.want(t)
		check(t, again.s.Close())
	}
}

// A copy never makes good of what is damaged: such a segment stays as it is.
func TestCompactionLeavesDamagedSegmentsAlone(t *testing.T) {
	dir := fastDir(t)
	l := litter(t, smallSegments(dir))
	defer l.s.Close()
	x := l.kept[0].Extents()[0]
	path := filepath.Join(dir, "seg", fmt.Sprintf("%016x.seg", x.Storage))
	b, err := os.ReadFile(path)
	check(t, err)
	b[x.Pos] ^= 1
	check(t, os.WriteFile(path, b, 0o600))
	_, err = l.s.Compact(l.kept, nil)
	check(t, err, l.s.Checkpoint(l.snapshot()), l.s.Sync(t.Context()))
	if got := l.kept[0].Extents()[0]; got != x {
		t.Errorf("a damaged frame was copied: %+v, was %+v", got, x)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the damaged segment is gone: %v", err)
	}
}

// A segment that somebody needs who is not sealed, or not known, is left alone.
func TestCompactionLeavesWhatOthersNeed(t *testing.T) {
	dir := fastDir(t)
	l := litter(t, smallSegments(dir))
	defer l.s.Close()
	where := func(c *spool.Content) uint64 { return c.Extents()[0].Storage }
	open, unknown := l.kept[0].Clone("open"), l.kept[1].Clone("unknown")
	before := []uint64{where(l.kept[0]), where(l.kept[1])}
	_, err := l.s.Compact(l.kept, []*spool.Content{open})
	check(t, err, l.s.Checkpoint(l.snapshot()), l.s.Sync(t.Context()))
	if got := []uint64{where(l.kept[0]), where(l.kept[1])}; !slices.Equal(got, before) {
		t.Errorf("segments %v, were %v", got, before)
	}
	l.want(t)
	same(t, "open", read(t, open, nil), pattern(3, 700))
	same(t, "unknown", read(t, unknown, nil), pattern(18, 700))
}

// On a full disk a compaction ends without a loss.
func TestCompactionOnAFullDisk(t *testing.T) {
	full := false
	cfg := smallSegments(fastDir(t))
	cfg.MaxBytes = 60 << 10
	cfg.WriteAt = func(f *os.File, p []byte, off int64) (int, error) {
		if full {
			return 0, syscall.ENOSPC
		}
		return f.WriteAt(p, off)
	}
	l := litter(t, cfg)
	defer l.s.Close()
	full = true
	if _, err := l.s.Compact(l.kept, nil); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("compaction: %v", err)
	}
	l.want(t)
	full = false
	gain, err := l.s.Compact(l.kept, nil)
	check(t, err, l.s.Checkpoint(l.snapshot()), l.s.Sync(t.Context()))
	if gain == 0 {
		t.Error("nothing gained when there is room again")
	}
	l.want(t)
}
