package memstore

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/op"
)

// Store is one bucket in memory. It is safe for concurrent use; each request is
// atomic.
type Store struct {
	cfg Config

	mu      sync.Mutex
	allow   func(op, key string) error
	busy    func(op, key string) bool
	keys    []string // of objects, ordered by bytes
	objects map[string]*object
	uploads map[string]*upload
	nextID  int // of the next upload
	log     requestLog
}

var (
	_ store.Store  = (*Store)(nil)
	_ store.Prober = (*Store)(nil)
)

// New returns an empty bucket.
func New(cfg Config) *Store {
	cfg = cfg.withDefaults()
	return &Store{
		cfg:     cfg,
		allow:   cfg.Allow,
		objects: map[string]*object{},
		uploads: map[string]*upload{},
	}
}

// Limits implements store.Store.
func (s *Store) Limits() store.Limits { return s.cfg.Limits }

// Close implements store.Store. It keeps the bucket, so that a test may go on
// with it after the program under test has closed its store.
func (s *Store) Close() error { return nil }

// SetAllow replaces the permission policy, nil allows all.
func (s *Store) SetAllow(allow func(op, key string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.allow = allow
}

// SetBusy sets which requests are answered by 503 SlowDown and not carried out, by their op and key or prefix; nil is none. It is
// called from the goroutine of the request, without locks.
func (s *Store) SetBusy(busy func(op, key string) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy = busy
}

// do runs one request: answer is called with mu held if the caller has the
// right. The request is logged with what became of it.
func (s *Store) do(ctx context.Context, r Request, answer func(r *Request) *store.Error) error {
	if err := ctx.Err(); err != nil {
		return &store.Error{Op: r.Op, Key: r.Key, Kind: store.ErrTransient, Err: err}
	}
	denied := s.denied(r)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := denied
	if e == nil {
		e = s.checkKeys(r)
	}
	if e == nil {
		e = answer(&r)
	}
	r.ID = fmt.Sprintf("MEM%06d", s.log.total+1)
	if e != nil {
		e.Op, e.Key, e.RequestID = r.Op, r.Key, r.ID
		r.Err = e
	}
	s.log.add(r)
	if e != nil {
		return e
	}
	return nil
}

// denied asks whether the bucket is busy, and the permission policy about the request.
func (s *Store) denied(r Request) *store.Error {
	s.mu.Lock()
	allow, busy := s.allow, s.busy
	s.mu.Unlock()
	if busy != nil && busy(r.Op, r.Key) {
		return failure(codeSlowDown)
	}
	if allow == nil || r.Op == op.DeleteMany { // its keys are judged one by one
		return nil
	}
	if r.Source != "" {
		if err := allow(op.Get, r.Source); err != nil {
			return accessDenied(err)
		}
	}
	if err := allow(r.Op, r.Key); err != nil {
		return accessDenied(err)
	}
	return nil
}

func (s *Store) checkKeys(r Request) *store.Error {
	if r.Op == op.List || r.Op == op.DeleteMany {
		return nil
	}
	switch {
	case r.Key == "":
		return failure(codeInvalidRequest)
	case len(r.Key) > s.cfg.Limits.MaxKey:
		return failure(codeKeyTooLong)
	}
	return nil
}

// insert stores o under key. mu is held.
func (s *Store) insert(key string, o *object) {
	if _, ok := s.objects[key]; !ok {
		i, _ := slices.BinarySearch(s.keys, key)
		s.keys = slices.Insert(s.keys, i, key)
	}
	s.objects[key] = o
}

// remove drops key. mu is held.
func (s *Store) remove(key string) {
	if _, ok := s.objects[key]; !ok {
		return
	}
	i, _ := slices.BinarySearch(s.keys, key)
	s.keys = slices.Delete(s.keys, i, i+1)
	delete(s.objects, key)
}

// now is the time in the resolution of S3's Last-Modified.
func (s *Store) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Second) }
