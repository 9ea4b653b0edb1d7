package spool

import (
	"fmt"
	"os"

	"github.com/s3levelfs/s3levelfs/internal/frame"
)

// After a sync that failed the kernel takes its pages for written. What is on the disk is not known, and a later
// sync would succeed. The bytes are still in memory, mostly: where checksums prove that, they are written again, to a
// new file under the same name. Those of a data file are known when its generation is sealed, as far as they were taken while it was written; where
// they do not cover it, it fails every sync until it is not needed any more.

// repair writes a storage file again. The caller holds syncMu.
func (s *Spool) repair(st *storage) error {
	if st.kind == KindFile {
		return s.repairData(st)
	}
	s.segments.mu.Lock() // nobody appends to it meanwhile
	defer s.segments.mu.Unlock()
	err := s.with(st, func(f *os.File) error {
		info, err := f.Stat()
		if err != nil {
			return err
		}
		if err := s.cfg.SyncFile(st.path); err != nil {
			return err
		}
		fresh, err := frame.Rewrite(st.path, segmentFormat(), f, info.Size())
		if err != nil {
			return err
		}
		return fresh.Close()
	})
	if err != nil {
		if s.segments.active == st { // what comes goes elsewhere, so that it can end
			s.segments.retire(s)
		}
		return fmt.Errorf("write it again: %w", err)
	}
	s.files.reopen(st)
	s.cfg.OnSync(s.segmentsPath())
	return nil
}

// syncLog puts the log on stable storage. One that the disk did not take, now or before, is written again.
func (s *Spool) syncLog(file *frame.File, broken error) error {
	err := broken
	if err == nil {
		if err = s.cfg.SyncFile(s.logPath()); err == nil {
			err = file.Sync()
		}
	}
	if err == nil {
		return nil
	}
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	l := &s.log
	fresh, rerr := l.file, s.cfg.SyncFile(s.logPath())
	if rerr == nil {
		fresh, rerr = frame.Rewrite(s.logPath(), logFormat(), l.file, l.file.Size())
	}
	if rerr != nil {
		l.broken = err
		return fmt.Errorf("the disk does not take %s: %w; write it again: %w", logName, err, rerr)
	}
	_ = l.file.Close() // its bytes are in the new one
	l.file, l.broken = fresh, nil
	return nil
}
