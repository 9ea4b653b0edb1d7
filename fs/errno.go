package fs

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/s3levelfs/s3levelfs/store"
)

// Errno is the one mapping from an error to the number that a program sees. nil
// is 0. known is false for an error of no known kind: it is EIO, and a bug that
// the caller logs.
//
// The error's tree is walked from the top; the first of these decides:
//
//   - a syscall.Errno, which package vfs put there on purpose
//   - a *store.Error: by its kind. Numbers below it are the network's (ECONNREFUSED …)
//     and mean nothing to a program that reads a file
//   - an *fs.PathError, *os.LinkError or *os.SyscallError of the local spool or
//     cache: numbers that tell of a full disk pass, all others are EIO. A
//     file missing in the spool is not a file missing in the mount
//   - the kinds of io/fs and of store, and the ends of a context
func Errno(err error) (errno syscall.Errno, known bool) {
	if err == nil {
		return 0, true
	}
	if errno, ok := walk(err); ok {
		return errno, true
	}
	return syscall.EIO, false
}

// walk looks at err and then at what it wraps, depth first, as errors.Is does.
func walk(err error) (syscall.Errno, bool) {
	if errno, ok := local(err); ok {
		return errno, true
	}
	switch e := err.(type) { //nolint:errorlint // this is the walk itself: one level at a time
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			return walk(inner)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			if errno, ok := walk(inner); ok {
				return errno, true
			}
		}
	}
	return 0, false
}

// local judges one error without what it wraps.
func local(err error) (syscall.Errno, bool) {
	switch e := err.(type) { //nolint:errorlint // see walk
	case syscall.Errno:
		return e, e != 0
	case *store.Error:
		if errors.Is(e.Err, context.Canceled) {
			return syscall.EINTR, true // a request that its caller gave up
		}
		return ofKind(e.Kind), true
	case *fs.PathError, *os.LinkError, *os.SyscallError:
		return ofDisk(err), true
	}
	return ofSentinel(err)
}

// ofKind maps a kind of package store, EIO for one that it does not know.
func ofKind(kind error) syscall.Errno {
	if errno, ok := ofSentinel(kind); ok {
		return errno
	}
	return syscall.EIO
}

// sentinel pairs a kind with its number.
type sentinel struct {
	kind  error
	errno syscall.Errno
}

// sentinels lists the kinds. Those about credentials follow the kernel's own
// network file systems (AFS, NFS with Kerberos): "Key has expired" leads a
// person to the login, "Permission denied" would lead to the role's policy.
func sentinels() [17]sentinel {
	return [...]sentinel{
		{fs.ErrNotExist, syscall.ENOENT},
		{fs.ErrExist, syscall.EEXIST},
		{fs.ErrPermission, syscall.EACCES},
		{fs.ErrInvalid, syscall.EINVAL},
		{fs.ErrClosed, syscall.EBADF},
		{store.ErrChanged, syscall.ESTALE},
		{store.ErrNoUpload, syscall.EIO},
		{store.ErrNoBucket, syscall.EIO}, // not ENOENT: the file may well exist
		{store.ErrTransient, syscall.EIO},
		{store.ErrExpired, syscall.EKEYEXPIRED},
		{store.ErrCredentials, syscall.EKEYREJECTED},
		{store.ErrClockSkew, syscall.EIO},
		{store.ErrArchived, syscall.EIO},
		{store.ErrInvalid, syscall.EIO},
		{errors.ErrUnsupported, syscall.EOPNOTSUPP},
		{context.Canceled, syscall.EINTR},
		{context.DeadlineExceeded, syscall.EIO}, // a read that keeps failing is EIO (promise 9)
	}
}

// ofSentinel compares err itself with the kinds.
func ofSentinel(err error) (syscall.Errno, bool) {
	for _, s := range sentinels() {
		if err == s.kind { //nolint:errorlint // see walk
			return s.errno, true
		}
	}
	return 0, false
}

// ofDisk maps what the spool's or the cache's disk answered.
func ofDisk(err error) syscall.Errno {
	for _, errno := range [...]syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, errno) {
			return errno
		}
	}
	return syscall.EIO
}

// hidesCause tells whether a program that sees errno can not tell what went
// wrong, so that the log must.
func hidesCause(errno syscall.Errno) bool {
	switch errno {
	case syscall.EIO, syscall.ESTALE, syscall.EKEYEXPIRED, syscall.EKEYREJECTED, syscall.ENOSPC, syscall.EDQUOT:
		return true
	}
	return false
}
