package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// with runs do on st's descriptor. The caller holds a reference on st.
func (s *Spool) with(st *storage, do func(f *os.File) error) error {
	f, err := s.files.acquire(st)
	if err != nil {
		return err
	}
	defer s.files.release(st)
	return do(f)
}

// write writes all of p at off.
func (s *Spool) write(st *storage, p []byte, off int64) error {
	f, err := s.files.acquire(st)
	if err != nil {
		return err
	}
	defer s.files.release(st)
	n, err := s.cfg.WriteAt(f, p, off)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return err
}

// read reads all of p at off; a file that ends before is damage.
func (s *Spool) read(st *storage, p []byte, off int64) error {
	f, err := s.files.acquire(st)
	if err != nil {
		return damaged(st, err)
	}
	defer s.files.release(st)
	if _, err := f.ReadAt(p, off); errors.Is(err, io.EOF) {
		return damaged(st, io.ErrUnexpectedEOF)
	} else if err != nil {
		return err
	}
	return nil
}

func damaged(st *storage, cause error) error {
	return fmt.Errorf("%w: %v %016x: %w", ErrDamaged, st.kind, st.id, cause)
}

// resize sets the length of st's file.
func (s *Spool) resize(st *storage, size int64) error {
	return s.with(st, func(f *os.File) error { return f.Truncate(size) })
}

// punch gives the room of [off, off+n) back to the file system. One that can not do that keeps the room: no
// extent refers to it.
func (s *Spool) punch(st *storage, off, n int64) error {
	return s.with(st, func(f *os.File) error {
		err := retryEINTR(func() error {
			return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, n)
		})
		if errors.Is(err, syscall.EOPNOTSUPP) {
			return nil
		}
		return err
	})
}

// flush puts st's bytes on stable storage.
func (s *Spool) flush(st *storage) error {
	if err := s.cfg.SyncFile(st.path); err != nil {
		return err
	}
	return s.with(st, func(f *os.File) error {
		return retryEINTR(func() error { return unix.Fdatasync(int(f.Fd())) })
	})
}

// startFlush starts the write-back of st without waiting for it, so that many files are written at once.
func (s *Spool) startFlush(st *storage) error {
	return s.with(st, func(f *os.File) error {
		err := unix.SyncFileRange(int(f.Fd()), 0, 0, unix.SYNC_FILE_RANGE_WRITE)
		if errors.Is(err, syscall.ENOSYS) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.EOPNOTSUPP) {
			return nil // an optimisation only
		}
		return err
	})
}

func retryEINTR(call func() error) error {
	for {
		if err := call(); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
