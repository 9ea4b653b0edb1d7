package vfs

import (
	"context"
	"math"
	"syscall"

	"github.com/s3levelfs/s3levelfs/uploader"
)

// maxFile is the largest file in bytes. Source: S3's largest object, 50 TB.
const maxFile = 50_000_000_000_000

// WriteAt writes like pwrite(2), all of p or an error; with O_APPEND off is
// ignored and p goes to the end.
func (h *Handle) WriteAt(ctx context.Context, p []byte, off int64) (int, error) {
	if !h.Writable() {
		return 0, fail("write", h.path, syscall.EBADF)
	}
	if h.flags&syscall.O_APPEND != 0 {
		h.of.appending.Lock()
		defer h.of.appending.Unlock()
		off = h.size()
	}
	if off < 0 || off > math.MaxInt64-int64(len(p)) || off+int64(len(p)) > maxFile {
		return 0, fail("write", h.path, syscall.EFBIG)
	}
	if len(p) == 0 {
		return 0, nil
	}
	n := 0
	err := h.write(func(f content) (err error) {
		n, err = f.WriteAt(ctx, p, off)
		return err
	})
	h.filled(off, n)
	return n, wrap("write", h.path, err)
}

// size of the file that the handle writes, in bytes.
func (h *Handle) size() (size int64) {
	h.of.view(func(s source) {
		if size = h.writer.Size(); s.kept != nil {
			size = s.kept.Size()
		}
	})
	return size
}

// truncate sets the size of an open file.
func (h *Handle) truncate(ctx context.Context, size int64) error {
	if !h.Writable() {
		return fail("truncate", h.path, syscall.EINVAL)
	}
	if size < 0 {
		return fail("truncate", h.path, syscall.EINVAL)
	}
	if size > maxFile {
		return fail("truncate", h.path, syscall.EFBIG)
	}
	return wrap("truncate", h.path, h.write(func(f content) error { return f.Truncate(ctx, size) }))
}

// Allocate is fallocate(2) for mode 0, KEEP_SIZE, PUNCH_HOLE and ZERO_RANGE; others
// give EOPNOTSUPP. Space is not reserved: the spool blocks writers when it is
// full, and the bucket has no end.
func (h *Handle) Allocate(ctx context.Context, off, size int64, mode uint32) error {
	const op = "fallocate"
	switch {
	case !h.Writable():
		return fail(op, h.path, syscall.EBADF)
	case off < 0 || size <= 0:
		return fail(op, h.path, syscall.EINVAL)
	case off > maxFile-size:
		return fail(op, h.path, syscall.EFBIG)
	}
	end := off + size
	keep := mode&FallocKeepSize != 0
	switch mode &^ FallocKeepSize {
	case 0:
	case FallocPunchHole:
		if !keep {
			return fail(op, h.path, syscall.EOPNOTSUPP)
		}
		return h.zero(ctx, off, min(end, h.size()))
	case FallocZeroRange:
		if err := h.zero(ctx, off, min(end, h.size())); err != nil {
			return err
		}
	default:
		return fail(op, h.path, syscall.EOPNOTSUPP)
	}
	if keep || end <= h.size() {
		return nil
	}
	return h.truncate(ctx, end)
}

// zero makes [off, end) zeros.
func (h *Handle) zero(ctx context.Context, off, end int64) error {
	if off >= end {
		return nil
	}
	return wrap("fallocate", h.path, h.write(func(f content) error { return f.PunchHole(ctx, off, end-off) }))
}

// Seek answers SEEK_DATA and SEEK_HOLE; ENXIO at or behind the end. A stored
// version is all data: its only hole is the one at the end.
func (h *Handle) Seek(_ context.Context, off int64, whence uint32) (int64, error) {
	const op = "lseek"
	if whence != SeekData && whence != SeekHole {
		return 0, fail(op, h.path, syscall.EINVAL)
	}
	var s source
	var size int64
	var extents []uploader.Extent
	h.of.view(func(now source) {
		s, size = now, now.length()
		if s.local != nil && s.kept == nil {
			extents = s.local.Extents()
		}
	})
	if off < 0 || off >= size {
		return 0, fail(op, h.path, syscall.ENXIO)
	}
	if s.local == nil || s.kept != nil {
		if whence == SeekData {
			return off, nil
		}
		return size, nil
	}
	for _, e := range extents {
		end := min(e.Off+e.Len, size)
		switch {
		case end <= off:
		case whence == SeekData:
			return max(off, e.Off), nil
		case e.Off > off:
			return off, nil
		default:
			off = end // within data: the hole begins behind it at the earliest
		}
	}
	if whence == SeekData {
		return 0, fail(op, h.path, syscall.ENXIO)
	}
	return min(off, size), nil
}
