package spool

import (
	"math"
	"sync"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// KeepFree is the part of a disk that the spool leaves to others: the less of the two that are set.
type KeepFree struct {
	Bytes   int64 // 0 = not set
	Percent int   // of the disk; 0 = not set
}

// Of is what is kept free of a disk of so many bytes.
func (k KeepFree) Of(total int64) int64 {
	keep := int64(math.MaxInt64)
	if k.Bytes > 0 {
		keep = k.Bytes
	}
	if k.Percent > 0 {
		keep = min(keep, total/100*int64(k.Percent))
	}
	if keep == math.MaxInt64 {
		return 0
	}
	return keep
}

// maxTrust bounds the bytes that are written between two looks at the disk: others write to it, too.
const maxTrust = 16 << 20

// room knows how much may be written before the disk has to be looked at again.
type room struct {
	mu   sync.Mutex
	left int64 // bytes
	deaf bool  // the disk does not tell, which has been logged
}

// take tells whether n bytes more may be written to the spool's disk.
func (r *room) take(s *Spool, n int64) bool {
	if s.cfg.KeepFree == (KeepFree{}) || n <= 0 {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if n > r.left {
		free, total, err := s.cfg.DiskRoom(s.cfg.Dir)
		if err != nil {
			if !r.deaf {
				s.cfg.Log.Warn("the disk does not tell what is free on it", zap.String("dir", s.cfg.Dir), zap.Error(err))
			}
			r.deaf = true
			return true
		}
		r.left = free - s.cfg.KeepFree.Of(total)
		if n > r.left {
			r.left = 0
			return false
		}
		r.left = min(r.left, max(maxTrust, n))
	}
	r.left -= n
	return true
}

// diskRoom asks the file system of a directory, for what an ordinary user may write.
func diskRoom(dir string) (free, total int64, err error) {
	var st unix.Statfs_t
	if err := retryEINTR(func() error { return unix.Statfs(dir, &st) }); err != nil {
		return 0, 0, err
	}
	return int64(st.Bavail) * st.Bsize, int64(st.Blocks) * st.Bsize, nil
}
