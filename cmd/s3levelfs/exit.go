package main

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
	exitOK          = 0
	exitOther       = 1
	exitFound       = 2 // doctor, access or cors check has found something
	exitUsage       = 64
	exitUnavailable = 69 // store unreachable
	exitExists      = 73 // put, cp or mv with --if-none-match: the key exists
	exitUnsent      = 75 // unsent data left in the spool
	exitPermission  = 77
	exitConfig      = 78
)

// codedError is an error that knows its exit code.
type codedError struct {
	code int
	err  error
}

func (e *codedError) Error() string { return e.err.Error() }
func (e *codedError) Unwrap() error { return e.err }

func withCode(code int, err error) error {
	if err == nil {
		return nil
	}
	return &codedError{code, err}
}

// exitCode maps an error to the code that tells a script what to do.
func exitCode(err error) int {
	if ce, ok := errors.AsType[*codedError](err); ok {
		return ce.code
	}
	if ce, ok := errors.AsType[*config.Error](err); ok {
		if ce.Name != "" && ce.Origin == "" {
			return exitUsage // a flag's value
		}
		return exitConfig
	}
	switch {
	case errors.Is(err, store.ErrNoBucket), errors.Is(err, spool.ErrOwner):
		return exitConfig
	case errors.Is(err, identity.ErrUnreachable):
		return exitUnavailable
	case errors.Is(err, identity.ErrLoginNeeded), errors.Is(err, identity.ErrOtherIdentity), errors.Is(err, identity.ErrRefused):
		return exitPermission
	case errors.Is(err, store.ErrCredentials), errors.Is(err, store.ErrExpired),
		errors.Is(err, store.ErrClockSkew), errors.Is(err, fs.ErrPermission):
		return exitPermission
	case errors.Is(err, store.ErrTransient), errors.Is(err, context.DeadlineExceeded):
		return exitUnavailable
	}
	return exitOther
}
