package spool

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/internal/frame"
)

// syncer runs group syncs in one goroutine: for those who wait, and in the background.
type syncer struct {
	wake  chan struct{} // a round is wanted now
	armed chan struct{} // something has changed
	stop  chan struct{}
	wg    sync.WaitGroup
	last  error // of the final sync; written before wg is done

	mu      sync.Mutex
	next    *round // not begun; nil when nobody waits
	stopped bool
}

// round is one group sync and those who wait for it.
type round struct {
	done chan struct{}
	err  error // valid when done is closed
}

func (y *syncer) init() {
	y.wake = make(chan struct{}, 1)
	y.armed = make(chan struct{}, 1)
	y.stop = make(chan struct{})
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // there is one already
	}
}

func (y *syncer) arm() { signal(y.armed) }

// join gives the round that begins after now.
func (y *syncer) join() (*round, error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.stopped {
		return nil, ErrClosed
	}
	if y.next == nil {
		y.next = &round{done: make(chan struct{})}
	}
	signal(y.wake)
	return y.next, nil
}

func (y *syncer) take() *round {
	y.mu.Lock()
	defer y.mu.Unlock()
	r := y.next
	y.next = nil
	return r
}

// close runs the last round and waits for the goroutine.
func (y *syncer) close() error {
	y.mu.Lock()
	y.stopped = true
	y.mu.Unlock()
	close(y.stop)
	y.wg.Wait()
	return y.last
}

// start begins the background work, which close ends.
func (s *Spool) start() { s.syncer.wg.Go(s.syncLoop) }

func (s *Spool) syncLoop() {
	timer := time.NewTimer(0)
	timer.Stop()
	defer timer.Stop()
	for {
		select {
		case <-s.syncer.armed:
			if s.cfg.GroupSync > 0 {
				timer.Reset(s.cfg.GroupSync)
			}
			continue
		case <-s.syncer.wake:
		case <-timer.C:
		case <-s.syncer.stop:
			s.syncer.last = s.runRound(true)
			return
		}
		if s.runRound(false) != nil {
			s.syncer.arm() // again after the same time
		}
	}
}

// runRound syncs for all who have joined. An error that nobody waits for ends here, in the log.
func (s *Spool) runRound(final bool) error {
	r := s.syncer.take()
	err := s.groupSync()
	switch {
	case r != nil:
		r.err = err
		close(r.done)
	case err != nil && !final:
		s.cfg.Log.Warn("group sync failed", zap.String("dir", s.cfg.Dir), zap.Error(err))
	}
	return err
}

// Sync puts everything written before the call on stable storage. Concurrent callers share one group sync.
// The end of ctx ends the waiting, not the sync. A data file whose sync has failed once fails all later ones until it is sealed with
// checksums of all its bytes or not needed any more: what the disk has of it is not known. What can be proved is written again.
func (s *Spool) Sync(ctx context.Context) error {
	if s.closed.Load() {
		return ErrClosed
	}
	if s.synced.Load() == s.writes.Load() {
		return nil
	}
	r, err := s.syncer.join()
	if err != nil {
		return err
	}
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return fmt.Errorf("group sync: %w", context.Cause(ctx))
	}
}

// groupSync makes all of the log that is there now durable, with the data that it refers to. The order matters:
// the dead are taken first, so the records that made them superfluous are in front of upTo; upTo is taken before the dirty
// set, so what a record in front of it refers to is in the set; the SYNC frame follows the data.
func (s *Spool) groupSync() error {
	s.syncMu.Lock()
	defer s.syncMu.Unlock()
	s.segments.retireIdle(s, idleSize)
	s.armed.Store(false)
	changes := s.writes.Load()
	s.mu.Lock()
	dead := s.dead
	s.dead = nil
	s.mu.Unlock()
	err := s.syncUpToNow(dead)
	if err == nil {
		dead, err = s.eraseAll(dead), nil
		s.synced.Store(changes)
	}
	if len(dead) > 0 {
		s.mu.Lock()
		s.dead = append(s.dead, dead...)
		s.mu.Unlock()
	}
	if err != nil {
		return fmt.Errorf("group sync: %w", err)
	}
	return nil
}

func (s *Spool) syncUpToNow(dead []*storage) error {
	file, upTo, broken := s.logState()
	if err := s.flushDirty(dead, true); err != nil {
		return err
	}
	if err := s.appendSync(upTo); err != nil {
		return err
	}
	if err := s.syncLog(file, broken); err != nil {
		return err
	}
	s.cfg.OnSync(s.logPath())
	s.reserveLog()
	return nil
}

// flushDirty syncs all storage written up to now but the dead, and the directories that got new files. What fails
// stays dirty. repair: what the disk did not take is written again. The caller holds syncMu.
func (s *Spool) flushDirty(dead []*storage, repair bool) error {
	s.mu.Lock()
	set := s.dirty
	s.dirty = map[*storage]struct{}{}
	s.mu.Unlock()
	for _, st := range dead {
		delete(set, st)
	}
	var errs []error
	for st := range set {
		st.dirty.Store(false) // a write from here on marks it again
		if len(set) > 1 {
			errs = append(errs, s.startFlush(st))
		}
	}
	for st := range set {
		if st.failed == nil {
			st.failed = s.flush(st)
		}
		err := st.failed
		if err != nil && repair {
			if rerr := s.repair(st); rerr == nil {
				st.failed, err = nil, nil
			} else {
				err = fmt.Errorf("%w; %w", err, rerr)
			}
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("the disk does not take %v %016x: %w", st.kind, st.id, err))
			s.marked(st)
			continue
		}
		s.cfg.OnSync(st.path)
	}
	if s.segmentsMade.Swap(false) {
		errs = append(errs, s.syncDir(segmentDir))
	}
	if s.dataMade.Swap(false) {
		errs = append(errs, s.syncDir(dataDir))
	}
	return errors.Join(errs...)
}

func (s *Spool) syncDir(name string) error {
	path := filepath.Join(s.cfg.Dir, name)
	if err := frame.SyncDir(path); err != nil {
		return err
	}
	s.cfg.OnSync(path)
	return nil
}

// eraseAll removes the files of the dead and gives those back that it could not remove.
func (s *Spool) eraseAll(dead []*storage) (left []*storage) {
	for _, st := range dead {
		if err := s.erase(st); err != nil {
			s.cfg.Log.Warn("storage can not be removed", zap.String("path", st.path), zap.Error(err))
			left = append(left, st)
		}
	}
	return left
}

func (s *Spool) segmentsPath() string { return filepath.Join(s.cfg.Dir, segmentDir) }

func (s *Spool) logPath() string { return filepath.Join(s.cfg.Dir, logName) }
