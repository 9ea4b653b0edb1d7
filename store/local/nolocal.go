//go:build nolocal

package local

import (
	"context"
	"errors"
)

// errLeftOut is the answer of a binary without the server.
var errLeftOut = errors.New("built without the embedded server (tag nolocal): use an S3 endpoint")

// Server is never had in this binary.
type Server struct{}

// MaybeRunChild does nothing in this binary.
func MaybeRunChild() {}

// Start fails in this binary.
func Start(context.Context, Config) (*Server, error) { return nil, errLeftOut }

// Endpoint is empty in this binary.
func (*Server) Endpoint() string { return "" }

// Credentials are empty in this binary.
func (*Server) Credentials() Credentials { return Credentials{} }

// Pid is 0 in this binary.
func (*Server) Pid() int { return 0 }

// Wait fails in this binary.
func (*Server) Wait() error { return errLeftOut }

// Close does nothing in this binary.
func (*Server) Close() error { return nil }
