package object

import (
	"context"
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// prompt reads a file that may have nothing to read for long, a terminal or a pipe, until its context ends: a read(2) itself can not be ended.
type prompt struct {
	ctx   context.Context //nolint:containedctx // of the one put that reads it
	from  *os.File
	wake  *os.File // can be read when the context has ended
	close func()
}

// newPrompt makes a reader; its close must be called, and leaves the file open.
func newPrompt(ctx context.Context, from *os.File) (*prompt, error) {
	wake, other, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = other.Close() })
	return &prompt{ctx: ctx, from: from, wake: wake, close: func() {
		if stop() { // else other is closed, or about to be
			_ = other.Close()
		}
		_ = wake.Close()
	}}, nil
}

// Read implements [io.Reader].
func (p *prompt) Read(b []byte) (int, error) {
	for {
		fds := []unix.PollFd{{Fd: int32(p.from.Fd()), Events: unix.POLLIN}, {Fd: int32(p.wake.Fd()), Events: unix.POLLIN}}
		_, err := unix.Poll(fds, -1)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 0, os.NewSyscallError("poll", err)
		case p.ctx.Err() != nil:
			return 0, context.Cause(p.ctx)
		default:
			return p.from.Read(b)
		}
	}
}

var _ io.Reader = (*prompt)(nil)
