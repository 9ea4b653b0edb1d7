package store

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/s3levelfs/s3levelfs/store/op"
)

// FromProvider gives the whole contract of a provider that has been configured. What the provider has no method for is made of the seven: a Head of
// a Get of nothing, a Copy of a Get and a Put of the version that was got, pages and common prefixes of the plain listing. Without
// [Multipart] its Limits say that objects are put whole, and without [Conditional] that conditions are loose.
func FromProvider(p Provider) (Store, error) {
	if w, ok := p.(interface{ whole() (Store, error) }); ok {
		return w.whole()
	}
	a := &adapter{p: p, limits: WholeLimits()}
	limited, hasLimits := p.(Limited)
	_, parts := p.(Multipart)
	if hasLimits {
		a.limits = limited.Limits()
	}
	if a.limits.Multipart() != parts {
		return nil, fmt.Errorf("provider %q: its limits tell of %d parts an object, and methods for parts it has: %v: one of both is wrong", p.ProviderName(), a.limits.MaxParts, parts)
	}
	if err := a.bound(); err != nil {
		return nil, err
	}
	_, conditional := p.(Conditional)
	_, syncer := p.(Syncer)
	a.limits.CopyCond, a.limits.LooseCond, a.limits.NeedsSync = true, !conditional, syncer
	for i := range a.locks {
		a.locks[i] = make(chan struct{}, 1)
	}
	if s, ok := p.(Presigner); ok {
		return presigning{a, s}, nil
	}
	return a, nil
}

// bound completes the provider's bounds, and refuses those that nothing fits in: where there are no parts an object is what one Put takes, and so is
// a copy that goes through this machine.
func (a *adapter) bound() error {
	l := &a.limits
	if !l.Multipart() {
		l.MaxObject = min(l.MaxObject, l.MaxPut)
		l.MinPart, l.MaxPart, l.MaxParts, l.MaxCopy, l.NoParts = 1, l.MaxObject, 1, l.MaxObject, true
	} else if _, ok := a.p.(Copier); !ok {
		l.MaxCopy = min(l.MaxCopy, l.MaxPut)
	}
	if l.MaxPut < 1 || l.MaxObject < 1 || l.MaxPart < 1 || l.MaxCopy < 1 || l.MaxKey < 1 || l.MaxDelete < 1 {
		return fmt.Errorf("provider %q: a bound of its limits is below 1: %+v: give it, as WholeLimits and S3Limits do", a.p.ProviderName(), *l)
	}
	return nil
}

// adapter makes the contract out of a provider. It holds a key's lock over the look and the write of a provider that can not do both in
// one step: the only place where a lock is held over a request, and only requests for the same key wait.
type adapter struct {
	p      Provider
	limits Limits
	locks  [64]chan struct{} // by hash of the key; whoever has put something in holds it
}

// presigning is an adapter of a provider that makes URLs.
type presigning struct {
	*adapter
	Presigner
}

var (
	_ Store  = (*adapter)(nil)
	_ Syncer = (*adapter)(nil)
	_ Prober = (*adapter)(nil)
)

// Limits implements [Store].
func (a *adapter) Limits() Limits { return a.limits }

