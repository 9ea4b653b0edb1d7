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
