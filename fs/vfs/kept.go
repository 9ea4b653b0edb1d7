package vfs

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"

	"github.com/s3levelfs/s3levelfs/cache"
)

// content is what a write handle changes: the uploader's file, or a kept one.
type content interface {
	WriteAt(ctx context.Context, p []byte, off int64) (int, error)
	Truncate(ctx context.Context, size int64) error
	PunchHole(ctx context.Context, off, n int64) error
}

// keptFile has the bytes of a file whose name was given to another one while it was
// open: a temporary file that never had a name, so that nothing is left of it however the
// program ends.
type keptFile struct {
	file *os.File

	mu   sync.RWMutex
	size int64
}

// newKept copies what s has into a temporary file in dir.
func newKept(ctx context.Context, c *cache.Cache, s source, dir string) (*keptFile, error) {
	file, err := os.CreateTemp(dir, "s3levelfs-open-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	k := &keptFile{file: file, size: s.length()}
	var stream cache.Stream
	defer c.Leave(&stream)
	buf := make([]byte, min(k.size, 1<<20))
	for off := int64(0); off < k.size; {
		n, err := s.read(ctx, c, &stream, buf[:min(int64(len(buf)), k.size-off)], off)
		if n > 0 {
			if _, err := file.WriteAt(buf[:n], off); err != nil {
				return nil, errors.Join(err, file.Close())
			}
			off += int64(n)
		}
		if err != nil && (!errors.Is(err, io.EOF) || off < k.size) {
			return nil, errors.Join(err, file.Close())
		}
	}
	return k, nil
}

// Size in bytes.
func (k *keptFile) Size() int64 {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.size
}

// ReadAt is io.ReaderAt's.
func (k *keptFile) ReadAt(p []byte, off int64) (int, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	want := min(int64(len(p)), k.size-off)
	if want <= 0 {
		return 0, io.EOF
	}
	n, err := k.file.ReadAt(p[:want], off)
	if errors.Is(err, io.EOF) {
		clear(p[n:want])
		n, err = int(want), nil
	}
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

// WriteAt writes p and moves the end if need be.
func (k *keptFile) WriteAt(_ context.Context, p []byte, off int64) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	n, err := k.file.WriteAt(p, off)
	k.size = max(k.size, off+int64(n))
	return n, err
}

// Truncate sets the size.
func (k *keptFile) Truncate(_ context.Context, size int64) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.file.Truncate(size); err != nil {
		return err
	}
	k.size = size
	return nil
}

// PunchHole makes a range zeros.
func (k *keptFile) PunchHole(ctx context.Context, off, n int64) error {
	zeros := make([]byte, min(n, 1<<20))
	for n > 0 {
		m, err := k.WriteAt(ctx, zeros[:min(n, int64(len(zeros)))], off)
		if err != nil {
			return err
		}
		off, n = off+int64(m), n-int64(m)
	}
	return nil
}
