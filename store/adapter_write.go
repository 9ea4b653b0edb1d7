package store

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"

	"github.com/s3levelfs/s3levelfs/store/op"
)

// Put implements [Writer].
func (a *adapter) Put(ctx context.Context, key string, body *io.SectionReader, h Headers, c Cond) (PutResult, error) {
	return a.put(ctx, op.Put, key, body, h, c)
}

// put is Put on behalf of an operation.
func (a *adapter) put(ctx context.Context, o, key string, body *io.SectionReader, h Headers, c Cond) (res PutResult, err error) {
	if err := a.admit(ctx, o, key); err != nil {
		return res, err
	}
	if err := admitCond(o, key, c); err != nil {
		return res, err
	}
	if body == nil {
		body = io.NewSectionReader(bytes.NewReader(nil), 0, 0)
	}
	if body.Size() > a.limits.MaxPut {
		return res, answer(o, key, "EntityTooLarge", http.StatusBadRequest, ErrInvalid)
	}
	sent := newSent(ctx, o, key, body)
	err = a.write(ctx, o, key, c, func(c Cond) (err error) {
		if p, ok := a.p.(Conditional); ok && c != (Cond{}) {
			res, err = p.PutIf(ctx, key, sent.section(), kept(h), c)
			return err
		}
		res, err = a.p.Put(ctx, key, sent.section(), kept(h))
		return err
	})
	return res, sent.judge(err)
}

// kept is what of headers is stored, in the form in which they are told again. Source: S3 API reference, PutObject.
func kept(h Headers) Headers {
	h = h.Clone()
	h.ACL = "" // no answer tells it
	if h.Tags == NoTags {
		h.Tags = ""
	}
	if h.StorageClass == ClassStandard {
		h.StorageClass = ""
	}
	meta := make(map[string]string, len(h.Metadata))
	for name, value := range maps.All(h.Metadata) {
		meta[strings.ToLower(name)] = strings.Trim(value, " \t") // as HTTP does on the way
	}
	h.Metadata = nil
	if len(meta) > 0 {
		h.Metadata = meta
	}
	return h
}

// write carries out what changes a key under a condition: by the provider, or by a look before it with the key's lock held.
func (a *adapter) write(ctx context.Context, o, key string, c Cond, do func(Cond) error) error {
	if _, ok := a.p.(Conditional); ok {
		return failure(o, key, do(c), true)
	}
	unlock, err := a.lock(ctx, key)
	if err != nil {
		return failure(o, key, err, false)
	}
	defer unlock()
	if c != (Cond{}) {
		if err := a.look(ctx, o, key, c); err != nil {
			return err
		}
	}
	return failure(o, key, do(Cond{}), true)
}

// look judges the condition of a write. mu of the key is held.
func (a *adapter) look(ctx context.Context, o, key string, c Cond) error {
	now, err := a.describe(ctx, key)
	err = failure(o, key, err, false)
	switch absent := isAbsent(err); {
	case absent && c.IfNoneMatch:
		return nil
	case err != nil:
		return err
	case c.IfNoneMatch, c.IfMatch != "" && c.IfMatch != now.ETag:
		return answer(o, key, "PreconditionFailed", http.StatusPreconditionFailed, ErrChanged)
	}
	return nil
}

// Delete implements [Writer].
func (a *adapter) Delete(ctx context.Context, key string, c Cond) error {
	if err := a.admit(ctx, op.Delete, key); err != nil {
		return err
	}
	if err := admitCond(op.Delete, key, c); err != nil {
		return err
	}
	err := a.write(ctx, op.Delete, key, c, func(c Cond) error {
		if p, ok := a.p.(Conditional); ok && c != (Cond{}) {
			return p.RemoveIf(ctx, key, c)
		}
		return a.p.Remove(ctx, key)
	})
	if isAbsent(err) {
		return nil
	}
	return err
}

// DeleteMany implements [Writer].
func (a *adapter) DeleteMany(ctx context.Context, keys []string) ([]KeyError, error) {
	name := ""
	if len(keys) > 0 {
		name = keys[0]
	}
	switch {
	case ctx.Err() != nil:
		return nil, &Error{Op: op.DeleteMany, Key: name, Kind: ErrTransient, Err: ctx.Err()}
	case len(keys) > a.limits.MaxDelete:
		return nil, answer(op.DeleteMany, name, "MalformedXML", http.StatusBadRequest, ErrInvalid)
	}
	if p, ok := a.p.(BatchRemover); ok && len(keys) > 0 {
		failed, err := p.RemoveMany(ctx, keys)
		return failed, failure(op.DeleteMany, name, err, true)
	}
	const streams = 8 // at a time
	errs := make([]error, len(keys))
	var wg sync.WaitGroup
	for w := range min(streams, len(keys)) {
		wg.Go(func() {
			for i := w; i < len(keys); i += streams {
				errs[i] = a.Delete(ctx, keys[i], Cond{})
			}
		})
	}
	wg.Wait()
	var failed []KeyError
	for i, err := range errs {
		if e := asError(err); e != nil {
			failed = append(failed, KeyError{Key: keys[i], Err: e})
		}
	}
	return failed, nil
}
