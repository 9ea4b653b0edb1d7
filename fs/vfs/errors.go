package vfs

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/s3levelfs/s3levelfs/store"
)

// fail is the error of an operation that this package refuses by itself. fs
// finds the number by errors.As.
func fail(op, path string, errno syscall.Errno) error {
	return fmt.Errorf("%s %q: %w", op, path, errno)
}

// wrap adds the operation and the path to an error from below; nil stays nil.
func wrap(op, path string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %q: %w", op, path, err)
}

// isAbsent: the name does not exist, by proof (a listing, a tombstone, the
// policy), not by a failed request.
func isAbsent(err error) bool {
	return errors.Is(err, syscall.ENOENT) || errors.Is(err, store.ErrNotExist)
}

// isVersionGone: a pinned read found another version, or none.
func isVersionGone(err error) bool {
	return errors.Is(err, store.ErrChanged) || errors.Is(err, store.ErrNotExist)
}

// isCancelled: the caller went away; nothing is known about the store.
func isCancelled(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
