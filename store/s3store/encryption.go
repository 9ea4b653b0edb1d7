package s3store

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/s3levelfs/s3levelfs/store"
)

// Headers of SSE-C, of the object and of the source of a copy. Source: S3 API reference, CopyObject.
const (
	customerPrefix = "X-Amz-Server-Side-Encryption-Customer-"
	sourcePrefix   = "X-Amz-Copy-Source-Server-Side-Encryption-Customer-"
)

// always adds the headers that requests have by the store's own settings.
func (s *Store) always(stack *middleware.Stack) error {
	if s.key == nil && !s.payer && s.owner == "" {
		return nil
	}
	return stack.Build.Add(settings{s, stack}, middleware.After)
}

// settings is the step that adds them.
type settings struct {
	store *Store
	stack *middleware.Stack // whose step it is: what else it has is known when it runs
}

// ID implements [middleware.BuildMiddleware].
func (settings) ID() string { return "settings" }

// HandleBuild implements [middleware.BuildMiddleware].
func (m settings) HandleBuild(ctx context.Context, in middleware.BuildInput, next middleware.BuildHandler) (
	middleware.BuildOutput, middleware.Metadata, error,
) {
	req, ok := in.Request.(*smithyhttp.Request)
	if !ok {
		return middleware.BuildOutput{}, middleware.Metadata{}, fmt.Errorf("unexpected request %T", in.Request)
	}
	if _, presigned := m.stack.Finalize.Get("PresignHTTPRequest"); presigned {
		return next.HandleBuild(ctx, in) // whoever opens the URL would have to send them, and the key is nobody's to know
	}
	if m.store.payer {
		req.Header.Set("X-Amz-Request-Payer", "requester")
	}
	if m.store.owner != "" {
		req.Header.Set("X-Amz-Expected-Bucket-Owner", m.store.owner)
		if req.Header.Get("X-Amz-Copy-Source") != "" {
			req.Header.Set("X-Amz-Source-Expected-Bucket-Owner", m.store.owner)
		}
	}
	if m.store.key == nil {
		return next.HandleBuild(ctx, in)
	}
	m.store.encrypt(ctx, req.Header, middleware.GetOperationName(ctx))
	out, answer, err := next.HandleBuild(ctx, in)
	if err == nil && writesBytes(middleware.GetOperationName(ctx)) && !encrypted(answer) {
		err = errNotEncrypted
	}
	return out, answer, err
}

// errNotEncrypted: a server that does not know SSE-C ignores its headers and stores the bytes as they are.
var errNotEncrypted = errors.New("the server has taken it without encrypting it: it does not know SSE-C, so leave --sse-c-key-file out, or use " +
	"another server; what it has stored under this key is not encrypted")

// writesBytes: an operation sends, or begins to send, what the key is to encrypt.
func writesBytes(operation string) bool {
	switch operation {
	case "PutObject", "CreateMultipartUpload", "UploadPart", "CopyObject", "UploadPartCopy":
		return true
	}
	return false
}

// encrypted: the server says that it has used the key. Source: S3 API reference, PutObject, "Response Elements"
// (x-amz-server-side-encryption-customer-algorithm).
func encrypted(answer middleware.Metadata) bool {
	res, ok := awsmiddleware.GetRawResponse(answer).(*smithyhttp.Response)
	return ok && res.Header.Get(customerPrefix+"Algorithm") != ""
}

// encrypt gives the key to requests that need it. What is written is encrypted by it, whatever else it was by before.
func (s *Store) encrypt(ctx context.Context, h http.Header, operation string) {
	key, sum := s.key.Headers()
	set := func(prefix string) {
		h.Set(prefix+"Algorithm", "AES256")
		h.Set(prefix+"Key", key)
		h.Set(prefix+"Key-Md5", sum)
	}
	plain := ctx.Value(plainObject{}) != nil
	switch operation {
	case "GetObject", "HeadObject":
		if !plain {
			set(customerPrefix)
		}
	default:
		if !writesBytes(operation) {
			return
		}
		for _, other := range []string{"", "-Aws-Kms-Key-Id", "-Bucket-Key-Enabled"} {
			h.Del("X-Amz-Server-Side-Encryption" + other)
		}
		set(customerPrefix)
		if h.Get("X-Amz-Copy-Source") != "" && !plain {
			set(sourcePrefix)
		}
	}
}

// plainObject in a context says that the object which is read is not encrypted by the key.
type plainObject struct{}

// maxPlain bounds the keys of which it is remembered; above, all are asked for anew.
const maxPlain = 10_000

// plainKeys remembers objects that are not encrypted by the key: S3 refuses to give them to who sends one. The zero value is ready.
type plainKeys struct {
	mu   sync.Mutex
	keys map[string]bool
}

func (p *plainKeys) has(key string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.keys[key]
}

func (p *plainKeys) note(key string, plain bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !plain {
		delete(p.keys, key)
		return
	}
	if p.keys == nil || len(p.keys) >= maxPlain {
		p.keys = map[string]bool{}
	}
	p.keys[key] = true
}

// eitherWay reads an object with the store's customer key, or without where it turns out that it is not encrypted by that: 400 is the
// answer to both mistakes.
func eitherWay(ctx context.Context, s *Store, key string, read func(ctx context.Context) error) error {
	if s.key == nil {
		return read(ctx)
	}
	plain := s.plain.has(key)
	with := func(plain bool) error {
		if plain {
			return read(context.WithValue(ctx, plainObject{}, true))
		}
		return read(ctx)
	}
	first := with(plain)
	if e, ok := errors.AsType[*store.Error](first); !ok || e.Status != http.StatusBadRequest {
		return first
	}
	if err := with(!plain); err != nil {
		return first
	}
	s.plain.note(key, !plain)
	return nil
}

// What refusals have to do with SSE-C, and what mends them.
const (
	hintNoKey   = "the object is encrypted with a key of its owner (SSE-C): give its file by --sse-c-key-file"
	hintBlocked = "where the bucket blocks encryption with keys of one's own (SSE-C), as new ones do since April 2026, " +
		"allow it with PutBucketEncryption, or leave --sse-c-key-file out"
)

// explain says what a refusal has to do with SSE-C.
func (c *call) explain(e *store.Error) {
	switch {
	case e.Status == http.StatusBadRequest && e.Code == "InvalidRequest" && c.store.key == nil && e.Err != nil &&
		strings.Contains(e.Err.Error(), "form of Server Side Encryption"):
		e.Kind, e.Hint = store.ErrPermission, hintNoKey
	case e.Status == http.StatusForbidden && e.Code == "AccessDenied" && c.write && c.store.key != nil:
		e.Hint = hintBlocked
	}
}
