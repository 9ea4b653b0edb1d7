package memstore

import (
	"context"
	"crypto/md5" //nolint:gosec // S3 defines ETags by MD5
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
)

// Op names a request in counts, logs and policies: "head", "get", "list",
// "put", "copy", "delete", "delete-many", "create", "upload-part",
// "copy-part", "complete", "abort".
type Op = string

// Config changes what the store does. The zero value is an S3 that allows everything.
type Config struct {
	// Allow decides on each key of each request (a listing's prefix); an
	// error that is not nil is answered as AccessDenied. nil = all allowed.
	Allow func(op Op, key string) error
	// HideAbsent makes Head and Get of an absent key answer ErrPermission, as
	// AWS does to callers whose right to list is bound to a prefix.
	HideAbsent bool
	// IgnoreCond drops every condition in silence, as some servers do.
	IgnoreCond bool
	// IgnoreCopyCond drops conditions on the target of Copy.
	IgnoreCopyCond bool
	// MinPart is the smallest part but the last; 0 = 1 byte.
	MinPart int64
	// PageSize bounds a page of a listing; 0 = 1000.
	PageSize int
}

// Request is one entry of the log.
type Request struct {
	Op    Op
	Key   string
	Bytes int64 // sent with it
	Err   error
}

type object struct {
	store.Object
	data     []byte
	archived bool
}

type upload struct {
	key     string
	headers store.Headers
	parts   map[int32]part
}

type part struct {
	data []byte
	etag string
}

// Store is a bucket in memory. It is safe for concurrent use.
type Store struct {
	cfg Config

	mu       sync.Mutex
	objects  map[string]*object
	keys     []string // sorted
	uploads  map[string]*upload
	nextID   int
	requests []Request
	counts   map[Op]int
	sent     int64
}

var _ store.Store = (*Store)(nil)

// New makes an empty bucket.
func New(cfg Config) *Store {
	return &Store{cfg: cfg, objects: map[string]*object{}, uploads: map[string]*upload{}, counts: map[Op]int{}}
}

func init() {
	store.Register("mem", func(context.Context, store.Options) (store.Store, error) { return New(Config{}), nil })
}

// Limits are S3's, with the configured smallest part.
func (s *Store) Limits() store.Limits {
	l := store.S3Limits()
	l.MinPart = max(s.cfg.MinPart, 1)
	l.CopyCond = !s.cfg.IgnoreCopyCond && !s.cfg.IgnoreCond
	return l
}

// Close does nothing: the objects stay readable by Snapshot.
func (s *Store) Close() error { return nil }

// begin opens a request: it locks the store, checks context and policy. done
// logs and unlocks.
func (s *Store) begin(ctx context.Context, op Op, keys ...string) (done func(bytes int64, err *error), err error) {
	s.mu.Lock()
	s.counts[op]++
	key := ""
	if len(keys) > 0 {
		key = keys[0]
	}
	done = func(bytes int64, err *error) {
		s.sent += bytes
		s.requests = append(s.requests, Request{Op: op, Key: key, Bytes: bytes, Err: *err})
		s.mu.Unlock()
	}
	if ctx.Err() != nil {
		return done, &store.Error{Op: op, Key: key, Kind: store.ErrTransient, Err: ctx.Err()}
	}
	for _, k := range keys {
		if s.cfg.Allow == nil {
			break
		}
		if err := s.cfg.Allow(op, k); err != nil {
			return done, fail(op, k, 403, "AccessDenied", store.ErrPermission)
		}
	}
	return done, nil
}

func fail(op Op, key string, status int, code string, kind error) error {
	return &store.Error{Op: op, Key: key, Status: status, Code: code, Kind: kind, RequestID: "mem"}
}

