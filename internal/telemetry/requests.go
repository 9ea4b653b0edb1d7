package telemetry

import (
	"context"
	"errors"
	"io"
	"iter"
	"maps"
	"sync"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
)

// Requests counts what a store was asked, by kind. It is a decorator of a
// store.Store and safe for concurrent use.
type Requests struct {
	store.Store

	mu       sync.Mutex
	stats    RequestStats
	refused  bool // the credentials, by the last answer that says anything of them
	accepted func()
}

// RequestStats is a snapshot of the counts.
type RequestStats struct {
	Count     map[string]int64 `json:"count"`      // requests by kind
	Failed    map[string]int64 `json:"failed"`     // those that failed; "absent" and "changed" are answers, and what was given up here has none
	Throttled int64            `json:"throttled"`  // of those: the store has asked to slow down
	Sent      int64            `json:"sent_bytes"` // of objects and parts that were taken
	LastError string           `json:"last_error,omitempty"`
	ErrorAt   time.Time        `json:"last_error_at,omitzero"`
}

// CountRequests decorates s.
func CountRequests(s store.Store) *Requests {
	return &Requests{Store: s, stats: RequestStats{Count: map[string]int64{}, Failed: map[string]int64{}}}
}

// Stats returns a copy of the counts.
func (r *Requests) Stats() RequestStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stats
	s.Count, s.Failed = maps.Clone(s.Count), maps.Clone(s.Failed)
	return s
}

// OnAccepted sets what is called, from the goroutine of a request, each time when the store accepts the credentials again after it had
// refused them: whoever waits for that need not ask.
func (r *Requests) OnAccepted(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.accepted = f
}

func (r *Requests) count(kind string, err error) {
	if tell := r.note(kind, err); tell != nil {
		tell()
	}
}

// note counts, and gives the function that is to be told.
func (r *Requests) note(kind string, err error) (tell func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.Count[kind]++
	switch {
	case errors.Is(err, store.ErrExpired), errors.Is(err, store.ErrCredentials), errors.Is(err, store.ErrClockSkew):
		r.refused = true
	case err == nil && r.refused:
		r.refused = false
		tell = r.accepted
	}
	if err != nil && !errors.Is(err, store.ErrNotExist) && !errors.Is(err, store.ErrChanged) &&
		!errors.Is(err, context.Canceled) { // nobody wanted the answer any more
		r.stats.Failed[kind]++
		if errors.Is(err, store.ErrThrottled) {
			r.stats.Throttled++
		}
		r.stats.LastError, r.stats.ErrorAt = err.Error(), time.Now()
	}
	return tell
}

// sent counts bytes that the store has taken.
func (r *Requests) sent(n int64, err error) {
	if err == nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.stats.Sent += n
	}
}

// Sync passes on to stores that have to be synced.
func (r *Requests) Sync(ctx context.Context) error {
	if s, ok := r.Store.(store.Syncer); ok {
		return s.Sync(ctx)
	}
	return nil
}

// ProbePut implements store.Prober. It is counted as a put, where it was one.
func (r *Requests) ProbePut(ctx context.Context, key string, c store.Cond) (stored bool, err error) {
	stored, err = store.ProbePut(ctx, r.Store, key, c)
	if !errors.Is(err, errors.ErrUnsupported) {
		r.count("put", err)
	}
	return stored, err
}

// Head implements store.Reader.
func (r *Requests) Head(ctx context.Context, key string, c store.Cond) (store.Object, error) {
	o, err := r.Store.Head(ctx, key, c)
	r.count("head", err)
	return o, err
}

// Get implements store.Reader.
func (r *Requests) Get(ctx context.Context, key string, rg store.Range, c store.Cond) (io.ReadCloser, store.Object, error) {
	body, o, err := r.Store.Get(ctx, key, rg, c)
	r.count("get", err)
	return body, o, err
}

// List implements store.Reader.
func (r *Requests) List(ctx context.Context, prefix string, o store.ListOptions) iter.Seq2[store.Page, error] {
	return func(yield func(store.Page, error) bool) {
		for p, err := range r.Store.List(ctx, prefix, o) {
			r.count("list", err)
			if !yield(p, err) {
				return
			}
		}
	}
}

// Put implements store.Writer.
func (r *Requests) Put(ctx context.Context, key string, body *io.SectionReader, h store.Headers, c store.Cond) (store.PutResult, error) {
	res, err := r.Store.Put(ctx, key, body, h, c)
	r.count("put", err)
	r.sent(body.Size(), err)
	return res, err
}

// Copy implements store.Writer.
func (r *Requests) Copy(ctx context.Context, q store.CopyRequest) (store.PutResult, error) {
	res, err := r.Store.Copy(ctx, q)
	r.count("copy", err)
	return res, err
}

// Delete implements store.Writer.
func (r *Requests) Delete(ctx context.Context, key string, c store.Cond) error {
	err := r.Store.Delete(ctx, key, c)
	r.count("delete", err)
	return err
}

// DeleteMany implements store.Writer.
func (r *Requests) DeleteMany(ctx context.Context, keys []string) ([]store.KeyError, error) {
	failed, err := r.Store.DeleteMany(ctx, keys)
	r.count("delete-many", err)
	return failed, err
}

// Create implements store.Multipart.
func (r *Requests) Create(ctx context.Context, key string, h store.Headers) (string, error) {
	id, err := r.Store.Create(ctx, key, h)
	r.count("create-multipart", err)
	return id, err
}

// UploadPart implements store.Multipart.
func (r *Requests) UploadPart(ctx context.Context, key, id string, n int32, body *io.SectionReader) (store.Part, error) {
	p, err := r.Store.UploadPart(ctx, key, id, n, body)
	r.count("upload-part", err)
	r.sent(body.Size(), err)
	return p, err
}

// CopyPart implements store.Multipart.
func (r *Requests) CopyPart(ctx context.Context, key, id string, n int32, source, etag string, rg store.Range) (store.Part, error) {
	p, err := r.Store.CopyPart(ctx, key, id, n, source, etag, rg)
	r.count("copy-part", err)
	return p, err
}

// Complete implements store.Multipart.
func (r *Requests) Complete(ctx context.Context, key, id string, parts []store.Part, c store.Cond) (store.PutResult, error) {
	res, err := r.Store.Complete(ctx, key, id, parts, c)
	r.count("complete-multipart", err)
	return res, err
}

// Abort implements store.Multipart.
func (r *Requests) Abort(ctx context.Context, key, id string) error {
	err := r.Store.Abort(ctx, key, id)
	r.count("abort-multipart", err)
	return err
}
