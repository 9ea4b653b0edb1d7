package fs_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/s3levelfs/s3levelfs/fs"
	"github.com/s3levelfs/s3levelfs/store"
)

func storeErr(kind, cause error) error {
	return &store.Error{Op: "get", Key: "private/x", Code: "C", Status: 500, Kind: kind, Err: cause}
}

func TestErrno(t *testing.T) {
	wrap := func(err error) error { return fmt.Errorf("read %q: %w", "private/x", err) }
	refused := &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	spool := func(errno syscall.Errno) error { return &os.PathError{Op: "write", Path: "/state/seg", Err: errno} }
	for _, tc := range []struct {
		name string
		err  error
		want syscall.Errno
	}{
		{"nil", nil, 0},
		{"errno", syscall.ENAMETOOLONG, syscall.ENAMETOOLONG},
		{"wrapped errno", wrap(syscall.ENOTEMPTY), syscall.ENOTEMPTY},
		{"errno above a store error", fmt.Errorf("%w: %w", syscall.EACCES, storeErr(store.ErrTransient, nil)), syscall.EACCES},
		{"joined", errors.Join(errors.New("first"), syscall.EFBIG), syscall.EFBIG},

		{"not exist", wrap(storeErr(store.ErrNotExist, nil)), syscall.ENOENT},
		{"exist", wrap(storeErr(store.ErrExist, nil)), syscall.EEXIST},
		{"permission", wrap(storeErr(store.ErrPermission, nil)), syscall.EACCES},
		{"changed", wrap(storeErr(store.ErrChanged, nil)), syscall.ESTALE},
		{"no upload", storeErr(store.ErrNoUpload, nil), syscall.EIO},
		{"no bucket", storeErr(store.ErrNoBucket, nil), syscall.EIO},
		{"transient", storeErr(store.ErrTransient, nil), syscall.EIO},
		{"expired", storeErr(store.ErrExpired, nil), syscall.EKEYEXPIRED},
		{"credentials", storeErr(store.ErrCredentials, nil), syscall.EKEYREJECTED},
		{"clock", storeErr(store.ErrClockSkew, nil), syscall.EIO},
		{"archived", storeErr(store.ErrArchived, nil), syscall.EIO},
		{"invalid", storeErr(store.ErrInvalid, nil), syscall.EIO},
		{"kind of a foreign provider", storeErr(errors.New("novel"), nil), syscall.EIO},
		{"kind without a store error", wrap(store.ErrChanged), syscall.ESTALE},

		// The network's numbers say nothing to a program that reads a file.
		{"refused connection", storeErr(store.ErrTransient, refused), syscall.EIO},
		{"request given up", storeErr(store.ErrTransient, fmt.Errorf("get: %w", context.Canceled)), syscall.EINTR},
		{"time-out below a store error", storeErr(store.ErrTransient, context.DeadlineExceeded), syscall.EIO},

		// Nor do most of the spool's disk: a segment that is missing there is
		// not a file missing in the mount.
		{"spool missing", wrap(spool(syscall.ENOENT)), syscall.EIO},
		{"spool denied", wrap(spool(syscall.EACCES)), syscall.EIO},
		{"spool full", wrap(spool(syscall.ENOSPC)), syscall.ENOSPC},
		{"spool quota", wrap(spool(syscall.EDQUOT)), syscall.EDQUOT},
		{"bare syscall error", os.NewSyscallError("fsync", syscall.ENOSPC), syscall.ENOSPC},
		{"link error", &os.LinkError{Op: "rename", Err: syscall.ENOENT}, syscall.EIO},

		{"io/fs not exist", wrap(iofs.ErrNotExist), syscall.ENOENT},
		{"io/fs invalid", wrap(iofs.ErrInvalid), syscall.EINVAL},
		{"io/fs closed", wrap(iofs.ErrClosed), syscall.EBADF},
		{"unsupported", wrap(errors.ErrUnsupported), syscall.EOPNOTSUPP},
		{"interrupted", wrap(context.Canceled), syscall.EINTR},
		{"took too long", wrap(context.DeadlineExceeded), syscall.EIO},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, known := fs.Errno(tc.err)
			if got != tc.want || !known {
				t.Errorf("got %v (known %v), want %v", got, known, tc.want)
			}
		})
	}
	for _, err := range []error{errors.New("something"), wrap(io.ErrUnexpectedEOF), syscall.Errno(0)} {
		if got, known := fs.Errno(err); got != syscall.EIO || known {
			t.Errorf("%v: got %v, known %v; want an unknown EIO", err, got, known)
		}
	}
}
