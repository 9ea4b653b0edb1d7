package memstore

import (
	"context"
	"io"
	"os"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/op"
)

// maxRead is what one Read of a body returns at most.
const maxRead = 16 << 10

// Head implements store.Reader.
func (s *Store) Head(ctx context.Context, key string, c store.Cond) (store.Object, error) {
	var found store.Object
	err := s.do(ctx, Request{Op: op.Head, Key: key, Cond: c}, func(*Request) *store.Error {
		o, e := s.source(key)
		if e == nil {
			e = readCond(o, c)
		}
		if e != nil {
			return e
		}
		found = s.hideTags(o.describe(key))
		return nil
	})
	return found, err
}

// Get implements store.Reader.
func (s *Store) Get(ctx context.Context, key string, r store.Range, c store.Cond) (io.ReadCloser, store.Object, error) {
	var (
		found store.Object
		data  []byte
	)
	err := s.do(ctx, Request{Op: op.Get, Key: key, Cond: c, Range: r}, func(*Request) *store.Error {
		if r.Off < 0 {
			return failure(codeInvalidRange)
		}
		o, e := s.source(key)
		if e == nil {
			e = readCond(o, c)
		}
		if e == nil && o.archived() {
			e = failure(codeArchived)
		}
		if e != nil {
			return e
		}
		found = s.hideTags(o.describe(key))
		at := r
		if r.Part > 0 {
			if at, found.Checksum, e = o.part(r.Part); e != nil {
				return e
			}
			found.Part = at
		}
		data = clip(o.data, at)
		return nil
	})
	if err != nil {
		return nil, store.Object{}, err
	}
	return &body{ctx: ctx, s: s, key: key, rest: data}, found, nil
}

// source finds an object that a request reads. mu is held.
func (s *Store) source(key string) (*object, *store.Error) {
	if o := s.objects[key]; o != nil {
		return o, nil
	}
	if s.cfg.HideAbsent {
		return nil, failure(codeAccessDenied)
	}
	return nil, failure(codeNoSuchKey)
}

// clip returns the range of data, empty where it begins at or behind the end.
func clip(data []byte, r store.Range) []byte {
	size := int64(len(data))
	from := min(r.Off, size)
	to := size
	if r.Len >= 0 {
		to = from + min(r.Len, size-from)
	}
	return data[from:to:to]
}

// body is the open answer of a Get. It is used by one goroutine.
type body struct {
	ctx    context.Context // an HTTP body ends with its request's context, too
	s      *Store
	key    string
	rest   []byte
	closed bool
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	switch {
	case b.closed:
		return 0, os.ErrClosed
	case b.ctx.Err() != nil:
		return 0, &store.Error{Op: op.Get, Key: b.key, Kind: store.ErrTransient, Err: b.ctx.Err()}
	case len(b.rest) == 0:
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), maxRead)], b.rest)
	b.rest = b.rest[n:]
	b.s.mu.Lock()
	b.s.log.sent += int64(n)
	b.s.mu.Unlock()
	return n, nil
}

// Close implements io.Closer.
func (b *body) Close() error {
	b.closed = true
	return nil
}
