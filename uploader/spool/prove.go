package spool

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"slices"
)

// A data file has no frames whose checksums prove its bytes. The record that seals its generation tells those of its parts, as far as the
// writer knows them (Record.Sums).

// Check reads what sums cover of [off, off+n), whole sums, and compares. Errors: ErrDamaged, ErrGone.
func (c *Content) Check(sums []Sum, off, n int64) error {
	for _, x := range sums {
		if x.Off >= off+n || x.Off+x.Len <= off {
			continue
		}
		h := crc32.NewIEEE()
		_, err := io.Copy(h, io.NewSectionReader(section{c: c}, x.Off, x.Len))
		if err != nil {
			return err
		}
		if h.Sum32() != x.CRC {
			return fmt.Errorf("%w: %s has other bytes in [%d, %d)", ErrDamaged, c.gen, x.Off, x.Off+x.Len)
		}
	}
	return nil
}

// proves notes what a record tells of the bytes of its generation's own data file. The caller holds s.mu.
func (s *Spool) proves(r *Record, list []*storage) {
	if !r.Type.seals() {
		return
	}
	for _, st := range list {
		if st.kind == KindFile && st.gen == r.Gen {
			st.proof = proofOf(r, st.id)
		}
	}
}

// proofOf lists the sums of a record that are of a data file alone; nil: something may be written to it yet.
func proofOf(r *Record, id uint64) []Sum {
	var own []Range // runs of its extents in the file
	for _, x := range r.Extents {
		switch n := len(own); {
		case x.Kind == KindBase:
			return nil
		case x.Storage != id || x.Pos != x.Off:
		case n > 0 && own[n-1].Off+own[n-1].Len == x.Off:
			own[n-1].Len += x.Len
		default:
			own = append(own, Range{Off: x.Off, Len: x.Len})
		}
	}
	return slices.DeleteFunc(slices.Clone(r.Sums), func(x Sum) bool { return !inside(own, x.Off, x.Len) })
}

// repairData writes a data file again whose every byte is proved. The caller holds syncMu.
func (s *Spool) repairData(st *storage) error {
	s.mu.Lock()
	proof := st.proof
	s.mu.Unlock()
	if len(proof) == 0 {
		return errors.New("its bytes can not be proved")
	}
	err := s.with(st, func(f *os.File) error {
		runs, err := prove(f, proof)
		if err != nil {
			return err
		}
		if err := s.cfg.SyncFile(st.path); err != nil {
			return err
		}
		return copyRuns(f, st, runs)
	})
	if err != nil {
		return fmt.Errorf("write it again: %w", errors.Join(err, removeHidden(st)))
	}
	s.files.reopen(st)
	return s.syncDir(dataDir)
}

// prove compares a file with its sums and lists where it has data: all of it has to be covered.
func prove(f *os.File, proof []Sum) ([]Range, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	runs, err := dataRuns(f, info.Size())
	if err != nil {
		return nil, err
	}
	var covered []Range
	for _, x := range proof {
		if n := len(covered); n > 0 && covered[n-1].Off+covered[n-1].Len == x.Off {
			covered[n-1].Len += x.Len
		} else {
			covered = append(covered, Range{Off: x.Off, Len: x.Len})
		}
		h := crc32.NewIEEE()
		if _, err := io.Copy(h, io.NewSectionReader(f, x.Off, x.Len)); err != nil {
			return nil, err
		}
		if h.Sum32() != x.CRC {
			return nil, fmt.Errorf("%w: other bytes in [%d, %d)", ErrDamaged, x.Off, x.Off+x.Len)
		}
	}
	for _, r := range runs {
		if !inside(covered, r.Off, r.Len) {
			return nil, errors.New("not all of its bytes can be proved")
		}
	}
	return runs, nil
}

// copyRuns makes a copy of a file, which takes its name when it is on stable storage.
func copyRuns(f *os.File, st *storage, runs []Range) (err error) {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	to, err := os.OpenFile(hiddenPath(st), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, to.Close()) }()
	if err := to.Truncate(info.Size()); err != nil {
		return err
	}
	for _, r := range runs {
		if _, err := io.Copy(io.NewOffsetWriter(to, r.Off), io.NewSectionReader(f, r.Off, r.Len)); err != nil {
			return err
		}
	}
	if err := to.Sync(); err != nil {
		return err
	}
	return os.Rename(hiddenPath(st), st.path)
}
