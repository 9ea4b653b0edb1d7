package s3store

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/s3levelfs/s3levelfs/store"
)

// MaxPresign is how long a presigned URL may be good. Source: S3 user guide, "Download and upload objects with presigned URLs".
const MaxPresign = 7 * 24 * time.Hour

const opPresign = "presign"

// ResponseHeaders are what the answer to a presigned GET says in the place of what is stored; "" = as stored.
type ResponseHeaders struct {
	CacheControl, ContentDisposition, ContentEncoding, ContentLanguage, ContentType, Expires string
}

// PresignRequest asks for a URL that works for whoever has it.
type PresignRequest struct {
	Key     string
	Put     bool          // else a GET
	Expires time.Duration // 1 s to MaxPresign, in whole seconds

	ContentType string          // of a PUT: the upload must have this header; "" = any
	Response    ResponseHeaders // of a GET
}

// Presigned is a URL. It is as good as a secret until it expires: it belongs into no log.
type Presigned struct {
	URL     string
	Method  string
	Headers http.Header // that the request must have
	Expires time.Time
	Capped  bool // the credentials expire before the time that was asked for
}

// String keeps the URL out of logs.
func (p Presigned) String() string {
	return p.Method + " [redacted] until " + p.Expires.Format(time.RFC3339)
}

// Presign makes a URL. It sends no request (but those by which credentials are had). With credentials that expire the URL ends with them at the latest, as
// S3 has it. A key of the customer's (SSE-C) is in no URL.
func (s *Store) Presign(ctx context.Context, r PresignRequest) (Presigned, error) {
	fail := func(kind, err error) (Presigned, error) {
		return Presigned{}, &store.Error{Op: opPresign, Key: r.Key, Kind: kind, Err: err}
	}
	if err := writable(opPresign, r.Key, store.Cond{}); err != nil {
		return Presigned{}, err
	}
	if r.Expires < time.Second || r.Expires > MaxPresign {
		return fail(store.ErrInvalid, fmt.Errorf("it can be good from 1 s to %v, not %v", MaxPresign, r.Expires))
	}
	who, err := s.credentials.Retrieve(ctx)
	if err != nil {
		_, _, kind := kindOf(err)
		return fail(kind, err)
	}
	now := time.Now().Add(time.Duration(s.skew.Load()))
	good, capped := r.Expires.Truncate(time.Second), false
	if left := who.Expires.Sub(now).Truncate(time.Second); who.CanExpire && left < good {
		good, capped = left, true
	}
	if good < time.Second {
		return fail(store.ErrExpired, errors.New("the credentials have expired"))
	}
	req, err := s.presign(ctx, r, good, fixedSigner{s.signer, who, now})
	if err != nil {
		_, _, kind := kindOf(err)
		return fail(kind, cause(err))
	}
	req.SignedHeader.Del("Host")
	return Presigned{URL: req.URL, Method: req.Method, Headers: req.SignedHeader, Expires: now.Add(good), Capped: capped}, nil
}

// PresignGet implements [store.Presigner]: a URL for a GET of what is stored as it is stored.
func (s *Store) PresignGet(ctx context.Context, key string, expires time.Duration) (string, error) {
	p, err := s.Presign(ctx, PresignRequest{Key: key, Expires: expires})
	return p.URL, err
}

// presign has the SDK make the URL, by its own steps: ours are for requests that are sent.
func (s *Store) presign(ctx context.Context, r PresignRequest, good time.Duration, signer fixedSigner) (*v4.PresignedHTTPRequest, error) {
	plain := s3.New(s.client.Options(), func(o *s3.Options) {
		o.APIOptions = nil
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired // nobody knows the body
	})
	client := s3.NewPresignClient(plain, func(o *s3.PresignOptions) { o.Expires, o.Presigner = good, signer })
	if r.Put {
		return client.PresignPutObject(ctx, &s3.PutObjectInput{Bucket: &s.bucket, Key: &r.Key, ContentType: ptr(r.ContentType)})
	}
	in := &s3.GetObjectInput{
		Bucket: &s.bucket, Key: &r.Key,
		ResponseCacheControl: ptr(r.Response.CacheControl), ResponseContentDisposition: ptr(r.Response.ContentDisposition),
		ResponseContentEncoding: ptr(r.Response.ContentEncoding), ResponseContentLanguage: ptr(r.Response.ContentLanguage),
		ResponseContentType: ptr(r.Response.ContentType),
	}
	if r.Response.Expires != "" {
		at, err := http.ParseTime(r.Response.Expires)
		if err != nil {
			return nil, fmt.Errorf("expires %q is no HTTP date: %w", r.Response.Expires, err)
		}
		in.ResponseExpires = &at
	}
	return client.PresignGetObject(ctx, in)
}

// fixedSigner signs with the credentials that were looked at, by the server's clock.
type fixedSigner struct {
	signer *v4.Signer
	who    aws.Credentials
	now    time.Time
}

// PresignHTTP implements [s3.HTTPPresignerV4].
func (f fixedSigner) PresignHTTP(ctx context.Context, _ aws.Credentials, r *http.Request, payload, service, region string,
	_ time.Time, options ...func(*v4.SignerOptions),
) (string, http.Header, error) {
	options = append(options, func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }) // S3's rule: the path is escaped once
	return f.signer.PresignHTTP(ctx, f.who, r, payload, service, region, f.now, options...)
}
