package memstore

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/s3levelfs/s3levelfs/store"
)

// readBody reads a body from its start, outside the store's lock.
func readBody(body *io.SectionReader) ([]byte, error) {
	data := make([]byte, body.Size())
	if _, err := io.ReadFull(io.NewSectionReader(body, 0, body.Size()), data); err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}
	return data, nil
}

func bodyError(op Op, key string, err error) error {
	return &store.Error{Op: op, Key: key, Kind: store.ErrTransient, Err: err}
}

// Put implements store.Writer.
func (s *Store) Put(ctx context.Context, key string, body *io.SectionReader, h store.Headers, c store.Cond) (_ store.PutResult, err error) {
	data, err := readBody(body)
	if err != nil {
		return store.PutResult{}, bodyError("put", key, err)
	}
	done, err := s.begin(ctx, "put", key)
	defer done(int64(len(data)), &err)
	if err != nil {
		return store.PutResult{}, err
	}
	if err = s.check("put", key, c); err != nil {
		return store.PutResult{}, err
	}
	return s.store(key, data, etagOf(data), 0, h), nil
}

// Copy implements store.Writer.
func (s *Store) Copy(ctx context.Context, r store.CopyRequest) (_ store.PutResult, err error) {
	done, err := s.begin(ctx, "copy", r.Target, r.Source)
	defer done(0, &err)
	if err != nil {
		return store.PutResult{}, err
	}
	src, err := s.source("copy", r.Source, r.SourceETag)
	if err != nil {
		return store.PutResult{}, err
	}
	if !s.cfg.IgnoreCopyCond {
		if err = s.check("copy", r.Target, r.Cond); err != nil {
			return store.PutResult{}, err
		}
	}
	h := src.Headers.Clone()
	if r.Headers != nil {
		h = *r.Headers
	}
	return s.store(r.Target, src.data, etagOf(src.data), 0, h), nil
}

// source finds a copy's source; a wrong version is ErrChanged.
func (s *Store) source(op Op, key, etag string) (*object, error) {
	src, ok := s.objects[key]
	switch {
	case !ok:
		return nil, fail(op, key, 404, "NoSuchKey", store.ErrNotExist)
	case etag != "" && src.ETag != etag:
		return nil, fail(op, key, 412, "PreconditionFailed", store.ErrChanged)
	case src.archived:
		return nil, fail(op, key, 403, "InvalidObjectState", store.ErrArchived)
	}
	return src, nil
}

// Delete implements store.Writer.
func (s *Store) Delete(ctx context.Context, key string, c store.Cond) (err error) {
	done, err := s.begin(ctx, "delete", key)
	defer done(0, &err)
	if err != nil {
		return err
	}
	if _, exists := s.objects[key]; exists { // an absent key is no error whatever the condition
		if err = s.check("delete", key, c); err != nil {
			return err
		}
	}
	s.drop(key)
	return nil
}

// DeleteMany implements store.Writer. The policy is asked key by key.
func (s *Store) DeleteMany(ctx context.Context, keys []string) (failed []store.KeyError, err error) {
	done, err := s.begin(ctx, "delete-many")
	defer done(0, &err)
	if err != nil {
		return nil, err
	}
	if len(keys) > s.Limits().MaxDelete {
		err = fail("delete-many", keys[0], 400, "MalformedXML", store.ErrInvalid)
		return nil, err
	}
	for _, k := range keys {
		if s.cfg.Allow != nil && s.cfg.Allow("delete", k) != nil {
			failed = append(failed, store.KeyError{Key: k, Err: &store.Error{
				Op: "delete-many", Key: k, Status: 403, Code: "AccessDenied", Kind: store.ErrPermission,
			}})
			continue
		}
		s.drop(k)
	}
	return failed, nil
}

// Create implements store.Multipart.
func (s *Store) Create(ctx context.Context, key string, h store.Headers) (_ string, err error) {
	done, err := s.begin(ctx, "create", key)
	defer done(0, &err)
	if err != nil {
		return "", err
	}
	s.nextID++
	id := fmt.Sprintf("upload-%d", s.nextID)
	s.uploads[id] = &upload{key: key, headers: h.Clone(), parts: map[int32]part{}}
	return id, nil
}

func (s *Store) upload(op Op, key, id string) (*upload, error) {
	u, ok := s.uploads[id]
	if !ok || u.key != key {
		return nil, fail(op, key, 404, "NoSuchUpload", store.ErrNoUpload)
	}
	return u, nil
}

// UploadPart implements store.Multipart.
func (s *Store) UploadPart(ctx context.Context, key, id string, n int32, body *io.SectionReader) (_ store.Part, err error) {
	data, err := readBody(body)
	if err != nil {
		return store.Part{}, bodyError("upload-part", key, err)
	}
	done, err := s.begin(ctx, "upload-part", key)
	defer done(int64(len(data)), &err)
	if err != nil {
		return store.Part{}, err
	}
	u, err := s.upload("upload-part", key, id)
	if err != nil {
		return store.Part{}, err
	}
	return u.put(n, data), nil
}

func (u *upload) put(n int32, data []byte) store.Part {
	p := part{data: data, etag: etagOf(data)}
	u.parts[n] = p
	return store.Part{Number: n, ETag: p.etag, Size: int64(len(data))}
}

// CopyPart implements store.Multipart.
func (s *Store) CopyPart(ctx context.Context, key, id string, n int32, source, etag string, r store.Range) (_ store.Part, err error) {
	done, err := s.begin(ctx, "copy-part", key, source)
	defer done(0, &err)
	if err != nil {
		return store.Part{}, err
	}
	u, err := s.upload("copy-part", key, id)
	if err != nil {
		return store.Part{}, err
	}
	src, err := s.source("copy-part", source, etag)
	if err != nil {
		return store.Part{}, err
	}
	return u.put(n, slices.Clone(cut(src.data, r))), nil
}

// Complete implements store.Multipart.
func (s *Store) Complete(ctx context.Context, key, id string, parts []store.Part, c store.Cond) (_ store.PutResult, err error) {
	done, err := s.begin(ctx, "complete", key)
	defer done(0, &err)
	if err != nil {
		return store.PutResult{}, err
	}
	u, err := s.upload("complete", key, id)
	if err != nil {
		return store.PutResult{}, err
	}
	var data []byte
	var used []part
	for i, want := range parts {
		p, ok := u.parts[want.Number]
		switch {
		case !ok || p.etag != want.ETag:
			err = fail("complete", key, 400, "InvalidPart", store.ErrInvalid)
		case i > 0 && parts[i-1].Number >= want.Number:
			err = fail("complete", key, 400, "InvalidPartOrder", store.ErrInvalid)
		case i < len(parts)-1 && int64(len(p.data)) < s.cfg.MinPart:
			err = fail("complete", key, 400, "EntityTooSmall", store.ErrInvalid)
		}
		if err != nil {
			return store.PutResult{}, err
		}
		used, data = append(used, p), append(data, p.data...)
	}
	if len(used) == 0 {
		err = fail("complete", key, 400, "MalformedXML", store.ErrInvalid)
		return store.PutResult{}, err
	}
	if err = s.check("complete", key, c); err != nil {
		return store.PutResult{}, err
	}
	delete(s.uploads, id)
	return s.store(key, data, multipartETag(used), len(used), u.headers), nil
}

// Abort implements store.Multipart.
func (s *Store) Abort(ctx context.Context, key, id string) (err error) {
	done, err := s.begin(ctx, "abort", key)
	defer done(0, &err)
	if err != nil {
		return err
	}
	delete(s.uploads, id)
	return nil
}
