package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"
)

// Kinds of failure, found by errors.Is. The first three are io/fs's own.
var (
	ErrNotExist   = fs.ErrNotExist
	ErrExist      = fs.ErrExist
	ErrPermission = fs.ErrPermission // 403 AccessDenied and its kin

	ErrChanged     = errors.New("object has changed")             // 412, 409 ConditionalRequestConflict, 304
	ErrNoUpload    = errors.New("multipart upload is gone")       // 404 NoSuchUpload
	ErrNoBucket    = errors.New("bucket does not exist")          // 404 NoSuchBucket
	ErrTransient   = errors.New("store did not answer properly")  // 5xx, network; ErrThrottled is one
	ErrExpired     = errors.New("credentials have expired")       // ExpiredToken, RequestExpired …
	ErrCredentials = errors.New("credentials are not valid")      // InvalidAccessKeyId, SignatureDoesNotMatch, none found
	ErrClockSkew   = errors.New("clock differs from the store's") // RequestTimeTooSkewed, after the correction failed
	ErrArchived    = errors.New("object is archived")             // InvalidObjectState: restore it first
	ErrInvalid     = errors.New("store refused the request")      // other 4xx: repeating it is useless

	// ErrThrottled is the kind of ErrTransient that asks for fewer requests: SlowDown, 503, 429.
	ErrThrottled = fmt.Errorf("store asks to slow down: %w", ErrTransient)
)

// Error is a failed call. Secrets and signed URLs never enter it.
type Error struct {
	Op        string // "put", "get", "list", …
	Key       string // key or prefix
	Code      string // S3 error code, "" when no answer came
	Status    int    // HTTP status, 0 when no answer came
	RequestID string
	Kind      error  // one of the kinds above, never nil
	Err       error  // cause, may be nil
	Hint      string // what it is about and what mends it, where the code alone does not say

	// RetryAfter is how long the store asks to wait before the next attempt; 0 when it does not say.
	RetryAfter time.Duration

	// Unanswered is true when the request may have reached the store and its
	// outcome is unknown: no answer, or a 5xx. Only meaningful for writes.
	Unanswered bool
}

// Error gives "op key: cause", in one line.
func (e *Error) Error() string {
	cause := e.Kind
	if e.Err != nil {
		cause = e.Err
	}
	if e.Code != "" {
		text := fmt.Sprintf("%s %q: %v (%s, HTTP %d)", e.Op, e.Key, e.Kind, e.Code, e.Status)
		if e.Hint != "" {
			text += ": " + e.Hint
		}
		return text
	}
	return fmt.Sprintf("%s %q: %v", e.Op, e.Key, cause)
}

// Unwrap makes errors.Is find the kind and the cause. A connection that ends
// without an answer is io.EOF to net/http; it stays hidden here, because to
// everybody who reads a file io.EOF means that the file ends.
func (e *Error) Unwrap() []error {
	if e.Err == nil || errors.Is(e.Err, io.EOF) {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

// Unanswered reports whether err is a write whose outcome is unknown.
func Unanswered(err error) bool {
	se, ok := errors.AsType[*Error](err)
	return ok && se.Unanswered
}

// RetryAfter is how long the store has asked to wait before err's request is sent again; 0 when it has not.
func RetryAfter(err error) time.Duration {
	se, ok := errors.AsType[*Error](err)
	if !ok {
		return 0
	}
	return max(se.RetryAfter, 0)
}