// check tells whether a condition on the object under key holds.
func (s *Store) check(op Op, key string, c store.Cond) error {
	if s.cfg.IgnoreCond {
		return nil
	}
	o, exists := s.objects[key]
	switch {
	case c.IfNoneMatch && exists:
		return fail(op, key, 412, "PreconditionFailed", store.ErrChanged)
	case c.IfMatch != "" && !exists:
		return fail(op, key, 404, "NoSuchKey", store.ErrNotExist)
	case c.IfMatch != "" && o.ETag != c.IfMatch:
		return fail(op, key, 412, "PreconditionFailed", store.ErrChanged)
	case !c.IfUnmodifiedSince.IsZero() && exists && o.LastModified.After(c.IfUnmodifiedSince):
		return fail(op, key, 412, "PreconditionFailed", store.ErrChanged)
	}
	return nil
}

// store puts an object in place; data is kept, not copied.
func (s *Store) store(key string, data []byte, etag string, parts int, h store.Headers) store.PutResult {
	h = h.Clone()
	if h.ContentType == "" {
		h.ContentType = "binary/octet-stream"
	}
	if _, known := s.objects[key]; !known {
		i, _ := slices.BinarySearch(s.keys, key)
		s.keys = slices.Insert(s.keys, i, key)
	}
	o := &object{data: data, Object: store.Object{
		Key: key, Size: int64(len(data)), ETag: etag, LastModified: time.Now().UTC().Truncate(time.Second),
		StorageClass: h.StorageClass, Headers: &h, Parts: parts,
	}}
	s.objects[key] = o
	return store.PutResult{ETag: etag, LastModified: o.LastModified}
}

func (s *Store) drop(key string) {
	if _, known := s.objects[key]; !known {
		return
	}
	delete(s.objects, key)
	i, _ := slices.BinarySearch(s.keys, key)
	s.keys = slices.Delete(s.keys, i, i+1)
}

func etagOf(data []byte) string {
	sum := md5.Sum(data) //nolint:gosec // S3 defines ETags by MD5
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

func multipartETag(parts []part) string {
	h := md5.New() //nolint:gosec // S3 defines ETags by MD5
	for _, p := range parts {
		sum := md5.Sum(p.data) //nolint:gosec // S3 defines ETags by MD5
		h.Write(sum[:])
	}
	return fmt.Sprintf(`"%s-%d"`, hex.EncodeToString(h.Sum(nil)), len(parts))
}

// Snapshot returns the bytes of every object.
func (s *Store) Snapshot() map[string][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string][]byte, len(s.objects))
	for k, o := range s.objects {
		out[k] = slices.Clone(o.data)
	}
	return out
}

// Object returns what is stored under key, without a request.
func (s *Store) Object(key string) (store.Object, []byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.objects[key]
	if !ok {
		return store.Object{}, nil, false
	}
	meta := o.Object
	h := o.Headers.Clone()
	meta.Headers = &h
	return meta, slices.Clone(o.data), true
}

// PutRaw is a foreign writer: no condition, no log, no policy.
func (s *Store) PutRaw(key string, data []byte, h store.Headers) store.PutResult {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.store(key, slices.Clone(data), etagOf(data), 0, h)
}

// DeleteRaw is a foreign remover.
func (s *Store) DeleteRaw(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(key)
}

// Archive makes reads of key answer ErrArchived.
func (s *Store) Archive(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o, ok := s.objects[key]; ok {
		o.archived = true
	}
}

// Flip flips one bit of the stored bytes and keeps the ETag: a corruption.
func (s *Store) Flip(key string, at int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o, ok := s.objects[key]; ok {
		o.data = slices.Clone(o.data)
		o.data[at] ^= 1
	}
}

// SetAllow changes the policy.
func (s *Store) SetAllow(allow func(op Op, key string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cfg.Allow = allow
}

// Counts returns the number of requests by kind since the last ResetCounts; a
// listing counts its pages.
func (s *Store) Counts() map[Op]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.counts)
}

// Sent is the number of body bytes received since the last ResetCounts.
func (s *Store) Sent() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent
}

// Requests is the log since the last ResetCounts, in order.
func (s *Store) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// ResetCounts forgets counts and log.
func (s *Store) ResetCounts() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts, s.requests, s.sent = map[Op]int{}, nil, 0
}

// Uploads counts the multipart uploads that are neither completed nor aborted.
func (s *Store) Uploads() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.uploads)
}
