package s3store

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/op"
)

// uncopied are the headers of a copy's source that S3 does not copy with the others: storage class, encryption and redirect of
// the copy are what the request says, and else the bucket's defaults. Source: S3 API reference, CopyObject. They are asked for where
// the caller does not know them.
func (s *Store) uncopied(ctx context.Context, r store.CopyRequest) (store.Headers, error) {
	switch {
	case r.Headers != nil || s.keepsAll:
		return store.Headers{}, nil
	case r.Known != nil:
		return *r.Known, nil
	}
	ctx, call := s.read(ctx, op.Head, r.Source, s.timeouts.ReadHeader)
	out, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: &r.Source, IfMatch: ptr(r.SourceETag)}, call.options()...)
	if err = call.end(0, err); err != nil {
		if e, ok := errors.AsType[*store.Error](err); ok {
			e.Op, e.Key, e.Unanswered = op.Copy, r.Target, false // it is the copy's, which was not sent
		}
		return store.Headers{}, err
	}
	return store.Headers{
		StorageClass: class(string(out.StorageClass)), WebsiteRedirect: aws.ToString(out.WebsiteRedirectLocation),
		SSE: string(out.ServerSideEncryption), SSEKMSKeyID: aws.ToString(out.SSEKMSKeyId), BucketKey: aws.ToBool(out.BucketKeyEnabled),
	}, nil
}
