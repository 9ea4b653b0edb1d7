package s3store

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/op"
)

// wrongMD5 is the base64 MD5 of nothing, which the body of a probe is not.
const wrongMD5 = "1B2M2Y8AsgTpgAmY7PhCfg=="

// ProbePut asks whether key could be put under c, by a request that a server refuses after it has judged the caller's rights: its
// Content-MD5 is not that of its body. nil says that it may, an error of kind [store.ErrPermission] that it may not; any
// other error answers nothing. stored: the server has compared neither, and the object is there; it is the caller's to remove.
//
// Source: S3 API reference, PutObject (Content-MD5) and "Error responses" (BadDigest). With c.IfMatch S3 wants
// s3:GetObject beside s3:PutObject (S3 user guide, "Enforce conditional writes on Amazon S3 buckets").
func (s *Store) ProbePut(ctx context.Context, key string, c store.Cond) (stored bool, err error) {
	if err := writable(op.Put, key, c); err != nil {
		return false, err
	}
	ctx, call := s.change(ctx, op.Put, key, s.timeouts.WriteHeader)
	body := strings.NewReader("?")
	_, err = s.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &s.bucket, Key: &key, Body: body, ContentLength: aws.Int64(body.Size()), ContentMD5: aws.String(wrongMD5),
		IfMatch: ptr(c.IfMatch), IfNoneMatch: star(c.IfNoneMatch),
	}, call.options()...)
	err = call.end(body.Size(), err)
	if refused, ok := errors.AsType[*store.Error](err); ok &&
		(refused.Code == "BadDigest" || errors.Is(err, store.ErrChanged) || errors.Is(err, store.ErrNotExist)) {
		return false, nil
	}
	return err == nil, err
}
