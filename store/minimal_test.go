package store_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
)

// minimal has the seven methods and no more, as somebody would write it who has read no more than their comments.
type minimal struct {
	mu      sync.Mutex
	objects map[string]version
	options store.Options
	calls   map[string]int
	fail    func(call, key string) error // nil = nothing fails
}

type version struct {
	data    []byte
	etag    string
	headers store.Headers
	at      time.Time
}

func newMinimal() *minimal {
	return &minimal{objects: map[string]version{}, calls: map[string]int{}, fail: func(string, string) error { return nil }}
}

func (m *minimal) ProviderName() string { return "minimal" }
func (m *minimal) Category() string     { return store.CategoryStorage }

func (m *minimal) Configure(_ context.Context, o store.Options) error {
	m.options = o
	return m.fail("configure", "")
}

func (m *minimal) call(name, key string) error {
	m.calls[name]++
	return m.fail(name, key)
}

func (m *minimal) Get(_ context.Context, key string, r store.Range) (io.ReadCloser, store.Object, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.call("get", key); err != nil {
		return nil, store.Object{}, err
	}
	v, ok := m.objects[key]
	if !ok {
		return nil, store.Object{}, fmt.Errorf("minimal: %s: %w", key, fs.ErrNotExist)
	}
	from := min(r.Off, int64(len(v.data)))
	to := int64(len(v.data))
	if r.Len >= 0 {
		to = min(from+r.Len, to)
	}
	h := v.headers.Clone()
	return io.NopCloser(bytes.NewReader(v.data[from:to])), store.Object{Size: int64(len(v.data)), ETag: v.etag, LastModified: v.at, Headers: &h}, nil
}

func (m *minimal) Put(_ context.Context, key string, body *io.SectionReader, h store.Headers) (store.PutResult, error) {
	data, err := io.ReadAll(body)
	if err != nil {
		return store.PutResult{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.call("put", key); err != nil {
		return store.PutResult{}, err
	}
	v := version{data: data, etag: fmt.Sprintf(`"%x"`, sha256.Sum256(data)), headers: h, at: time.Now()}
	m.objects[key] = v
	return store.PutResult{ETag: v.etag}, nil
}

func (m *minimal) Remove(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, key)
	return m.call("remove", key)
}

func (m *minimal) List(_ context.Context, prefix, after string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		m.mu.Lock()
		objects := maps.Clone(m.objects)
		err := m.call("list", prefix)
		m.mu.Unlock()
		if err != nil {
			yield(store.Object{}, err)
			return
		}
		for _, key := range slices.Sorted(maps.Keys(objects)) {
			if v := objects[key]; strings.HasPrefix(key, prefix) && key > after {
				if !yield(store.Object{Key: key, Size: int64(len(v.data)), ETag: v.etag, LastModified: v.at}, nil) {
					return
				}
			}
		}
	}
}

// conditional looks and writes in one step.
type conditional struct{ *minimal }

func (c conditional) judge(key string, cond store.Cond) error {
	v, ok := c.objects[key]
	switch {
	case cond.IfNoneMatch && ok, ok && cond.IfMatch != "" && cond.IfMatch != v.etag:
		return store.ErrChanged
	case cond.IfMatch != "" && !ok:
		return store.ErrNotExist
	}
	return nil
}

func (c conditional) PutIf(_ context.Context, key string, body *io.SectionReader, h store.Headers, cond store.Cond) (store.PutResult, error) {
	data, err := io.ReadAll(body)
	if err != nil {
		return store.PutResult{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.judge(key, cond); err != nil {
		return store.PutResult{}, err
	}
	v := version{data: data, etag: fmt.Sprintf(`"%x"`, sha256.Sum256(data)), headers: h, at: time.Now()}
	c.objects[key] = v
	return store.PutResult{ETag: v.etag}, nil
}

func (c conditional) RemoveIf(_ context.Context, key string, cond store.Cond) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.judge(key, cond); err != nil {
		return err
	}
	delete(c.objects, key)
	return nil
}
