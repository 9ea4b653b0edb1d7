package cache_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"iter"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/s3levelfs/s3levelfs/cache"
	"github.com/s3levelfs/s3levelfs/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeStore serves single versions of objects and records the GETs.
type fakeStore struct {
	mu      sync.Mutex
	objects map[string]fakeObject
	gets    []store.Range
	sent    map[int64]int // bytes sent by block of 4 KiB, per offset
	bytes   int64
	heads   int
	noHead  bool

	// body, when set, wraps the body of the n-th GET (from 1).
	body func(ctx context.Context, n int, r io.Reader) io.Reader
	// fail, when set, answers the n-th GET with its error, if any.
	fail func(ctx context.Context, n int) error
}

type fakeObject struct {
	data    []byte
	etag    string
	mod     time.Time
	headers *store.Headers
	sum     string
}

func newFake() *fakeStore {
	return &fakeStore{objects: map[string]fakeObject{}, sent: map[int64]int{}}
}

// put stores random bytes of size under key with an MD5 ETag.
func (s *fakeStore) put(key string, size int) ([]byte, cache.Object) {
	// Random bytes, repeated, with the offset in each page: none equals another.
	data := make([]byte, size)
	tile := make([]byte, min(size, mib))
	_, _ = rand.NewChaCha8([32]byte{byte(size), byte(size >> 8), byte(size >> 16), 1}).Read(tile)
	for off := 0; off < size; off += len(tile) {
		copy(data[off:], tile)
	}
	for off := 0; off+8 <= size; off += 4096 {
		binary.LittleEndian.PutUint64(data[off:], uint64(off))
	}
	sum := md5.Sum(data)
	o := fakeObject{data: data, etag: `"` + hex.EncodeToString(sum[:]) + `"`, mod: time.Unix(1_700_000_000, 0), headers: &store.Headers{}}
	s.mu.Lock()
	s.objects[key] = o
	s.mu.Unlock()
	return data, cache.Object{Key: key, ETag: o.etag, Size: int64(size), ModTime: o.mod}
}

func (s *fakeStore) set(key string, change func(*fakeObject)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.objects[key]
	change(&o)
	s.objects[key] = o
}

func (s *fakeStore) requests() []store.Range {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]store.Range(nil), s.gets...)
}

func (s *fakeStore) Head(_ context.Context, key string, _ store.Cond) (store.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heads++
	if s.noHead {
		return store.Object{}, &store.Error{Op: "head", Kind: store.ErrPermission}
	}
	o := s.objects[key]
	return store.Object{Key: key, Size: int64(len(o.data)), ETag: o.etag, LastModified: o.mod, Headers: o.headers, Checksum: o.sum}, nil
}

func (s *fakeStore) List(context.Context, string, store.ListOptions) iter.Seq2[store.Page, error] {
	return func(func(store.Page, error) bool) {}
}

func (s *fakeStore) Get(ctx context.Context, key string, r store.Range, c store.Cond) (io.ReadCloser, store.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gets = append(s.gets, r)
	n := len(s.gets)
	if s.fail != nil {
		s.mu.Unlock()
		err := s.fail(ctx, n)
		s.mu.Lock()
		if err != nil {
			return nil, store.Object{}, err
		}
	}
	o, ok := s.objects[key]
	switch {
	case !ok:
		return nil, store.Object{}, &store.Error{Op: "get", Key: key, Kind: store.ErrNotExist}
	case c.IfMatch != "" && c.IfMatch != o.etag, !c.IfUnmodifiedSince.IsZero() && o.mod.After(c.IfUnmodifiedSince):
		return nil, store.Object{}, &store.Error{Op: "get", Key: key, Kind: store.ErrChanged, Status: 412}
	case c.IfMatch == "" && c.IfUnmodifiedSince.IsZero():
		return nil, store.Object{}, &store.Error{Op: "get", Key: key, Kind: store.ErrInvalid, Code: "NotPinned"}
	}
	if r.Len < 0 || r.Off+r.Len > int64(len(o.data)) {
		r.Len = int64(len(o.data)) - r.Off
	}
	body := io.Reader(bytes.NewReader(o.data[r.Off : r.Off+r.Len]))
	if s.body != nil {
		body = s.body(ctx, n, body)
	}
	return &fakeBody{s: s, ctx: ctx, off: r.Off, Reader: body},
		store.Object{Key: key, Size: int64(len(o.data)), ETag: o.etag, LastModified: o.mod, Headers: o.headers, Checksum: o.sum}, nil
}

// fakeBody counts what was sent, byte by byte in runs.
type fakeBody struct {
	io.Reader
	s   *fakeStore
	ctx context.Context
	off int64
}

func (b *fakeBody) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := b.Reader.Read(p)
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	b.s.bytes += int64(n)
	for i := b.off; i < b.off+int64(n); {
		b.s.sent[i/4096]++
		i = (i/4096 + 1) * 4096
	}
	b.off += int64(n)
	return n, err
}

func (b *fakeBody) Close() error { return nil }

// stalled never sends a byte: it ends with ctx.
type stalled struct{ ctx context.Context }

func (s stalled) Read([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}

// lingering takes a second to notice its end.
type lingering struct{ io.Reader }

func (l lingering) Read(p []byte) (int, error) {
	n, err := l.Reader.Read(p)
	time.Sleep(time.Second)
	return n, err
}

// gate sends nothing before it is opened.
type gate struct {
	ctx  context.Context
	open <-chan struct{}
	io.Reader
}

func (g gate) Read(p []byte) (int, error) {
	select {
	case <-g.open:
		return g.Reader.Read(p)
	case <-g.ctx.Done():
		return 0, g.ctx.Err()
	}
}

// cut ends with io.ErrUnexpectedEOF after n bytes.
func cut(r io.Reader, n int64) io.Reader {
	return io.MultiReader(io.LimitReader(r, n), broken{})
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// readAll reads obj in pieces of chunk through one stream.
func readAll(t *testing.T, c *cache.Cache, obj cache.Object, chunk int) []byte {
	t.Helper()
	var (
		s   cache.Stream
		out bytes.Buffer
		buf = make([]byte, chunk)
	)
	for {
		n, err := c.ReadAt(t.Context(), obj, &s, buf, int64(out.Len()))
		out.Write(buf[:n])
		if errors.Is(err, io.EOF) {
			return out.Bytes()
		}
		if err != nil {
			t.Errorf("read at %d: %v", out.Len(), err)
			return nil
		}
	}
}

func upper(s string) string { return strings.ToUpper(s) }
