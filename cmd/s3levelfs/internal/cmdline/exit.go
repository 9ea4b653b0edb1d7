package cmdline

import (
	"context"
	"errors"
	"io/fs"

	"github.com/s3levelfs/s3levelfs/identity"
	"github.com/s3levelfs/s3levelfs/internal/config"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// Exit codes; scripts rely on them. Source: sysexits(3), but for 1.
const (
	ExitOK          = 0
	ExitOther       = 1
	ExitFound       = 2 // doctor, access or cors check has found something
	ExitUsage       = 64
	ExitUnavailable = 69 // store unreachable
	ExitExists      = 73 // put, cp or mv with --if-none-match: the key exists
	ExitUnsent      = 75 // unsent data left in the spool
	ExitPermission  = 77
	ExitConfig      = 78
)

// ExitText says what an exit code means; "" = there is none of that number.
func ExitText(code int) string {
	switch code {
	case ExitOK:
		return "ok"
	case ExitOther:
		return "another failure, which the message on standard error names"
	case ExitFound:
		return "it has found something that is wrong"
	case ExitUsage:
		return "usage: an option or an argument is wrong"
	case ExitUnavailable:
		return "the store, or the sign-in, can not be reached: try again later"
	case ExitExists:
		return "the key exists, and --if-none-match was given"
	case ExitUnsent:
		return "data that is in no bucket yet is left in the spool, which keeps it"
	case ExitPermission:
		return "permission: the rights do not allow it, or a login is needed"
	case ExitConfig:
		return "configuration: a setting, a file of settings or the bucket is wrong"
	}
	return ""
}

// CodedError is an error that knows its exit code.
type CodedError struct {
	code int
	err  error
}

func (e *CodedError) Error() string { return e.err.Error() }
func (e *CodedError) Unwrap() error { return e.err }

// WithCode gives an error its exit code; nil stays nil.
func WithCode(code int, err error) error {
	if err == nil {
		return nil
	}
	return &CodedError{code, err}
}

// ExitCode maps an error to the code that tells a script what to do.
func ExitCode(err error) int {
	if ce, ok := errors.AsType[*CodedError](err); ok {
		return ce.code
	}
	if ce, ok := errors.AsType[*config.Error](err); ok {
		if ce.Name != "" && ce.Origin == "" {
			return ExitUsage // a flag's value
		}
		return ExitConfig
	}
	switch {
	case errors.Is(err, store.ErrNoBucket), errors.Is(err, spool.ErrOwner):
		return ExitConfig
	case errors.Is(err, identity.ErrUnreachable):
		return ExitUnavailable
	case errors.Is(err, identity.ErrLoginNeeded), errors.Is(err, identity.ErrOtherIdentity), errors.Is(err, identity.ErrRefused):
		return ExitPermission
	case errors.Is(err, store.ErrCredentials), errors.Is(err, store.ErrExpired),
		errors.Is(err, store.ErrClockSkew), errors.Is(err, fs.ErrPermission):
		return ExitPermission
	case errors.Is(err, store.ErrTransient), errors.Is(err, context.DeadlineExceeded):
		return ExitUnavailable
	}
	return ExitOther
}