// Close implements [Store].
func (a *adapter) Close() error {
	if c, ok := a.p.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// Sync implements [Syncer].
func (a *adapter) Sync(ctx context.Context) error {
	if s, ok := a.p.(Syncer); ok {
		return s.Sync(ctx)
	}
	return nil
}

// ProbePut implements [Prober].
func (a *adapter) ProbePut(ctx context.Context, key string, c Cond) (stored bool, err error) {
	if s, ok := a.p.(Prober); ok {
		return s.ProbePut(ctx, key, c)
	}
	return false, fmt.Errorf("probe %q: %w", key, errors.ErrUnsupported)
}

// admit refuses a call that can not be made, before the provider is asked.
func (a *adapter) admit(ctx context.Context, o, key string) error {
	switch {
	case ctx.Err() != nil:
		return &Error{Op: o, Key: key, Kind: ErrTransient, Err: ctx.Err()}
	case key == "":
		return answer(o, key, "InvalidRequest", http.StatusBadRequest, ErrInvalid)
	case len(key) > a.limits.MaxKey:
		return answer(o, key, "KeyTooLongError", http.StatusBadRequest, ErrInvalid)
	}
	return nil
}

// lock takes the lock of keys like key, and gives the function that returns it.
func (a *adapter) lock(ctx context.Context, key string) (unlock func(), err error) {
	h := fnv.New32a()
	_, _ = io.WriteString(h, key) // never fails
	l := a.locks[h.Sum32()%uint32(len(a.locks))]
	select {
	case l <- struct{}{}:
		return func() { <-l }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// answer is an error as S3 has it. Source: S3 API reference, "Error responses".
func answer(o, key, code string, status int, kind error) *Error {
	return &Error{Op: o, Key: key, Code: code, Status: status, Kind: kind}
}

// failure makes an error of the contract of what a provider has returned. write: it may have been applied where nothing is known of it.
func failure(o, key string, err error, write bool) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		told := *e
		told.Op, told.Key = o, key
		if told.Kind == nil {
			told.Kind, told.Unanswered = ErrTransient, write
		}
		return &told
	}
	for _, k := range []struct {
		kind   error
		code   string
		status int
	}{
		{ErrNoUpload, "NoSuchUpload", http.StatusNotFound},
		{ErrNoBucket, "NoSuchBucket", http.StatusNotFound},
		{ErrNotExist, "NoSuchKey", http.StatusNotFound},
		{ErrExist, "PreconditionFailed", http.StatusPreconditionFailed},
		{ErrChanged, "PreconditionFailed", http.StatusPreconditionFailed},
		{ErrPermission, "AccessDenied", http.StatusForbidden},
		{ErrExpired, "ExpiredToken", http.StatusForbidden},
		{ErrCredentials, "InvalidAccessKeyId", http.StatusForbidden},
		{ErrArchived, "InvalidObjectState", http.StatusForbidden},
		{ErrInvalid, "InvalidRequest", http.StatusBadRequest},
		{ErrThrottled, "SlowDown", http.StatusServiceUnavailable},
	} {
		if errors.Is(err, k.kind) {
			e := answer(o, key, k.code, k.status, k.kind)
			e.Err, e.Unanswered = err, write && errors.Is(k.kind, ErrTransient)
			if text := err.Error(); text != k.kind.Error() {
				e.Hint = strings.Join(strings.Fields(text), " ")
			}
			return e
		}
	}
	return &Error{Op: o, Key: key, Kind: ErrTransient, Err: err, Unanswered: write}
}

// judgeRead is nil where the condition of a read of object holds.
func judgeRead(o, key string, object Object, c Cond) error {
	switch {
	case c.IfMatch != "" && c.IfNoneMatch:
		return answer(o, key, "InvalidRequest", http.StatusBadRequest, ErrInvalid)
	case c.IfNoneMatch:
		return answer(o, key, "NotModified", http.StatusNotModified, ErrChanged)
	case c.IfMatch != "" && c.IfMatch != object.ETag,
		!c.IfUnmodifiedSince.IsZero() && object.LastModified.Truncate(time.Second).After(c.IfUnmodifiedSince.Truncate(time.Second)):
		return answer(o, key, "PreconditionFailed", http.StatusPreconditionFailed, ErrChanged)
	}
	return nil
}

// admitCond refuses conditions that S3 has for reads only, or for other writes.
func admitCond(o, key string, c Cond) error {
	switch {
	case c.IfMatch != "" && c.IfNoneMatch:
		return answer(o, key, "InvalidRequest", http.StatusBadRequest, ErrInvalid)
	case !c.IfUnmodifiedSince.IsZero(), o == op.Delete && c.IfNoneMatch:
		return answer(o, key, "NotImplemented", http.StatusNotImplemented, ErrInvalid)
	}
	return nil
}
