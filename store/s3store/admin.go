package s3store

import (
	"context"
	"errors"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/s3levelfs/s3levelfs/store"
)

// The calls that set a bucket up. They are no part of [store.Store]: no mount makes them, and Amplify's roles grant none of
// them. The key of their errors is the bucket.
const (
	opHeadBucket   = "head-bucket"
	opCreateBucket = "create-bucket"
	opGetCORS      = "get-cors"
	opPutCORS      = "put-cors"
	opGetLifecycle = "get-lifecycle"
	opPutLifecycle = "put-lifecycle"
	opPreflight    = "preflight"
)

// BucketExists asks by HeadBucket. [store.ErrPermission]: it is somebody else's, or one may not look.
func (s *Store) BucketExists(ctx context.Context) (bool, error) {
	ctx, call := s.read(ctx, opHeadBucket, s.bucket, s.timeouts.ReadHeader)
	_, err := s.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &s.bucket}, call.options()...)
	err = call.end(0, err)
	if errors.Is(err, store.ErrNotExist) || errors.Is(err, store.ErrNoBucket) {
		return false, nil
	}
	return err == nil, err
}

// CreateBucket makes the bucket in the region that requests are signed for; one that is ours already is no error.
func (s *Store) CreateBucket(ctx context.Context) error {
	in := &s3.CreateBucketInput{Bucket: &s.bucket}
	if region := s.client.Options().Region; region != defaultRegion { // S3 refuses the name of that one
		in.CreateBucketConfiguration = &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(region)}
	}
	ctx, call := s.change(ctx, opCreateBucket, s.bucket, s.timeouts.WriteHeader)
	_, err := s.client.CreateBucket(ctx, in, call.options()...)
	if err = call.end(0, err); codeOf(err) == "BucketAlreadyOwnedByYou" {
		return nil
	}
	return err
}

// CORSRule is one rule of a bucket's CORS configuration, all of it. Source: S3 API reference, CORSRule.
type CORSRule struct {
	ID             string   `json:"ID,omitempty"             xml:"ID,omitempty"`
	AllowedHeaders []string `json:"AllowedHeaders,omitempty" xml:"AllowedHeader"`
	AllowedMethods []string `json:"AllowedMethods"           xml:"AllowedMethod"`
	AllowedOrigins []string `json:"AllowedOrigins"           xml:"AllowedOrigin"`
	ExposeHeaders  []string `json:"ExposeHeaders,omitempty"  xml:"ExposeHeader"`
	// MaxAgeSeconds is how long a browser may keep the answer; nil = not said.
	MaxAgeSeconds *int32 `json:"MaxAgeSeconds,omitempty" xml:"MaxAgeSeconds"`
}

// CORS reads the rules; a bucket without any gives none.
func (s *Store) CORS(ctx context.Context) ([]CORSRule, error) {
	ctx, call := s.read(ctx, opGetCORS, s.bucket, s.timeouts.ReadHeader)
	out, err := s.client.GetBucketCors(ctx, &s3.GetBucketCorsInput{Bucket: &s.bucket}, call.options()...)
	if err = call.end(0, err); err != nil {
		if codeOf(err) == "NoSuchCORSConfiguration" {
			return nil, nil
		}
		return nil, err
	}
	rules := make([]CORSRule, len(out.CORSRules))
	for i, r := range out.CORSRules {
		rules[i] = CORSRule{
			ID: aws.ToString(r.ID), AllowedHeaders: r.AllowedHeaders, AllowedMethods: r.AllowedMethods,
			AllowedOrigins: r.AllowedOrigins, ExposeHeaders: r.ExposeHeaders, MaxAgeSeconds: r.MaxAgeSeconds,
		}
	}
	return rules, nil
}

// PutCORS replaces all rules; S3 has no way to say which ones are replaced.
func (s *Store) PutCORS(ctx context.Context, rules []CORSRule) error {
	in := &s3.PutBucketCorsInput{Bucket: &s.bucket, CORSConfiguration: &types.CORSConfiguration{}}
	for _, r := range rules {
		in.CORSConfiguration.CORSRules = append(in.CORSConfiguration.CORSRules, types.CORSRule{
			ID: ptr(r.ID), AllowedHeaders: r.AllowedHeaders, AllowedMethods: r.AllowedMethods,
			AllowedOrigins: r.AllowedOrigins, ExposeHeaders: r.ExposeHeaders, MaxAgeSeconds: r.MaxAgeSeconds,
		})
	}
	ctx, call := s.change(ctx, opPutCORS, s.bucket, s.timeouts.WriteHeader)
	_, err := s.client.PutBucketCors(ctx, in, call.options(s.digest()...)...)
	return call.end(0, err)
}

// digest is the older checksum of a configuration for servers without the newer ones: S3 demands one of them here.
func (s *Store) digest() []func(*s3.Options) {
	if s.checksum {
		return nil
	}
	return []func(*s3.Options){s3.WithAPIOptions(smithyhttp.AddContentChecksumMiddleware)}
}

// codeOf is the S3 code of a failed call.
func codeOf(err error) string {
	if e, ok := errors.AsType[*store.Error](err); ok {
		return e.Code
	}
	return ""
}

// Unsupported reports whether err says that the server does not have the call at all.
func Unsupported(err error) bool {
	e, ok := errors.AsType[*store.Error](err)
	return ok && (e.Code == "NotImplemented" || e.Status == http.StatusNotImplemented || e.Status == http.StatusMethodNotAllowed)
}
