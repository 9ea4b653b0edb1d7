package s3store_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/google/go-cmp/cmp"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/s3store"
)

// TestKinds: every S3 answer has its kind, in every operation, is retried where
// that helps, and is known as unanswered where it is.
func TestKinds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status     int
		code       string
		kind       error
		attempts   int // of a read
		unanswered bool
	}{
		{403, "AccessDenied", store.ErrPermission, 1, false},
		{403, "InvalidAccessKeyId", store.ErrCredentials, 1, false},
		{403, "SignatureDoesNotMatch", store.ErrCredentials, 1, false},
		{400, "ExpiredToken", store.ErrExpired, 1, false},
		{400, "InvalidToken", store.ErrCredentials, 1, false},
		{403, "RequestTimeTooSkewed", store.ErrClockSkew, 1, false}, // Date agrees: no correction to try
		{403, "InvalidObjectState", store.ErrArchived, 1, false},
		{404, "NoSuchKey", store.ErrNotExist, 1, false},
		{404, "NoSuchBucket", store.ErrNoBucket, 1, false},
		{404, "NoSuchUpload", store.ErrNoUpload, 1, false},
		{412, "PreconditionFailed", store.ErrChanged, 1, false},
		{409, "ConditionalRequestConflict", store.ErrChanged, 1, false},
		{409, "ObjectParentIsFile", store.ErrInvalid, 1, false},
		{400, "InvalidRequest", store.ErrInvalid, 1, false},
		{501, "NotImplemented", store.ErrInvalid, 1, false},
		{301, "PermanentRedirect", store.ErrInvalid, 1, false},
		{500, "InternalError", store.ErrTransient, 4, true},
		{503, "SlowDown", store.ErrThrottled, 4, true},
		{503, "ServiceUnavailable", store.ErrThrottled, 4, true},
		{503, "", store.ErrThrottled, 4, true},
		{400, "Throttling", store.ErrThrottled, 4, false},
		{429, "", store.ErrThrottled, 4, false},
		{502, "", store.ErrTransient, 4, true},
		{400, "RequestTimeout", store.ErrTransient, 4, false},
		{429, "TooManyRequestsException", store.ErrThrottled, 4, false},
	} {
		t.Run(c.code+http.StatusText(c.status), func(t *testing.T) {
			t.Parallel()
			f := newFake(t, func(w http.ResponseWriter, _ *http.Request) { refuse(w, c.status, c.code) })
			for op, run := range ops(t, open(t, f.URL)) {
				if op == "head" {
					continue // has no codes: TestHeadKinds
				}
				before := len(f.requests())
				err := run()
				if op == "delete" && errors.Is(c.kind, store.ErrNotExist) ||
					op == "abort" && errors.Is(c.kind, store.ErrNoUpload) {
					if err != nil {
						t.Errorf("%s: absence is no error here: %v", op, err)
					}
					continue
				}
				got, ok := errors.AsType[*store.Error](err)
				if !ok {
					t.Fatalf("%s: %v", op, err)
				}
				want := &store.Error{
					Op: op, Key: "k", Code: c.code, Status: c.status, RequestID: "REQ1", Unanswered: c.unanswered,
				}
				if op == "list" {
					want.Key = "p/"
				}
				if c.code == "" {
					want.Code = got.Code
				}
				if !errors.Is(err, c.kind) || !errors.Is(got.Kind, c.kind) {
					t.Errorf("%s: kind %v, want %v", op, got.Kind, c.kind)
				}
				if errors.Is(err, store.ErrThrottled) != errors.Is(c.kind, store.ErrThrottled) {
					t.Errorf("%s: %v is taken for throttling, or is not", op, err)
				}
				if diff := cmp.Diff(want, got, cmp.FilterPath(func(p cmp.Path) bool {
					return p.Last().String() == ".Kind" || p.Last().String() == ".Err"
				}, cmp.Ignore())); diff != "" {
					t.Errorf("%s: %s", op, diff)
				}
				attempts := 1
				if isRead(op) {
					attempts = c.attempts
				}
				if n := len(f.requests()) - before; n != attempts {
					t.Errorf("%s: %d attempts, want %d", op, n, attempts)
				}
			}
		})
	}
}

// TestHeadKinds: an answer to HEAD has a status alone.
func TestHeadKinds(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]error{
		404: store.ErrNotExist, 403: store.ErrPermission, 412: store.ErrChanged, 304: store.ErrChanged,
		500: store.ErrTransient, 503: store.ErrThrottled, 429: store.ErrThrottled,
	} {
		f := newFake(t, func(w http.ResponseWriter, _ *http.Request) { refuse(w, status, "") })
		_, err := open(t, f.URL).Head(t.Context(), "k", store.Cond{})
		if se, ok := errors.AsType[*store.Error](err); !ok || !errors.Is(se.Kind, want) || se.Status != status {
			t.Errorf("HEAD %d: %v, want %v", status, err, want)
		}
	}
}

// TestHeadExpired: a 400 to HEAD is looked into, as expired credentials hide there.
func TestHeadExpired(t *testing.T) {
	t.Parallel()
	f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			refuse(w, 400, "")
			return
		}
		refuse(w, 400, "ExpiredToken")
	})
	_, err := open(t, f.URL).Head(t.Context(), "k", store.Cond{})
	if !errors.Is(err, store.ErrExpired) || len(f.requests()) != 2 {
		t.Errorf("%v in %d requests", err, len(f.requests()))
	}
}

