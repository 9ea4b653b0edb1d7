package spool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/gofrs/flock"
	"go.uber.org/zap"
)

// Spool is an open spool. Its methods are safe for concurrent use.
type Spool struct {
	// constant
	cfg  Config
	lock *flock.Flock

	files    files
	segments segments
	log      namespaceLog
	syncer   syncer
	room     room

	nextID atomic.Uint64 // the last number given to a storage
	usage  atomic.Int64  // bytes in segments and data files
	closed atomic.Bool

	// What has to be synced: see groupSync.
	syncMu       sync.Mutex
	writes       atomic.Uint64 // counts changes
	synced       atomic.Uint64 // of those, how many are on stable storage
	armed        atomic.Bool   // the background sync knows that there is something
	segmentsMade atomic.Bool   // files were made in the directory
	dataMade     atomic.Bool

	// guarded by mu
	mu        sync.Mutex
	storages  map[uint64]*storage   // those that are not dead
	dirty     map[*storage]struct{} // written since their last sync
	inherited []*storage            // found at the start, with a reference until Recovered
	dead      []*storage            // to be erased after the next group sync
	named     map[string][]*storage // by generation: what the log's last list of its extents names, with a reference
}

func newSpool(cfg Config, lock *flock.Flock) *Spool {
	s := &Spool{
		cfg: cfg, lock: lock,
		files:    files{max: cfg.MaxOpen},
		storages: map[uint64]*storage{}, dirty: map[*storage]struct{}{}, named: map[string][]*storage{},
	}
	s.syncer.init()
	return s
}

// Usage tells the bytes in segments and data files, and in the log.
func (s *Spool) Usage() (bytes, logBytes int64) {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return s.usage.Load(), s.log.file.Size()
}

// Recovered ends recovery: storage that neither a content nor the log refers to is deleted.
func (s *Spool) Recovered() error {
	s.mu.Lock()
	list := s.inherited
	s.inherited = nil
	s.mu.Unlock()
	for _, st := range list {
		s.unref(st)
	}
	if err := s.Sync(context.Background()); err != nil {
		return fmt.Errorf("end recovery: %w", err)
	}
	return nil
}

// Close syncs, ends the background work and unlocks. Contents must not be used any more.
func (s *Spool) Close() error {
	if s.closed.Swap(true) {
		return ErrClosed
	}
	s.segments.close(s)
	err := s.syncer.close()
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	s.log.closed = true
	err = errors.Join(err, s.files.close(), s.log.file.Close(), s.lock.Unlock())
	if err != nil {
		return fmt.Errorf("close spool: %w", err)
	}
	return nil
}

// touch notes a change and lets the background sync know.
func (s *Spool) touch() {
	s.writes.Add(1)
	if !s.armed.Load() && s.armed.CompareAndSwap(false, true) {
		s.syncer.arm()
	}
}

// note keeps the storage alive that the log needs at a replay: what the last list of a generation's extents names, until
// the generation ends. The records have just been written, in this order; the caller holds log.mu.
func (s *Spool) note(recs []*Record) {
	var freed []*storage
	s.mu.Lock()
	for _, r := range recs {
		if r.Gen == "" || (!r.Type.lists() && !r.Type.ends()) {
			continue
		}
		freed = append(freed, s.named[r.Gen]...)
		delete(s.named, r.Gen)
		if list := s.lookup(r); len(list) > 0 {
			s.named[r.Gen] = list
			s.proves(r, list)
		}
	}
	s.mu.Unlock()
	for _, st := range freed {
		s.unref(st)
	}
}

// lookup takes a reference on each storage that r names.
func (s *Spool) lookup(r *Record) []*storage {
	if r.Type.ends() {
		return nil
	}
	var list []*storage
	last := uint64(0)
	for i := range r.Extents {
		x := &r.Extents[i]
		if !x.Kind.stored() || x.Storage == last {
			continue
		}
		last = x.Storage
		st := s.storages[last]
		if st == nil {
			s.cfg.Log.Error("record names storage that is not there", zap.Stringer("type", r.Type),
				zap.String("gen", r.Gen), zap.Uint64("storage", last))
			continue
		}
		if !slices.Contains(list, st) {
			st.refs.Add(1)
			list = append(list, st)
		}
	}
	return list
}
