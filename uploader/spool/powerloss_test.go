package spool_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// disk is what would be there after a power loss: files as of their last sync, under names as of the last sync of
// their directory.
type disk struct {
	mu    sync.Mutex
	t     fatal
	dir   string
	files map[string][]byte // synced bytes
	named map[string]bool   // names that are on the disk
}

func newDisk(t fatal, dir string) *disk {
	return &disk{t: t, dir: dir, files: map[string][]byte{}, named: map[string]bool{}}
}

// onSync is the spool's Config.OnSync.
func (d *disk) onSync(path string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	name, err := filepath.Rel(d.dir, path)
	check(d.t, err)
	if name == "seg" || name == "data" {
		entries, err := os.ReadDir(path)
		check(d.t, err)
		for _, e := range entries {
			d.named[filepath.Join(name, e.Name())] = true
		}
		return
	}
	b, err := os.ReadFile(path)
	check(d.t, err)
	d.files[name] = b
	d.named["ns.log"] = true // made and renamed with a sync of the directory
}

// lose writes to dir what a power loss leaves. wholeLog: the log's unsynced tail happened to be written too.
func (d *disk) lose(dir string, wholeLog bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, sub := range []string{"seg", "data"} {
		check(d.t, os.MkdirAll(filepath.Join(dir, sub), 0o700))
	}
	for _, name := range []string{"spool.json"} {
		b, err := os.ReadFile(filepath.Join(d.dir, name))
		check(d.t, err, os.WriteFile(filepath.Join(dir, name), b, 0o600))
	}
	for name, b := range d.files {
		now, err := os.ReadFile(filepath.Join(d.dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed: that may have reached the disk, and must not matter
		}
		check(d.t, err)
		if wholeLog && name == "ns.log" {
			b = now
		}
		if d.named[name] {
			check(d.t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
		}
	}
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

func TestPowerLoss(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir := fastDir(t)
		d := newDisk(rt, dir)
		cfg := modelConfig(dir)
		cfg.OnSync = d.onSync
		p := &powerMachine{machine: &machine{dir: dir}, ended: map[string]bool{}, acked: acknowledged{}}
		p.s, _ = open(rt, cfg)
		check(rt, p.s.Sync(context.Background()))
		actions := rapid.StateMachineActions(p)
		delete(actions, "Reopen")
		actions["SealMore"], actions["WriteMore"], actions["SyncMore"] = p.Seal, p.Write, p.Sync
		rt.Repeat(actions)

		lost := fastDir(t)
		d.lose(lost, rapid.Bool().Draw(rt, "whole log"))
		check(rt, p.s.Close())
		cfg = modelConfig(lost)
		cfg.BootID = "boot-2"
		s, rec := open(rt, cfg)
		defer s.Close()
		if len(rec.Damaged) > 0 {
			rt.Fatalf("trusted and not there: %+v", rec.Damaged)
		}
		for gen, data := range p.acked {
			if p.ended[gen] {
				continue // may be there or not
			}
			r := lastList(rt, rec, gen)
			c, err := s.Adopt(gen, r.Size, r.Extents)
			check(rt, err)
			same(rt, gen, read(rt, c, readBase), data)
		}
	})
}

// A SEAL that is written while a group sync goes on must not be covered by its SYNC frame: nobody has synced its data.
func TestSealDuringAGroupSyncIsNotTrusted(t *testing.T) {
	dir := fastDir(t)
	d := newDisk(t, dir)
	cfg := config(dir)
	var s *spool.Spool
	var late sync.Once
	cfg.OnSync = func(path string) {
		d.onSync(path)
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