// TestErrorIn200: copies and completions may fail after their 200.
func TestErrorIn200(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]error{
		"InternalError": store.ErrTransient, "SlowDown": store.ErrThrottled,
		"PreconditionFailed": store.ErrChanged, "AccessDenied": store.ErrPermission,
	} {
		f := newFake(t, func(w http.ResponseWriter, _ *http.Request) { refuse(w, 200, code) })
		all := ops(t, open(t, f.URL))
		for _, op := range []string{"complete", "copy", "copy-part"} {
			err := all[op]()
			if !errors.Is(err, want) {
				t.Errorf("%s of 200 with %s: %v, want %v", op, code, err, want)
			}
			if got := store.Unanswered(err); got != errors.Is(want, store.ErrTransient) {
				t.Errorf("%s of 200 with %s: unanswered is %v", op, code, got)
			}
		}
	}
}

// TestNothingIn200: a success that says nothing is none.
func TestNothingIn200(t *testing.T) {
	t.Parallel()
	f := newFake(t, func(http.ResponseWriter, *http.Request) {})
	all := ops(t, open(t, f.URL))
	for _, op := range []string{"complete", "copy", "copy-part", "create"} {
		if err := all[op](); !errors.Is(err, store.ErrTransient) || !store.Unanswered(err) {
			t.Errorf("%s of an empty 200: %v", op, err)
		}
	}
}

// TestConnections: a dial that fails sent nothing; a connection that breaks may have.
func TestConnections(t *testing.T) {
	t.Parallel()
	closed := newFake(t, func(http.ResponseWriter, *http.Request) {})
	closed.Close()
	broken := newFake(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	for name, c := range map[string]struct {
		url        string
		unanswered bool
	}{"refused": {closed.URL, false}, "broken": {broken.URL, true}} {
		for op, run := range ops(t, open(t, c.url)) {
			err := run()
			if !errors.Is(err, store.ErrTransient) || store.Unanswered(err) != c.unanswered {
				t.Errorf("%s %s: %v, unanswered %v", name, op, err, store.Unanswered(err))
			}
			if name == "refused" {
				if _, ok := errors.AsType[*net.OpError](err); !ok {
					t.Errorf("%s: the cause is not there: %v", op, err)
				}
			}
		}
	}
}

func TestCanceled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	f := newFake(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	_, err := open(t, f.URL).Put(ctx, "k", section("x"), store.Headers{}, store.Cond{})
	if !errors.Is(err, context.Canceled) || !store.Unanswered(err) {
		t.Errorf("%v", err)
	}
}

type noCredentials struct{}

func (noCredentials) Retrieve(context.Context) (aws.Credentials, error) {
	return aws.Credentials{}, errors.New("no role found")
}

func TestNoCredentials(t *testing.T) {
	t.Parallel()
	f := newFake(t, func(http.ResponseWriter, *http.Request) {})
	s := open(t, f.URL, func(c *s3store.Config) { c.Credentials = noCredentials{} })
	for op, run := range ops(t, s) {
		if err := run(); !errors.Is(err, store.ErrCredentials) || store.Unanswered(err) {
			t.Errorf("%s: %v", op, err)
		}
	}
	if n := len(f.requests()); n != 0 {
		t.Errorf("%d requests without credentials", n)
	}
}

// TestNoSecrets: what is printed has neither keys nor URLs.
func TestNoSecrets(t *testing.T) {
	t.Parallel()
	f := newFake(t, func(w http.ResponseWriter, _ *http.Request) { refuse(w, 403, "AccessDenied") })
	refused := open(t, f.URL)
	f2 := newFake(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	for _, s := range []*s3store.Store{refused, open(t, f2.URL)} {
		for op, run := range ops(t, s) {
			for err := run(); err != nil; err = unwrap(err) {
				for _, bad := range []string{secret, "Signature=", "X-Amz-", "http://"} {
					if strings.Contains(err.Error(), bad) {
						t.Errorf("%s: %q in %q", op, bad, err)
					}
				}
			}
		}
	}
}

func unwrap(err error) error {
	if m, ok := err.(interface{ Unwrap() []error }); ok {
		all := m.Unwrap()
		return all[len(all)-1]
	}
	return errors.Unwrap(err)
}

// TestWriteConditions: a condition that S3 does not have for writes is refused,
// not dropped.
func TestWriteConditions(t *testing.T) {
	t.Parallel()
	f := newFake(t, func(http.ResponseWriter, *http.Request) {})
	s := open(t, f.URL)
	c := store.Cond{IfUnmodifiedSince: testTime}
	_, err1 := s.Put(t.Context(), "k", section(""), store.Headers{}, c)
	_, err2 := s.Copy(t.Context(), store.CopyRequest{Source: "a", Target: "k", Cond: c})
	err3 := s.Delete(t.Context(), "k", c)
	_, err4 := s.Complete(t.Context(), "k", "id", nil, c)
	err5 := s.Delete(t.Context(), "k", store.Cond{IfNoneMatch: true})
	_, err6 := s.DeleteMany(t.Context(), make([]string, 1001))
	for i, err := range []error{err1, err2, err3, err4, err5, err6} {
		if !errors.Is(err, store.ErrInvalid) || store.Unanswered(err) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if n := len(f.requests()); n != 0 {
		t.Errorf("%d requests", n)
	}
}
