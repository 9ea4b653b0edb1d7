package memstore

import (
	"bytes"
	"context"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/s3levelfs/s3levelfs/store"
)

func (s *Store) find(op Op, key string, c store.Cond) (*object, error) {
	o, ok := s.objects[key]
	if !ok {
		if s.cfg.HideAbsent {
			return nil, fail(op, key, 403, "AccessDenied", store.ErrPermission)
		}
		return nil, fail(op, key, 404, "NoSuchKey", store.ErrNotExist)
	}
	if c.IfNoneMatch {
		return nil, fail(op, key, 304, "NotModified", store.ErrChanged)
	}
	return o, s.check(op, key, c)
}

// Head implements store.Reader.
func (s *Store) Head(ctx context.Context, key string, c store.Cond) (_ store.Object, err error) {
	done, err := s.begin(ctx, "head", key)
	defer done(0, &err)
	if err != nil {
		return store.Object{}, err
	}
	o, err := s.find("head", key, c)
	if err != nil {
		return store.Object{}, err
	}
	return o.describe(), nil
}

func (o *object) describe() store.Object {
	d := o.Object
	h := o.Headers.Clone()
	d.Headers = &h
	return d
}

// Get implements store.Reader.
func (s *Store) Get(ctx context.Context, key string, r store.Range, c store.Cond) (_ io.ReadCloser, _ store.Object, err error) {
	done, err := s.begin(ctx, "get", key)
	defer done(0, &err)
	if err != nil {
		return nil, store.Object{}, err
	}
	o, err := s.find("get", key, c)
	if err != nil {
		return nil, store.Object{}, err
	}
	if o.archived {
		err = fail("get", key, 403, "InvalidObjectState", store.ErrArchived)
		return nil, store.Object{}, err
	}
	return io.NopCloser(bytes.NewReader(slices.Clone(cut(o.data, r)))), o.describe(), nil
}

// cut gives the range clipped to the data.
func cut(data []byte, r store.Range) []byte {
	size := int64(len(data))
	from := min(max(r.Off, 0), size)
	to := size
	if r.Len >= 0 {
		to = min(from+r.Len, size)
	}
	return data[from:to]
}

// List implements store.Reader.
func (s *Store) List(ctx context.Context, prefix string, o store.ListOptions) iter.Seq2[store.Page, error] {
	return func(yield func(store.Page, error) bool) {
		for after := o.StartAfter; ; {
			page, last, err := s.page(ctx, prefix, after, o)
			if err != nil {
				yield(store.Page{}, err)
				return
			}
			if !yield(page, nil) || !page.More {
				return
			}
			after = last
		}
	}
}

// page makes one answer. last is where the next one goes on: a key, or a
// common prefix with the highest possible rest.
func (s *Store) page(ctx context.Context, prefix, after string, o store.ListOptions) (p store.Page, last string, err error) {
	done, err := s.begin(ctx, "list", prefix)
	defer done(0, &err)
	if err != nil {
		return p, "", err
	}
	limit := o.PageSize
	if limit <= 0 || limit > 1000 {
		limit = 1000
	}
	if s.cfg.PageSize > 0 {
		limit = min(limit, s.cfg.PageSize)
	}
	from := max(prefix, after)
	i, found := slices.BinarySearch(s.keys, from)
	if found && from == after && after != "" {
		i++
	}
	for ; i < len(s.keys) && strings.HasPrefix(s.keys[i], prefix); i++ {
		key := s.keys[i]
		common := rollUp(key, prefix, o.Delimiter)
		if common != "" && (common == after || len(p.Prefixes) > 0 && p.Prefixes[len(p.Prefixes)-1] == common) {
			continue
		}
		if len(p.Objects)+len(p.Prefixes) == limit {
			p.More = true
			return p, last, nil
		}
		if common != "" {
			p.Prefixes, last = append(p.Prefixes, common), common
			continue
		}
		d := s.objects[key].Object
		d.Headers = nil
		d.Parts, d.Checksum = 0, ""
		p.Objects, last = append(p.Objects, d), key
	}
	return p, last, nil
}

// rollUp gives the common prefix that a key belongs to, "" if it is listed itself.
func rollUp(key, prefix, delimiter string) string {
	if delimiter == "" {
		return ""
	}
	rest := key[len(prefix):]
	if i := strings.Index(rest, delimiter); i >= 0 {
		return key[:len(prefix)+i+len(delimiter)]
	}
	return ""
}
