package spool_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/s3levelfs/s3levelfs/uploader/spool"
	"github.com/s3levelfs/s3levelfs/uploader/spool/spooltest"
)

// disk is one that can lose its power.
type disk struct {
	*spooltest.Disk

	t fatal
}

func newDisk(t fatal, dir string) *disk { return &disk{Disk: spooltest.NewDisk(dir), t: t} }

// lose writes to dir what is left at least: nothing that was not synced, or all of it.
func (d *disk) lose(dir string, all bool) {
	check(d.t, d.Lose(dir, func(int) int {
		if all {
			return 0
		}
		return 1
	}))
}

// acknowledged is what a Sync has promised: generations with their bytes, nil = it has ended.
type acknowledged map[string][]byte

type powerMachine struct {
	*machine
	ended map[string]bool
	acked acknowledged
}

func (p *powerMachine) current() acknowledged {
	now := acknowledged{}
	for _, g := range p.gens {
		if g.sealed {
			now[g.gen] = g.data
		}
	}
	return now
}

func (p *powerMachine) Sync(t *rapid.T) {
	p.machine.Sync(t)
	p.acked = p.current()
}

func (p *powerMachine) Checkpoint(t *rapid.T) {
	p.machine.Checkpoint(t)
	p.acked = p.current()
}

func (p *powerMachine) Compact(t *rapid.T) {
	frozen := p.current()
	_, before := p.s.Usage()
	finish := rapid.Bool().Draw(t, "with its checkpoint")
	p.compact(t, finish)
	if _, after := p.s.Usage(); finish && after != before {
		p.acked = frozen // the checkpoint is on the disk
	}
}

func (p *powerMachine) Drop(t *rapid.T) {
	before := p.current()
	p.machine.Drop(t)
	for gen := range before {
		if _, there := p.current()[gen]; !there {
			p.ended[gen] = true
		}
	}
}

// promised is what was on stable storage at the moment of a power loss.
type promised struct {
	dir   string
	acked acknowledged
	ended map[string]bool
}

// lost takes the power away now.
func (p *powerMachine) lost(t *testing.T, rt fatal, d *disk, pick func(int) int) promised {
	dir := fastDir(t)
	check(rt, d.Lose(dir, pick))
	return promised{dir: dir, acked: maps.Clone(p.acked), ended: maps.Clone(p.ended)}
}

// TestPowerLoss takes the power away at the end of a run or in the middle of a group sync: each page, length and name
// that was not synced is there or is not, as it comes. What was acknowledged is there, what is not is not trusted.
func TestPowerLoss(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir := fastDir(t)
		d := newDisk(rt, dir)
		cfg := modelConfig(dir)
		rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "losses"), 0))
		at, synced := rapid.IntRange(1, 40).Draw(rt, "lost at sync"), 0
		p := &powerMachine{machine: &machine{dir: dir}, ended: map[string]bool{}, acked: acknowledged{}}
		var loss promised
		cfg.OnSync = func(path string) { // those who wait for the sync wait
			d.OnSync(path)
			if synced++; synced == at {
				loss = p.lost(t, rt, d, rnd.IntN)
			}
		}
		p.s, _ = open(rt, cfg)
		check(rt, p.s.Sync(context.Background()))
		actions := rapid.StateMachineActions(p)
		delete(actions, "Reopen")
		actions["SealMore"], actions["WriteMore"], actions["SyncMore"] = p.Seal, p.Write, p.Sync
		rt.Repeat(actions)
		if synced < at {
			loss = p.lost(t, rt, d, rnd.IntN)
		}
		check(rt, p.s.Close())
		loss.check(rt)
	})
}

func (l *promised) check(t *rapid.T) {
	cfg := modelConfig(l.dir)
	cfg.BootID = "boot-2"
	s, rec := open(t, cfg)
	defer s.Close()
	if len(rec.Damaged) > 0 {
		t.Fatalf("trusted and not there: %+v", rec.Damaged)
	}
	for gen, data := range l.acked {
		if l.ended[gen] {
			continue // may be there or not
		}
		r := lastList(t, rec, gen)
		c, err := s.Adopt(gen, r.Size, r.Extents)
		check(t, err)
		same(t, gen, read(t, c, readBase), data)
	}
}

// A SEAL that is written while a group sync goes on must not be covered by its SYNC frame: nobody has synced its data.
func TestSealDuringAGroupSyncIsNotTrusted(t *testing.T) {
	dir := fastDir(t)
	d := newDisk(t, dir)
	cfg := config(dir)
	var s *spool.Spool
	var late sync.Once
	cfg.OnSync = func(path string) {
		d.OnSync(path)
		if strings.Contains(path, "-first") {
			late.Do(func() { stored(t, s, "late", ownData(2)) })
		}
	}
	s, _ = open(t, cfg)
	stored(t, s, "first", ownData(1))
	check(t, s.Sync(t.Context()))
	lost := fastDir(t)
	d.lose(lost, true)
	check(t, s.Close())

	cfg = config(lost)
	cfg.BootID = "boot-2"
	s, rec := open(t, cfg)
	defer s.Close()
	if len(rec.Damaged) > 0 || rec.Lost != 2 || len(rec.Records) != 2 {
		t.Fatalf("%+v", rec)
	}
	same(t, "first", read(t, adopt(t, s, rec, "first"), nil), ownData(1))
}

func TestRemovalWaitsForTheSync(t *testing.T) {
	dir := fastDir(t)
	s, _ := open(t, config(dir))
	defer s.Close()
	var all []*spool.Content
	for i := range 3 {
		all = append(all, stored(t, s, fmt.Sprint(i), ownData(i)))
	}
	check(t, s.Sync(t.Context()))
	for i, c := range all {
		check(t, s.Append(&spool.Record{Type: spool.TypeCommit, Gen: fmt.Sprint(i)}))
		c.Release()
		c.Release() // twice does no harm
	}
	if n := len(storageFiles(t, dir)); n != 3 {
		t.Fatalf("%d files before the sync", n)
	}
	check(t, s.Sync(t.Context()))
	if n := len(storageFiles(t, dir)); n != 0 {
		t.Fatalf("%d files after the sync", n)
	}
	if used, _ := s.Usage(); used != 0 {
		t.Errorf("usage %d", used)
	}
}

// What could not be synced is not known to be on the disk: it fails every Sync until it is not needed any more.
func TestFailedSyncSticks(t *testing.T) {
	dir := fastDir(t)
	cfg := config(dir)
	cfg.MaxOpen = 1
	s, _ := open(t, cfg)
	defer s.Close()
	lost := stored(t, s, "lost", ownData(1))
	stored(t, s, "good", ownData(2)) // takes the descriptor
	files := storageFiles(t, dir)
	b, err := os.ReadFile(files[0])
	check(t, err, os.Remove(files[0]))
	for i := range 2 {
		if err := s.Sync(t.Context()); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("sync %d: %v", i, err)
		}
		check(t, os.WriteFile(files[0], b, 0o600)) // as if the disk had recovered
	}
	check(t, s.Append(&spool.Record{Type: spool.TypeDrop, Gen: "lost"}))
	lost.Release()
	check(t, s.Sync(t.Context()))
}
