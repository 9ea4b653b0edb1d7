package store

import (
	"context"
	"io"
	"net/http"
	"os"

	"github.com/s3levelfs/s3levelfs/store/op"
)

// Head implements [Reader].
func (a *adapter) Head(ctx context.Context, key string, c Cond) (Object, error) {
	if err := a.admit(ctx, op.Head, key); err != nil {
		return Object{}, err
	}
	o, err := a.describe(ctx, key)
	if err != nil {
		return Object{}, failure(op.Head, key, err, false)
	}
	return o, judgeRead(op.Head, key, o, c)
}

// describe asks what is stored under a key, by a Get of nothing of it where there is no other way.
func (a *adapter) describe(ctx context.Context, key string) (o Object, err error) {
	if d, ok := a.p.(Describer); ok {
		o, err = d.Head(ctx, key)
	} else {
		var body io.ReadCloser
		if body, o, err = a.p.Get(ctx, key, Range{}); err == nil {
			err = body.Close()
		}
	}
	return described(o, key), err
}

// described completes what a provider says of an object.
func described(o Object, key string) Object {
	o.Key = key
	if o.Headers == nil {
		o.Headers = &Headers{}
	}
	return o
}

// Get implements [Reader].
func (a *adapter) Get(ctx context.Context, key string, r Range, c Cond) (io.ReadCloser, Object, error) {
	if err := a.admit(ctx, op.Get, key); err != nil {
		return nil, Object{}, err
	}
	if r.Part > 0 && a.limits.NoParts {
		r = All
	}
	if r.Off < 0 {
		return nil, Object{}, answer(op.Get, key, "InvalidRange", http.StatusRequestedRangeNotSatisfiable, ErrInvalid)
	}
	from, o, err := a.p.Get(ctx, key, r)
	if err != nil {
		return nil, Object{}, failure(op.Get, key, err, false)
	}
	o = described(o, key)
	if err := judgeRead(op.Get, key, o, c); err != nil {
		_ = from.Close() // nobody has read of it
		return nil, Object{}, err
	}
	left := max(o.Size-r.Off, 0)
	if r.Len >= 0 {
		left = min(left, r.Len)
	}
	if r.Part > 0 {
		left = o.Part.Len
	}
	return &answered{ctx: ctx, from: from, key: key, left: left}, o, nil
}

// answered is the body of a Get: of the length that the object has in the range, whatever comes. It is used by one goroutine.
type answered struct {
	ctx    context.Context //nolint:containedctx // a body ends with its request's context
	from   io.ReadCloser
	key    string
	left   int64
	closed bool
}

// Read implements [io.Reader].
func (b *answered) Read(p []byte) (int, error) {
	switch {
	case b.closed:
		return 0, os.ErrClosed
	case b.ctx.Err() != nil:
		return 0, &Error{Op: op.Get, Key: b.key, Kind: ErrTransient, Err: b.ctx.Err()}
	case b.left == 0:
		return 0, io.EOF
	}
	n, err := b.from.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	switch {
	case err == io.EOF && b.left > 0:
		return n, io.ErrUnexpectedEOF
	case err != nil && err != io.EOF:
		return n, failure(op.Get, b.key, err, false)
	}
	return n, nil // the end is told by the next call
}

// Close implements [io.Closer].
func (b *answered) Close() error {
	b.closed = true
	return failure(op.Get, b.key, b.from.Close(), false)
}
