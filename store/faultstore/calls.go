package faultstore

import (
	"context"
	"io"
	"iter"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/op"
)

// Head implements store.Reader.
func (s *Store) Head(ctx context.Context, key string, c store.Cond) (store.Object, error) {
	var o store.Object
	err := s.call(ctx, Call{Op: op.Head, Key: key, Cond: c}, func(ctx context.Context, _ Fault) (err error) {
		o, err = s.inner.Head(ctx, key, c)
		return err
	})
	if err != nil {
		return store.Object{}, err
	}
	return o, nil
}

// Get implements store.Reader.
func (s *Store) Get(ctx context.Context, key string, r store.Range, c store.Cond) (io.ReadCloser, store.Object, error) {
	var (
		rc io.ReadCloser
		o  store.Object
	)
	call := Call{Op: op.Get, Key: key, Range: r, Cond: c}
	err := s.call(ctx, call, func(ctx context.Context, f Fault) error {
		inner, found, err := s.inner.Get(ctx, key, r, c)
		if err != nil {
			return err
		}
		rc, o = &body{ctx: ctx, s: s, call: call, fault: f, inner: inner}, found
		return nil
	})
	if err != nil {
		if rc != nil {
			_ = rc.Close() // the caller gets the fault, not the body
		}
		return nil, store.Object{}, err
	}
	return rc, o, nil
}

// List implements store.Reader.
func (s *Store) List(ctx context.Context, prefix string, o store.ListOptions) iter.Seq2[store.Page, error] {
	return func(yield func(store.Page, error) bool) {
		next, stop := iter.Pull2(s.inner.List(ctx, prefix, o))
		defer stop()
		for {
			var page store.Page
			more := true
			err := s.call(ctx, Call{Op: op.List, Key: prefix}, func(context.Context, Fault) (err error) {
				page, err, more = next()
				return err
			})
			if err != nil {
				yield(store.Page{}, err)
				return
			}
			if !more || !yield(page, nil) || !page.More {
				return
			}
		}
	}
}

// Put implements store.Writer.
func (s *Store) Put(ctx context.Context, key string, body *io.SectionReader, h store.Headers, c store.Cond) (store.PutResult, error) {
	var res store.PutResult
	err := s.call(ctx, Call{Op: op.Put, Key: key, Cond: c}, func(ctx context.Context, _ Fault) (err error) {
		res, err = s.inner.Put(ctx, key, body, h, c)
		return err
	})
	return orZero(res, err)
}

// ProbePut implements store.Prober, as a put.
func (s *Store) ProbePut(ctx context.Context, key string, c store.Cond) (stored bool, err error) {
	err = s.call(ctx, Call{Op: op.Put, Key: key, Cond: c}, func(ctx context.Context, _ Fault) (err error) {
		stored, err = store.ProbePut(ctx, s.inner, key, c)
		return err
	})
	return stored, err
}

// Copy implements store.Writer.
func (s *Store) Copy(ctx context.Context, r store.CopyRequest) (store.PutResult, error) {
	var res store.PutResult
	call := Call{Op: op.Copy, Key: r.Target, Source: r.Source, Cond: r.Cond}
	err := s.call(ctx, call, func(ctx context.Context, _ Fault) (err error) {
		res, err = s.inner.Copy(ctx, r)
		return err
	})
	return orZero(res, err)
}

// Delete implements store.Writer.
func (s *Store) Delete(ctx context.Context, key string, c store.Cond) error {
	return s.call(ctx, Call{Op: op.Delete, Key: key, Cond: c}, func(ctx context.Context, _ Fault) error {
		return s.inner.Delete(ctx, key, c)
	})
}

// DeleteMany implements store.Writer.
func (s *Store) DeleteMany(ctx context.Context, keys []string) ([]store.KeyError, error) {
	var failed []store.KeyError
	call := Call{Op: op.DeleteMany}
	if len(keys) > 0 {
		call.Key = keys[0]
	}
	err := s.call(ctx, call, func(ctx context.Context, f Fault) error {
		send := keys
		if f.keys != nil {
			send = nil
			for _, k := range keys {
				if f.keys(k) {
					failed = append(failed, store.KeyError{Key: k, Err: f.failure(Call{Op: op.Delete, Key: k})})
				} else {
					send = append(send, k)
				}
			}
		}
		more, err := s.inner.DeleteMany(ctx, send)
		failed = append(failed, more...)
		return err
	})
	return failed, err
}

// Create implements store.Multipart.
func (s *Store) Create(ctx context.Context, key string, h store.Headers) (string, error) {
	var id string
	err := s.call(ctx, Call{Op: op.Create, Key: key}, func(ctx context.Context, _ Fault) (err error) {
		id, err = s.inner.Create(ctx, key, h)
		return err
	})
	return orZero(id, err)
}

// UploadPart implements store.Multipart.
func (s *Store) UploadPart(ctx context.Context, key, uploadID string, number int32, body *io.SectionReader) (store.Part, error) {
	var p store.Part
	call := Call{Op: op.UploadPart, Key: key, Part: number}
	err := s.call(ctx, call, func(ctx context.Context, _ Fault) (err error) {
		p, err = s.inner.UploadPart(ctx, key, uploadID, number, body)
		return err
	})
	return orZero(p, err)
}

// CopyPart implements store.Multipart.
func (s *Store) CopyPart(ctx context.Context, key, uploadID string, number int32, source, sourceETag string, r store.Range) (store.Part, error) {
	var p store.Part
	call := Call{Op: op.CopyPart, Key: key, Source: source, Part: number, Range: r}
	err := s.call(ctx, call, func(ctx context.Context, _ Fault) (err error) {
		p, err = s.inner.CopyPart(ctx, key, uploadID, number, source, sourceETag, r)
		return err
	})
	return orZero(p, err)
}

// Complete implements store.Multipart.
func (s *Store) Complete(ctx context.Context, key, uploadID string, parts []store.Part, c store.Cond) (store.PutResult, error) {
	var res store.PutResult
	err := s.call(ctx, Call{Op: op.Complete, Key: key, Cond: c}, func(ctx context.Context, _ Fault) (err error) {
		res, err = s.inner.Complete(ctx, key, uploadID, parts, c)
		return err
	})
	return orZero(res, err)
}

// Abort implements store.Multipart.
func (s *Store) Abort(ctx context.Context, key, uploadID string) error {
	return s.call(ctx, Call{Op: op.Abort, Key: key}, func(ctx context.Context, _ Fault) error {
		return s.inner.Abort(ctx, key, uploadID)
	})
}

// orZero keeps a result that was applied but not answered from the caller.
func orZero[T any](v T, err error) (T, error) {
	if err != nil {
		var zero T
		return zero, err
	}
	return v, nil
}
