package memstore

import (
	"context"
	"crypto/md5" //nolint:gosec // S3's ETag is an MD5, nothing is protected by it
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/op"
)

// upload is a multipart upload. A completed one stays, for a second Complete.
type upload struct {
	key     string
	created time.Time
	headers store.Headers
	parts   map[int32]part

	completed []store.Part // as listed by Complete
	result    *store.PutResult
}

type part struct {
	data []byte
	etag string
}

// Create implements store.Multipart.
func (s *Store) Create(ctx context.Context, key string, h store.Headers) (string, error) {
	var id string
	err := s.do(ctx, Request{Op: op.Create, Key: key}, func(*Request) *store.Error {
		h, e := s.acceptHeaders(h)
		if e != nil {
			return e
		}
		s.nextID++
		id = fmt.Sprintf("upload-%d", s.nextID)
		s.uploads[id] = &upload{key: key, created: s.now(), headers: h, parts: map[int32]part{}}
		return nil
	})
	return id, err
}

// UploadPart implements store.Multipart.
func (s *Store) UploadPart(ctx context.Context, key, uploadID string, number int32, body *io.SectionReader) (store.Part, error) {
	data, bodyErr := readBody(body)
	var p store.Part
	r := Request{Op: op.UploadPart, Key: key, Part: number, Received: int64(len(data))}
	err := s.do(ctx, r, func(*Request) *store.Error {
		if bodyErr != nil {
			return bodyErr
		}
		if e := checkSum(ctx, data); e != nil {
			return e
		}
		u, e := s.openUpload(key, uploadID)
		if e != nil {
			return e
		}
		p, e = s.addPart(u, number, data)
		return e
	})
	return p, err
}

// CopyPart implements store.Multipart. Unlike a Get's, the range must lie
// wholly inside the source and have an end; store.All copies the whole source.
func (s *Store) CopyPart(ctx context.Context, key, uploadID string, number int32, source, sourceETag string, rg store.Range) (store.Part, error) {
	var p store.Part
	r := Request{Op: op.CopyPart, Key: key, Source: source, Part: number, Range: rg}
	err := s.do(ctx, r, func(*Request) *store.Error {
		u, e := s.openUpload(key, uploadID)
		if e != nil {
			return e
		}
		src, e := s.copySource(source, sourceETag)
		if e != nil {
			return e
		}
		size := int64(len(src.data))
		if rg == store.All {
			rg.Len = size
		} else if rg.Off < 0 || rg.Len <= 0 || rg.Off > size || rg.Len > size-rg.Off {
			return failure(codeInvalidRange)
		}
		p, e = s.addPart(u, number, clip(src.data, rg))
		return e
	})
	return p, err
}

// openUpload finds an upload that takes parts. mu is held.
func (s *Store) openUpload(key, id string) (*upload, *store.Error) {
	u := s.uploads[id]
	if u == nil || u.key != key || u.result != nil {
		return nil, failure(codeNoSuchUpload)
	}
	return u, nil
}

// addPart keeps a part, in place of an earlier one of its number. mu is held.
func (s *Store) addPart(u *upload, number int32, data []byte) (store.Part, *store.Error) {
	switch {
	case number < 1 || int(number) > s.cfg.Limits.MaxParts:
		return store.Part{}, failure(codeInvalidArgument)
	case int64(len(data)) > s.cfg.Limits.MaxPart:
		return store.Part{}, failure(codeEntityTooLarge)
	}
	p := part{data: data, etag: etagOf(data)}
	u.parts[number] = p
	return store.Part{Number: number, ETag: p.etag, Size: int64(len(data)), Checksum: checksumOf(data)}, nil
}

// Complete implements store.Multipart.
func (s *Store) Complete(ctx context.Context, key, uploadID string, parts []store.Part, c store.Cond) (store.PutResult, error) {
	var res store.PutResult
	err := s.do(ctx, Request{Op: op.Complete, Key: key, Cond: c}, func(*Request) *store.Error {
		u := s.uploads[uploadID]
		if u == nil || u.key != key {
			return failure(codeNoSuchUpload)
		}
		if u.result != nil {
			return u.again(parts, &res)
		}
		o, e := s.assemble(u, parts)
		if e == nil {
			e = s.writeCond(s.objects[key], c)
		}
		if e != nil {
			return e
		}
		s.insert(key, o)
		res.ETag = o.etag
		if s.cfg.ForgetCompleted {
			delete(s.uploads, uploadID)
			return nil
		}
		u.parts, u.completed, u.result = nil, slices.Clone(parts), &res
		return nil
	})
	return res, err
}

// again answers a repeated Complete.
func (u *upload) again(parts []store.Part, res *store.PutResult) *store.Error {
	same := slices.EqualFunc(parts, u.completed, func(a, b store.Part) bool {
		return a.Number == b.Number && a.ETag == b.ETag
	})
	if !same {
		return failure(codeInvalidPart)
	}
	*res = *u.result
	return nil
}

// assemble makes the object out of the listed parts. mu is held.
func (s *Store) assemble(u *upload, parts []store.Part) (*object, *store.Error) {
	if len(parts) == 0 || len(parts) > s.cfg.Limits.MaxParts {
		return nil, failure(codeMalformedXML)
	}
	var (
		data, sums []byte
		layout     []partSum
	)
	for i, p := range parts {
		if i > 0 && p.Number <= parts[i-1].Number {
			return nil, failure(codePartOrder)
		}
		have, ok := u.parts[p.Number]
		if !ok || have.etag != p.ETag {
			return nil, failure(codeInvalidPart)
		}
		if i < len(parts)-1 && int64(len(have.data)) < s.cfg.Limits.MinPart {
			return nil, failure(codeEntityTooSmall)
		}
		if first := u.parts[parts[0].Number]; s.cfg.Limits.EqualParts && (i < len(parts)-1 && len(have.data) != len(first.data) || len(have.data) > len(first.data)) {
			return nil, failure(codeInvalidPart)
		}
		sum, err := hex.DecodeString(strings.Trim(have.etag, `"`))
		if err != nil {
			return nil, &store.Error{Kind: store.ErrInvalid, Err: err}
		}
		data, sums = append(data, have.data...), append(sums, sum...)
		layout = append(layout, partSum{int64(len(data)), "CRC32:" + checksumOf(have.data)})
	}
	if int64(len(data)) > s.cfg.Limits.MaxObject {
		return nil, failure(codeEntityTooLarge)
	}
	sum := md5.Sum(sums) //nolint:gosec // S3's ETag is an MD5, nothing is protected by it
	return &object{
		data: data, etag: fmt.Sprintf(`"%s-%d"`, hex.EncodeToString(sum[:]), len(parts)),
		lastModified: u.created, headers: u.headers, parts: len(parts), layout: layout,
	}, nil
}

// Abort implements store.Multipart.
func (s *Store) Abort(ctx context.Context, key, uploadID string) error {
	return s.do(ctx, Request{Op: op.Abort, Key: key}, func(*Request) *store.Error {
		if u := s.uploads[uploadID]; u != nil && u.key == key && u.result == nil {
			delete(s.uploads, uploadID)
		}
		return nil
	})
}
