package s3store

import (
	"context"
	"errors"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/s3levelfs/s3levelfs/store"
)

// tagging is the value of x-amz-tagging; nil = none is sent.
func tagging(tags string) *string {
	if tags == store.NoTags {
		return nil
	}
	return ptr(tags)
}

// tags asks for the tags of an object of which a HEAD has told that there are some, as part of that call. Amplify's roles have no right
// to them, and some servers do not know the request: then they are hidden.
func (s *Store) tags(ctx context.Context, call *call, key string, head *s3.HeadObjectOutput) (text string, hidden bool, err error) {
	if aws.ToInt32(head.TagCount) == 0 {
		return "", false, nil
	}
	out, err := s.client.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: &s.bucket, Key: &key, VersionId: head.VersionId}, call.options()...)
	if err != nil {
		_, _, kind := kindOf(err)
		if errors.Is(kind, store.ErrPermission) || errors.Is(kind, store.ErrInvalid) {
			return "", true, nil
		}
		return "", false, err
	}
	tags := url.Values{}
	for _, t := range out.TagSet {
		tags.Set(aws.ToString(t.Key), aws.ToString(t.Value))
	}
	return tags.Encode(), false, nil
}
