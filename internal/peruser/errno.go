package peruser

import (
	"context"
	"errors"
	"syscall"
)

// Errno is what a program gets for an error of [Table.Use]: the errno that its tree has, EINTR for a caller who was interrupted, else EIO.
func Errno(err error) syscall.Errno {
	if errors.Is(err, context.Canceled) {
		return syscall.EINTR
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok && (errno == syscall.EACCES || errno == syscall.EUSERS || errno == syscall.ESHUTDOWN || errno == syscall.EBUSY) {
		return errno
	}
	return syscall.EIO // numbers of this process's own failures mean nothing to the program
}
