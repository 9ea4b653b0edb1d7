package s3store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/op"
)

// Head implements [store.Reader].
func (s *Store) Head(ctx context.Context, key string, c store.Cond) (o store.Object, err error) {
	err = eitherWay(ctx, s, key, func(ctx context.Context) error {
		o, err = s.head(ctx, key, c)
		return err
	})
	return o, err
}

func (s *Store) head(ctx context.Context, key string, c store.Cond) (store.Object, error) {
	ctx, call := s.read(ctx, op.Head, key, s.timeouts.ReadHeader)
	out, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{
		Bucket: &s.bucket, Key: &key,
		IfMatch: ptr(c.IfMatch), IfNoneMatch: star(c.IfNoneMatch),
		ChecksumMode: types.ChecksumModeEnabled,
	}, call.options()...)
	if err != nil && isStatus(err, http.StatusBadRequest) {
		err = s.reason(ctx, call, key, err)
	}
	if err == nil {
		err = call.unmodified(out.LastModified, c)
	}
	var (
		tags   string
		hidden bool
	)
	if err == nil {
		tags, hidden, err = s.tags(ctx, call, key, out)
	}
	if err = call.end(0, err); err != nil {
		return store.Object{}, err
	}
	o := headObject(key, out)
	o.Headers.Tags, o.TagsHidden = tags, hidden
	return o, nil
}

// reason asks once more for what an answer to HEAD can not say, having no body:
// expired credentials are a bare 400 there.
func (s *Store) reason(ctx context.Context, call *call, key string, head error) error {
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{
		Bucket: &s.bucket, Key: &key, Range: aws.String("bytes=0-0"),
	}, call.options()...)
	if err == nil {
		return errors.Join(head, out.Body.Close())
	}
	return err
}

// Get implements [store.Reader].
func (s *Store) Get(ctx context.Context, key string, r store.Range, c store.Cond) (body io.ReadCloser, o store.Object, err error) {
	err = eitherWay(ctx, s, key, func(ctx context.Context) error {
		body, o, err = s.get(ctx, key, r, c)
		return err
	})
	return body, o, err
}

func (s *Store) get(ctx context.Context, key string, r store.Range, c store.Cond) (io.ReadCloser, store.Object, error) {
	if r.Len == 0 && r.Part == 0 {
		return s.nothing(ctx, key, c)
	}
	callCtx, call := s.read(ctx, op.Get, key, s.timeouts.ReadStall)
	out, err := s.client.GetObject(callCtx, &s3.GetObjectInput{
		Bucket: &s.bucket, Key: &key, Range: rangeHeader(r), PartNumber: partNumber(r),
		IfMatch: ptr(c.IfMatch), IfNoneMatch: star(c.IfNoneMatch),
	}, call.options(withChecksum(r)...)...)
	if err != nil {
		if r.Part == 0 && isStatus(err, http.StatusRequestedRangeNotSatisfiable) {
			_ = call.end(0, nil)
			return s.nothing(ctx, key, c)
		}
		return nil, store.Object{}, call.end(0, err)
	}
	if err := call.unmodified(out.LastModified, c); err != nil {
		return nil, store.Object{}, call.end(0, errors.Join(err, out.Body.Close()))
	}
	call.total.Stop() // the body has a watchdog of its own
	body, size, part, err := newBody(call, out, r)
	if err != nil {
		return nil, store.Object{}, call.end(0, errors.Join(err, out.Body.Close()))
	}
	return body, getObject(key, out, size, part), nil
}

// withChecksum asks for the checksum of an object, or of a part, that is read whole. It is not the SDK's own way to ask, which
// would add up the body too: the reader above does, and more than one layer of that costs.
func withChecksum(r store.Range) []func(*s3.Options) {
	if r != store.All && r.Part == 0 {
		return nil
	}
	return []func(*s3.Options){s3.WithAPIOptions(smithyhttp.SetHeaderValue("X-Amz-Checksum-Mode", "ENABLED"))}
}

// unmodified judges Cond.IfUnmodifiedSince by the answer's own date. The header of
// that name has whole seconds, and some servers compare it with a date that has
// fractions, so that they refuse what has not changed.
func (c *call) unmodified(at *time.Time, cond store.Cond) error {
	since := cond.IfUnmodifiedSince
	if since.IsZero() || (at != nil && !at.Truncate(time.Second).After(since)) {
		return nil
	}
	return &store.Error{
		Op: c.op, Key: c.key, Kind: store.ErrChanged,
		Err: fmt.Errorf("modified at %v, after %v", aws.ToTime(at).UTC(), since.UTC()),
	}
}

// nothing is an empty range of an object: its attributes alone.
func (s *Store) nothing(ctx context.Context, key string, c store.Cond) (io.ReadCloser, store.Object, error) {
	o, err := s.Head(ctx, key, c)
	if err != nil {
		return nil, store.Object{}, err
	}
	return io.NopCloser(bytes.NewReader(nil)), o, nil
}

// partNumber is nil where a range of the object is asked for.
func partNumber(r store.Range) *int32 {
	if r.Part == 0 {
		return nil
	}
	return &r.Part
}

func rangeHeader(r store.Range) *string {
	switch {
	case r.Part > 0:
		return nil
	case r.Len >= 0:
		return aws.String(fmt.Sprintf("bytes=%d-%d", r.Off, r.Off+r.Len-1))
	case r.Off > 0:
		return aws.String(fmt.Sprintf("bytes=%d-", r.Off))
	}
	return nil
}

func isStatus(err error, status int) bool {
	resp, ok := errors.AsType[*awshttp.ResponseError](err)
	return ok && resp.HTTPStatusCode() == status
}

// extent reads "bytes 5-9/20": the range that came and the object's size.
// Source: RFC 9110, section 14.4.
func extent(contentRange string) (off, length, size int64, err error) {
	bad := fmt.Errorf("content-range %q is not understood", contentRange)
	span, total, ok := strings.Cut(strings.TrimPrefix(contentRange, "bytes "), "/")
	first, last, ok2 := strings.Cut(span, "-")
	if !ok || !ok2 {
		return 0, 0, 0, bad
	}
	off, err1 := strconv.ParseInt(first, 10, 64)
	end, err2 := strconv.ParseInt(last, 10, 64)
	size, err3 := strconv.ParseInt(total, 10, 64)
	if errors.Join(err1, err2, err3) != nil || off < 0 || end < off || size <= end {
		return 0, 0, 0, bad
	}
	return off, end - off + 1, size, nil
}
