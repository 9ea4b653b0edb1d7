package store

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/s3levelfs/s3levelfs/store/op"
)

// inMemory is how much of a copy that goes through this machine is held in memory, bytes; more goes through a file without a name.
const inMemory = 1 << 20

// Copy implements [Writer]: by the provider where it can, else by a Get and a Put.
func (a *adapter) Copy(ctx context.Context, r CopyRequest) (PutResult, error) {
	for _, key := range []string{r.Source, r.Target} {
		if err := a.admit(ctx, op.Copy, key); err != nil {
			return PutResult{}, err
		}
	}
	if err := admitCond(op.Copy, r.Target, r.Cond); err != nil {
		return PutResult{}, err
	}
	if r.Source == r.Target && r.Headers == nil {
		return PutResult{}, answer(op.Copy, r.Target, "InvalidRequest", http.StatusBadRequest, ErrInvalid)
	}
	if p, ok := a.p.(Copier); ok {
		var res PutResult
		err := a.write(ctx, op.Copy, r.Target, r.Cond, func(c Cond) (err error) {
			q := r
			q.Cond = c
			res, err = p.Copy(ctx, q)
			return err
		})
		return res, err
	}
	return a.copyThrough(ctx, r)
}

// copyThrough fetches the source, all of it, and puts it under its new name.
func (a *adapter) copyThrough(ctx context.Context, r CopyRequest) (res PutResult, err error) {
	body, o, err := a.Get(ctx, r.Source, All, Cond{IfMatch: r.SourceETag})
	if err != nil {
		return res, failure(op.Copy, r.Target, err, false)
	}
	whole, drop, err := hold(body, o.Size)
	_ = body.Close() // what it had was read, or err says why not
	if err != nil {
		return res, failure(op.Copy, r.Target, fmt.Errorf("fetch %q to copy it: %w", r.Source, err), false)
	}
	defer drop()
	h := o.Headers.Clone()
	if r.Headers != nil {
		h = r.Headers.Clone()
		if h.Tags == "" {
			h.Tags = o.Headers.Tags
		}
	}
	c := r.Cond
	if r.Source == r.Target && c == (Cond{}) && o.ETag != "" {
		c.IfMatch = o.ETag // who writes it meanwhile must not be undone
	}
	return a.put(ctx, op.Copy, r.Target, whole, h, c)
}

// hold keeps size bytes for a body that may be read twice.
func hold(from io.Reader, size int64) (body *io.SectionReader, drop func(), err error) {
	if size <= inMemory {
		data := make([]byte, size)
		if _, err := io.ReadFull(from, data); err != nil {
			return nil, nil, err
		}
		return io.NewSectionReader(bytes.NewReader(data), 0, size), func() {}, nil
	}
	f, err := os.CreateTemp("", "s3levelfs-copy-*")
	if err != nil {
		return nil, nil, err
	}
	if err = os.Remove(f.Name()); err == nil { // it ends with the process
		_, err = io.CopyN(f, from, size)
	}
	if err != nil {
		_ = f.Close() // err says more
		return nil, nil, err
	}
	return io.NewSectionReader(f, 0, size), func() { _ = f.Close() }, nil
}
