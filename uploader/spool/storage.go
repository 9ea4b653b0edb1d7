package spool

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
)

// Directories and names below Config.Dir.
const (
	segmentDir = "seg"
	dataDir    = "data"
	logName    = "ns.log"
	lockName   = "lock"
	ownerName  = "spool.json"
	segmentExt = ".seg"
	unfinished = ".new-" // in front of the name of a data file that does not have all yet that its name promises
)

// storage is one file that holds bytes of generations: a segment or a data file.
type storage struct {
	// constant
	id   uint64
	kind Kind // KindSegment or KindFile
	path string
	gen  string // of a data file: whose it is

	refs  atomic.Int64 // maps that name it, owners, reads in flight; it dies at 0
	bytes atomic.Int64 // counted in the spool's usage
	dirty atomic.Bool  // written since the last sync of it began

	damaged atomic.Bool // a segment that a compaction has found so

	// guarded by files.mu
	f     *os.File
	inUse int

	proof  []Sum // of a data file that nobody writes to any more. Guarded by Spool.mu
	failed error // a failed sync: what is on the disk is not known any more. Guarded by Spool.syncMu
}

func segmentPath(dir string, id uint64) string {
	return filepath.Join(dir, segmentDir, fmt.Sprintf("%016x%s", id, segmentExt))
}

func dataPath(dir string, id uint64, gen string) string {
	return filepath.Join(dir, dataDir, fmt.Sprintf("%016x-%s", id, url.PathEscape(gen)))
}

// parseName is the inverse of segmentPath and dataPath.
func parseName(name string) (id uint64, gen string, ok bool) {
	number, escaped, isData := strings.Cut(name, "-")
	if !isData {
		number = strings.TrimSuffix(name, segmentExt)
	}
	id, err := strconv.ParseUint(number, 16, 64)
	if err != nil {
		return 0, "", false
	}
	gen, err = url.PathUnescape(escaped)
	return id, gen, err == nil
}

// newStorage makes an empty file with one reference and its descriptor in use: both are the caller's. A hidden one has another name, which a new
// start removes, until the caller calls show: it uses the file in between.
func (s *Spool) newStorage(kind Kind, gen string, hidden bool) (*storage, error) {
	id := s.nextID.Add(1)
	st := &storage{id: id, kind: kind, gen: gen, path: segmentPath(s.cfg.Dir, id)}
	dir := &s.segmentsMade
	if kind == KindFile {
		st.path, dir = dataPath(s.cfg.Dir, id, gen), &s.dataMade
	}
	st.refs.Store(1)
	name := st.path
	if hidden {
		name = hiddenPath(st)
	}
	if err := s.files.create(st, name); err != nil {
		return nil, err
	}
	dir.Store(true) // before anything in it is marked: see groupSync
	s.mu.Lock()
	s.storages[id] = st
	s.mu.Unlock()
	return st, nil
}

func hiddenPath(st *storage) string {
	dir, name := filepath.Split(st.path)
	return filepath.Join(dir, unfinished+name)
}

// show gives a hidden file its name.
func (s *Spool) show(st *storage) error { return os.Rename(hiddenPath(st), st.path) }

// unref gives a reference back. With the last one the file waits for the next
// group sync and is removed.
func (s *Spool) unref(st *storage) {
	if st.refs.Add(-1) > 0 {
		return
	}
	s.mu.Lock()
	if st.refs.Load() == 0 && s.storages[st.id] == st {
		delete(s.storages, st.id)
		s.dead = append(s.dead, st)
	}
	s.mu.Unlock()
	s.touch()
}

// marked notes that st has been written.
func (s *Spool) marked(st *storage) {
	if !st.dirty.Load() && !st.dirty.Swap(true) {
		s.mu.Lock()
		s.dirty[st] = struct{}{}
		s.mu.Unlock()
	}
	s.touch()
}

// reserve counts n bytes that are about to be written to st.
func (s *Spool) reserve(st *storage, n int64) error {
	used := s.usage.Add(n)
	if s.cfg.MaxBytes > 0 && n > 0 && used > s.cfg.MaxBytes || !s.room.take(s, n) {
		s.usage.Add(-n)
		return ErrFull
	}
	st.bytes.Add(n)
	return nil
}

// giveBack is the inverse of reserve.
func (s *Spool) giveBack(st *storage, n int64) {
	st.bytes.Add(-n)
	s.usage.Add(-n)
}

// erase removes a dead storage's file.
func (s *Spool) erase(st *storage) error {
	s.files.forget(st)
	err := os.Remove(st.path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	s.usage.Add(-st.bytes.Swap(0))
	return nil
}
