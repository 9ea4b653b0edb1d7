package spool

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/s3levelfs/s3levelfs/internal/frame"
)

// logReserve is the room, in bytes, that is kept behind the log's end, so that a full disk can still be emptied.
const logReserve = 64 << 10

func logFormat() frame.Format { return frame.Format{Magic: "s3lv-log", Version: 1} }

// namespaceLog is ns.log.
type namespaceLog struct {
	lastSeq atomic.Uint64 // written under mu

	// guarded by mu
	mu     sync.Mutex
	file   *frame.File
	enc    encoder
	closed bool
	broken error // a failed sync: the log has to be written again
}

// Append gives the records their Seq and writes them with one write(2): from
// then on they survive the end of the process. They are one batch: a recovery
// has all of them or none. After an error none was written.
func (s *Spool) Append(recs ...*Record) error {
	if len(recs) == 0 {
		return nil
	}
	s.log.mu.Lock()
	err := s.appendLocked(recs)
	if err == nil {
		s.note(recs)
	}
	s.log.mu.Unlock()
	if err != nil {
		for _, r := range recs {
			r.Seq = 0
		}
		return fmt.Errorf("append %v %q: %w", recs[0].Type, recs[0].Key, err)
	}
	s.touch()
	return nil
}

func (s *Spool) appendLocked(recs []*Record) error {
	l := &s.log
	if l.closed {
		return ErrClosed
	}
	l.enc.reset()
	seq := l.lastSeq.Load()
	for i, r := range recs {
		seq++
		r.Seq = seq
		if err := l.enc.add(r, i < len(recs)-1); err != nil {
			return err
		}
	}
	if err := l.file.Append(l.enc.buf); err != nil {
		return err
	}
	l.lastSeq.Store(seq)
	return nil
}

// appendSync writes the SYNC frame: all that was in the log up to the offset upTo is on stable storage with its data.
func (s *Spool) appendSync(upTo int64) error {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return s.appendLocked([]*Record{syncRecord(upTo)})
}

// reserveLog keeps room behind the log's end.
func (s *Spool) reserveLog() {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	s.log.file.Reserve(logReserve)
}

// logState tells the file and the offset of its end.
func (s *Spool) logState() (*frame.File, int64, error) {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return s.log.file, s.log.file.Size(), s.log.broken
}

// Checkpoint replaces the log atomically by one that holds just these records: sequence numbers go on; a
// record with a Seq (not above the last one given) keeps it, one without gets the next. The
// caller sees to it that nobody appends between the making of the snapshot and the return.
func (s *Spool) Checkpoint(snapshot []*Record) error {
	s.syncMu.Lock()
	defer s.syncMu.Unlock()
	// What the records refer to is on stable storage before they are. Most of it goes now, without blocking Append.
	if err := s.flushDirty(nil, true); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	err := s.flushDirty(nil, false)
	if err == nil {
		err = s.replaceLog(snapshot)
	}
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	s.renote(snapshot)
	s.touch()
	return nil
}

func (s *Spool) replaceLog(snapshot []*Record) error {
	l := &s.log
	if l.closed {
		return ErrClosed
	}
	last := l.lastSeq.Load()
	frames, seq, err := encodeLog(s.cfg.BootID, last, snapshot)
	if err != nil {
		return err
	}
	fresh, err := frame.Create(s.logPath(), logFormat(), frames)
	if err != nil {
		return err
	}
	s.cfg.OnSync(s.logPath())
	fresh.Reserve(logReserve)
	_ = l.file.Close() // nothing in it is needed any more
	l.file, l.broken = fresh, nil
	l.lastSeq.Store(seq)
	return nil
}

// encodeLog makes the frames of a log: BOOT, the records, SYNC. It gives numbers to the records that have none.
func encodeLog(boot string, last uint64, recs []*Record) (frames []byte, seq uint64, err error) {
	var enc encoder
	seq = last + 1
	if err := enc.add(bootRecord(seq, boot), false); err != nil {
		return nil, 0, err
	}
	for _, r := range recs {
		if r.Seq > last {
			return nil, 0, fmt.Errorf("record %d is newer than the log, which ends at %d", r.Seq, last)
		}
	}
	for _, r := range recs {
		if r.Seq == 0 {
			seq++
			r.Seq = seq
		}
		if err := enc.add(r, false); err != nil {
			return nil, 0, err
		}
	}
	seq++
	sync := syncRecord(frame.FileHeaderSize + int64(len(enc.buf)))
	sync.Seq = seq
	err = enc.add(sync, false)
	return enc.buf, seq, err
}

// renote makes named what the snapshot alone names. The caller holds log.mu.
func (s *Spool) renote(snapshot []*Record) {
	s.mu.Lock()
	old := s.named
	s.named = map[string][]*storage{}
	s.mu.Unlock()
	s.note(snapshot)
	for _, list := range old {
		for _, st := range list {
			s.unref(st)
		}
	}
}
