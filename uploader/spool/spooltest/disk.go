// Package spooltest is a disk that can lose its power, for tests of the spool and of those who use it.
package spooltest

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// page is what reaches a disk as a whole, in bytes: the least that any has.
const page = 512

// Disk knows what of a spool's directory is on stable storage: the bytes of each file as of its last sync, and the names as of
// the last sync of their directory. What was written since, and what was removed, may have reached it or not.
type Disk struct {
	mu     sync.Mutex
	dir    string
	synced map[string][]byte // by name below dir
	named  map[string]bool   // names that are on the disk
	err    error             // the first that OnSync met
}

// NewDisk watches the spool in dir, whose Config.OnSync has to be Disk.OnSync.
func NewDisk(dir string) *Disk {
	return &Disk{dir: dir, synced: map[string][]byte{}, named: map[string]bool{}}
}

// OnSync is for spool.Config.
func (d *Disk) OnSync(path string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.note(path); err != nil && d.err == nil {
		d.err = err
	}
}

func (d *Disk) note(path string) error {
	name, err := filepath.Rel(d.dir, path)
	if err != nil {
		return err
	}
	if name == "seg" || name == "data" {
		entries, err := os.ReadDir(path)
		for _, e := range entries {
			d.named[filepath.Join(name, e.Name())] = true
		}
		return err
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // removed meanwhile
	}
	if err != nil {
		return err
	}
	d.synced[name] = b
	d.named["ns.log"] = true // made and renamed with a sync of the directory
	return nil
}

// Lose writes to dir what a loss of power at this moment leaves; pick(n) chooses from 0 to n-1.
func (d *Disk) Lose(dir string, pick func(n int) int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return d.err
	}
	for _, sub := range []string{"seg", "data"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return err
		}
	}
	owner, err := os.ReadFile(filepath.Join(d.dir, "spool.json")) // made with a sync
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "spool.json"), owner, 0o600) //nolint:gosec // a test says where
	}
	if err != nil {
		return err
	}
	now, err := d.now()
	if err != nil {
		return err
	}
	all := maps.Clone(now)
	maps.Copy(all, d.synced)
	mode := pick(4) // all of it, nothing, or as it comes
	for _, name := range slices.Sorted(maps.Keys(all)) {
		was, once := d.synced[name]
		is, there := now[name]
		if !d.named[name] && !chance(mode, pick) || !there && (!once || chance(mode, pick)) {
			continue // made and not named yet, or removed
		}
		if there {
			is = mixture(was, is, mode, pick)
		} else {
			is = was
		}
		if err := os.WriteFile(filepath.Join(dir, name), is, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// now reads all files.
func (d *Disk) now() (map[string][]byte, error) {
	all := map[string][]byte{}
	names := []string{"ns.log"}
	for _, sub := range []string{"seg", "data"} {
		entries, err := os.ReadDir(filepath.Join(d.dir, sub))
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			names = append(names, filepath.Join(sub, e.Name()))
		}
	}
	for _, name := range names {
		b, err := os.ReadFile(filepath.Join(d.dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, err
		}
		all[name] = b
	}
	return all, nil
}

// chance tells whether something that was not synced has reached the disk.
func chance(mode int, pick func(int) int) bool {
	switch mode {
	case 0:
		return true
	case 1:
		return false
	}
	return pick(2) == 0
}

// mixture is a file of which each page is that of the last sync or the newest, and so is the length.
func mixture(was, is []byte, mode int, pick func(int) int) []byte {
	size := len(was)
	if chance(mode, pick) {
		size = len(is)
	}
	out := make([]byte, size)
	copy(out, was)
	for at := 0; at < size; at += page {
		end := min(at+page, size)
		if at < len(is) && chance(mode, pick) {
			clear(out[at:end])
			copy(out[at:end], is[at:])
		}
	}
	return out
}
