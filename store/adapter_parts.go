package store

import (
	"context"
	"io"
	"net/http"

	"github.com/s3levelfs/s3levelfs/store/op"
)

// parts is the provider's multipart upload; an error where it has none.
func (a *adapter) parts(ctx context.Context, o, key string) (Multipart, error) {
	if err := a.admit(ctx, o, key); err != nil {
		return nil, err
	}
	if m, ok := a.p.(Multipart); ok {
		return m, nil
	}
	e := answer(o, key, "NotImplemented", http.StatusNotImplemented, ErrInvalid)
	e.Hint = "provider " + a.p.ProviderName() + " takes objects whole: put it in one request"
	return nil, e
}

// Create implements [Multipart].
func (a *adapter) Create(ctx context.Context, key string, h Headers) (string, error) {
	m, err := a.parts(ctx, op.Create, key)
	if err != nil {
		return "", err
	}
	id, err := m.Create(ctx, key, kept(h))
	return id, failure(op.Create, key, err, true)
}

// UploadPart implements [Multipart].
func (a *adapter) UploadPart(ctx context.Context, key, uploadID string, number int32, body *io.SectionReader) (Part, error) {
	m, err := a.parts(ctx, op.UploadPart, key)
	if err != nil {
		return Part{}, err
	}
	s := newSent(ctx, op.UploadPart, key, body)
	p, err := m.UploadPart(ctx, key, uploadID, number, s.section())
	return p, s.judge(failure(op.UploadPart, key, err, true))
}

// CopyPart implements [Multipart].
func (a *adapter) CopyPart(ctx context.Context, key, uploadID string, number int32, source, sourceETag string, r Range) (Part, error) {
	m, err := a.parts(ctx, op.CopyPart, key)
	if err != nil {
		return Part{}, err
	}
	p, err := m.CopyPart(ctx, key, uploadID, number, source, sourceETag, r)
	return p, failure(op.CopyPart, key, err, true)
}

// Complete implements [Multipart].
func (a *adapter) Complete(ctx context.Context, key, uploadID string, parts []Part, c Cond) (res PutResult, err error) {
	m, err := a.parts(ctx, op.Complete, key)
	if err != nil {
		return res, err
	}
	if err := admitCond(op.Complete, key, c); err != nil {
		return res, err
	}
	err = a.write(ctx, op.Complete, key, c, func(c Cond) (err error) {
		res, err = m.Complete(ctx, key, uploadID, parts, c)
		return err
	})
	return res, err
}

// Abort implements [Multipart]. Where there are no uploads there is nothing to drop.
func (a *adapter) Abort(ctx context.Context, key, uploadID string) error {
	if _, ok := a.p.(Multipart); !ok && ctx.Err() == nil {
		return nil
	}
	m, err := a.parts(ctx, op.Abort, key)
	if err != nil {
		return err
	}
	return failure(op.Abort, key, m.Abort(ctx, key, uploadID), true)
}
