package s3store

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/op"
)

// Put implements [store.Writer].
func (s *Store) Put(ctx context.Context, key string, body *io.SectionReader, h store.Headers, c store.Cond) (store.PutResult, error) {
	if err := writable(op.Put, key, c); err != nil {
		return store.PutResult{}, err
	}
	ctx, call := s.change(ctx, op.Put, key, s.timeouts.WriteHeader)
	in := &s3.PutObjectInput{
		Bucket: &s.bucket, Key: &key, Body: fromStart(body), ContentLength: aws.Int64(body.Size()),
		IfMatch: ptr(c.IfMatch), IfNoneMatch: star(c.IfNoneMatch),
	}
	putHeaders(in, h)
	in.ChecksumCRC32 = s.sumOf(ctx)
	more := verbatim(h)
	if in.ChecksumCRC32 != nil {
		more = append(more, s3.WithAPIOptions(summed))
	}
	out, err := s.client.PutObject(ctx, in, call.options(more...)...)
	if err = call.end(body.Size(), err); err != nil {
		return store.PutResult{}, err
	}
	return store.PutResult{ETag: aws.ToString(out.ETag), VersionID: aws.ToString(out.VersionId)}, nil
}

// sumOf is the checksum of a body that its writer has told, in the form that S3 wants it; nil = the SDK computes it.
func (s *Store) sumOf(ctx context.Context) *string {
	sum, ok := store.CRC32Of(ctx)
	if !ok || !s.checksum {
		return nil
	}
	return aws.String(base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum)))
}

// fromStart is body with a position of its own, at its start: the SDK sends from
// where the position is.
func fromStart(body *io.SectionReader) *io.SectionReader {
	return io.NewSectionReader(body, 0, body.Size())
}

// Copy implements [store.Writer].
func (s *Store) Copy(ctx context.Context, r store.CopyRequest) (res store.PutResult, err error) {
	err = eitherWay(ctx, s, r.Source, func(ctx context.Context) error {
		res, err = s.copyObject(ctx, r)
		return err
	})
	if err == nil {
		s.plain.note(r.Target, false)
	}
	return res, err
}

func (s *Store) copyObject(ctx context.Context, r store.CopyRequest) (store.PutResult, error) {
	if err := writable(op.Copy, r.Target, r.Cond); err != nil {
		return store.PutResult{}, err
	}
	lost, err := s.uncopied(ctx, r)
	if err != nil {
		return store.PutResult{}, err
	}
	ctx, call := s.change(ctx, op.Copy, r.Target, s.timeouts.LongHeader)
	in := &s3.CopyObjectInput{
		Bucket: &s.bucket, Key: &r.Target, CopySource: s.source(r.Source),
		CopySourceIfMatch: ptr(r.SourceETag),
		IfMatch:           ptr(r.Cond.IfMatch), IfNoneMatch: star(r.Cond.IfNoneMatch),
	}
	in.StorageClass, in.WebsiteRedirectLocation = types.StorageClass(lost.StorageClass), ptr(lost.WebsiteRedirect)
	in.ServerSideEncryption, in.SSEKMSKeyId = types.ServerSideEncryption(lost.SSE), ptr(lost.SSEKMSKeyID)
	in.BucketKeyEnabled = bucketKey(lost.BucketKey)
	var more []func(*s3.Options)
	if r.Headers != nil {
		copyHeaders(in, *r.Headers)
		more = verbatim(*r.Headers)
	}
	out, err := s.client.CopyObject(ctx, in, call.options(more...)...)
	if err == nil && out.CopyObjectResult == nil {
		err = errNoResult
	}
	if err = call.end(0, err); err != nil {
		return store.PutResult{}, err
	}
	return store.PutResult{
		ETag:         aws.ToString(out.CopyObjectResult.ETag),
		VersionID:    aws.ToString(out.VersionId),
		LastModified: aws.ToTime(out.CopyObjectResult.LastModified),
	}, nil
}

// errNoResult is an answer of 200 that says nothing.
var errNoResult = errors.New("the answer has no result")

// writable refuses a condition that S3 has for reads only, as dropping it in silence
// would make an unconditional write of a conditional one, and keys that are longer
// than S3 has them, as some servers take those.
func writable(call, key string, c store.Cond) error {
	if most := store.S3Limits().MaxKey; len(key) > most {
		return refuse(call, key, fmt.Sprintf("the key is longer than %d bytes", most))
	}
	if !c.IfUnmodifiedSince.IsZero() {
		return refuse(call, key, "writes have no If-Unmodified-Since")
	}
	return nil
}

func refuse(call, key, why string) error {
	return &store.Error{Op: call, Key: key, Kind: store.ErrInvalid, Err: errors.New(why)}
}

// source is the value of x-amz-copy-source: bucket/key with all bytes escaped
// that are neither unreserved (RFC 3986, section 2.3) nor a slash; a bare "+"
// would be read as a space.
func (s *Store) source(key string) *string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	b.Grow(len(s.bucket) + 1 + len(key) + len(key)/4)
	b.WriteString(s.bucket)
	b.WriteByte('/')
	for i := range len(key) {
		c := key[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == '-', c == '_', c == '.', c == '~', c == '/':
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return aws.String(b.String())
}
