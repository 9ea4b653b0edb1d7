package fs

import (
	"context"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	gofs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3levelfs/s3levelfs/fs/vfs"
)

var (
	_ gofs.FileReader    = (*file)(nil)
	_ gofs.FileWriter    = (*file)(nil)
	_ gofs.FileFlusher   = (*file)(nil)
	_ gofs.FileFsyncer   = (*file)(nil)
	_ gofs.FileReleaser  = (*file)(nil)
	_ gofs.FileAllocater = (*file)(nil)
	_ gofs.FileLseeker   = (*file)(nil)
)

// file is an open file: one open file description of the kernel, however many
// descriptors were made of it by dup(2) and fork(2).
type file struct {
	node *node

	// mu is held for reading by every operation and for writing by the
	// release, which so never overtakes one.
	mu     sync.RWMutex
	handle *vfs.Handle // guarded by mu; nil once released

	failed atomic.Pointer[failure] // the last read that failed; nil = none
}

// failure is a read that failed a moment ago.
type failure struct {
	off, end int64
	errno    syscall.Errno
	until    time.Time
}

// failureTime is how long a failed read answers for the bytes that it was asked for. When a read of
// several pages fails, the kernel asks at once for the first of them by itself: a store that does
// not answer would be waited for twice within one read(2).
const failureTime = time.Second

// lately gives the number of a read that has just failed on the same bytes, 0 if none has.
func (f *file) lately(off int64) syscall.Errno {
	if last := f.failed.Load(); last != nil && off >= last.off && off < last.end && time.Now().Before(last.until) {
		return last.errno
	}
	return 0
}

func (n *node) newFile(h *vfs.Handle) *file { return &file{node: n, handle: h} }

// with runs an operation on the handle.
func (f *file) with(op string, run func(*vfs.Handle) error) syscall.Errno {
	f.node.begin()
	defer f.node.end()
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.handle == nil {
		return syscall.EBADF
	}
	if err := run(f.handle); err != nil {
		return f.node.errno(op, err)
	}
	return 0
}

// Read gives len(dest) bytes, less at the end of the file, in dest or from where they lie.
func (f *file) Read(ctx context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	if errno := f.lately(off); errno != 0 {
		return nil, errno
	}
	ctx, release := f.node.mount.patient(ctx)
	defer release()
	var (
		lent loan
		got  int
	)
	errno := f.with("read", func(h *vfs.Handle) error {
		l, n, err := h.Lend(ctx, dest, off)
		if l != nil {
			lent = l
		}
		got = n
		if h.Resized() {
			f.forgetSize()
		}
		return err
	})
	switch errno {
	case 0:
	case syscall.EINTR, syscall.EBADF:
		return nil, errno
	default:
		f.failed.Store(&failure{off, off + int64(len(dest)), errno, time.Now().Add(failureTime)})
		return nil, errno
	}
	if lent != nil {
		return &lentReply{loan: lent, size: got}, 0
	}
	return fuse.ReadResultData(dest[:got]), 0
}

// forgetSize has the kernel ask for the attributes before it takes the size that it knows for the
// file's end. A negative offset leaves pages alone: waiting for one that is being read would be
// waiting for ourselves.
func (f *file) forgetSize() {
	const attributesOnly = -1
	_ = f.node.NotifyContent(attributesOnly, 0) // a kernel that does not know the node has nothing to forget
}

// Write writes all of data, or part of it where vfs did.
func (f *file) Write(ctx context.Context, data []byte, off int64) (uint32, syscall.Errno) {
	var put int
	errno := f.with("write", func(h *vfs.Handle) (err error) {
		put, err = h.WriteAt(context.WithoutCancel(ctx), data, off)
		if put > 0 {
			return nil // a short write: the error comes with the rest
		}
		return err
	})
	return uint32(put), errno
}

// Flush is close(2) of one descriptor.
func (f *file) Flush(ctx context.Context) syscall.Errno {
	return f.with("flush", func(h *vfs.Handle) error { return h.Flush(context.WithoutCancel(ctx)) })
}

// Fsync is fsync(2) and fdatasync(2): attributes travel with the bytes.
func (f *file) Fsync(ctx context.Context, _ uint32) syscall.Errno {
	return f.with("fsync", func(h *vfs.Handle) error { return h.Fsync(context.WithoutCancel(ctx)) })
}

// Allocate is fallocate(2).
func (f *file) Allocate(ctx context.Context, off, size uint64, mode uint32) syscall.Errno {
	return f.with("fallocate", func(h *vfs.Handle) error {
		return h.Allocate(context.WithoutCancel(ctx), int64(off), int64(size), mode)
	})
}

// Lseek answers SEEK_DATA and SEEK_HOLE; the kernel does the other ones.
func (f *file) Lseek(ctx context.Context, off uint64, whence uint32) (uint64, syscall.Errno) {
	ctx, release := f.node.mount.patient(ctx)
	defer release()
	var at int64
	errno := f.with("lseek", func(h *vfs.Handle) (err error) {
		at, err = h.Seek(ctx, int64(off), whence)
		return err
	})
	return uint64(at), errno
}

// Release ends the handle after its last operation. The kernel ignores the answer.
func (f *file) Release(ctx context.Context) syscall.Errno {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.handle == nil {
		return syscall.EBADF
	}
	h := f.handle
	f.handle = nil
	return f.node.errno("release", h.Release(context.WithoutCancel(ctx)))
}
