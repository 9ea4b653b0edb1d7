package memstore

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/op"
)

// Put implements store.Writer.
func (s *Store) Put(ctx context.Context, key string, body *io.SectionReader, h store.Headers, c store.Cond) (store.PutResult, error) {
	data, bodyErr := readBody(body)
	var res store.PutResult
	r := Request{Op: op.Put, Key: key, Cond: c, Received: int64(len(data))}
	err := s.do(ctx, r, func(*Request) *store.Error {
		if bodyErr != nil {
			return bodyErr
		}
		if e := checkSum(ctx, data); e != nil {
			return e
		}
		if int64(len(data)) > s.cfg.Limits.MaxPut {
			return failure(codeEntityTooLarge)
		}
		h, e := s.acceptHeaders(h)
		if e == nil {
			e = s.writeCond(s.objects[key], c)
		}
		if e != nil {
			return e
		}
		o := s.newObject(data, h)
		s.insert(key, o)
		res.ETag = o.etag
		return nil
	})
	return res, err
}

// ProbePut implements store.Prober: this store compares every digest, so that nothing is stored.
func (s *Store) ProbePut(ctx context.Context, key string, c store.Cond) (stored bool, err error) {
	err = s.do(ctx, Request{Op: op.Put, Key: key, Cond: c}, func(*Request) *store.Error { return failure(codeBadDigest) })
	if e, ok := errors.AsType[*store.Error](err); ok && e.Code == codeBadDigest {
		return false, nil
	}
	return false, err
}

// Copy implements store.Writer.
func (s *Store) Copy(ctx context.Context, q store.CopyRequest) (store.PutResult, error) {
	var res store.PutResult
	r := Request{Op: op.Copy, Key: q.Target, Source: q.Source, Cond: q.Cond}
	err := s.do(ctx, r, func(*Request) *store.Error {
		src, e := s.copySource(q.Source, q.SourceETag)
		if e != nil {
			return e
		}
		if int64(len(src.data)) > s.cfg.Limits.MaxCopy || (q.Source == q.Target && q.Headers == nil) {
			return failure(codeInvalidRequest)
		}
		h := src.headers.Clone()
		if q.Headers != nil {
			if h, e = s.acceptHeaders(*q.Headers); e != nil {
				return e
			}
			if q.Headers.Tags == "" {
				h.Tags = src.headers.Tags
			}
		}
		if s.cfg.DenyTags && h.Tags != "" {
			return failure(codeAccessDenied)
		}
		if !s.cfg.IgnoreCopyCond {
			if e := s.writeCond(s.objects[q.Target], q.Cond); e != nil {
				return e
			}
		}
		o := s.newObject(src.data, h)
		if src.checksum != "" {
			o.checksum = src.checksum // the store copies bytes and sum, it does not look
		}
		s.insert(q.Target, o)
		res = store.PutResult{ETag: o.etag, LastModified: o.lastModified}
		return nil
	})
	return res, err
}

// copySource finds the source of a copy, pinned by etag unless that is empty.
// mu is held.
func (s *Store) copySource(key, etag string) (*object, *store.Error) {
	src, e := s.source(key)
	switch {
	case e != nil:
		return nil, e
	case etag != "" && etag != src.etag:
		return nil, failure(codePrecondition)
	case src.archived():
		return nil, failure(codeArchived)
	}
	return src, nil
}

// Delete implements store.Writer.
func (s *Store) Delete(ctx context.Context, key string, c store.Cond) error {
	return s.do(ctx, Request{Op: op.Delete, Key: key, Cond: c}, func(*Request) *store.Error {
		o := s.objects[key]
		switch {
		case c.IfNoneMatch || !c.IfUnmodifiedSince.IsZero():
			return failure(codeNotImplemented)
		case o == nil:
			return nil
		}
		if e := s.writeCond(o, c); e != nil {
			return e
		}
		s.remove(key)
		return nil
	})
}

// DeleteMany implements store.Writer. Of no keys it is no request.
func (s *Store) DeleteMany(ctx context.Context, keys []string) ([]store.KeyError, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	keys = slices.Clone(keys)
	s.mu.Lock()
	allow := s.allow
	s.mu.Unlock()
	denied := make([]error, len(keys))
	if allow != nil {
		for i, k := range keys {
			denied[i] = allow(op.DeleteMany, k)
		}
	}
	var failed []store.KeyError
	err := s.do(ctx, Request{Op: op.DeleteMany, Keys: keys}, func(*Request) *store.Error {
		if len(keys) > s.cfg.Limits.MaxDelete || slices.Contains(keys, "") {
			return failure(codeMalformedXML)
		}
		for i, k := range keys {
			if denied[i] != nil {
				e := accessDenied(denied[i])
				e.Op, e.Key = op.Delete, k
				failed = append(failed, store.KeyError{Key: k, Err: e})
				continue
			}
			s.remove(k)
		}
		return nil
	})
	return failed, err
}
