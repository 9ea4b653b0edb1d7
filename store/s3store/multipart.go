package s3store

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/op"
)

// Create implements [store.Multipart]. With checksums it asks for one of the
// whole object: a checksum of checksums could verify no reading, and would make
// Complete need each part's.
func (s *Store) Create(ctx context.Context, key string, h store.Headers) (string, error) {
	if err := writable(op.Create, key, store.Cond{}); err != nil {
		return "", err
	}
	ctx, call := s.change(ctx, op.Create, key, s.timeouts.WriteHeader)
	in := &s3.CreateMultipartUploadInput{Bucket: &s.bucket, Key: &key}
	createHeaders(in, h)
	if s.checksum {
		in.ChecksumAlgorithm = types.ChecksumAlgorithmCrc32
		in.ChecksumType = types.ChecksumTypeFullObject
	}
	out, err := s.client.CreateMultipartUpload(ctx, in, call.options(verbatim(h)...)...)
	if err == nil && aws.ToString(out.UploadId) == "" {
		err = errNoResult
	}
	if err = call.end(0, err); err != nil {
		return "", err
	}
	return *out.UploadId, nil
}

// UploadPart implements [store.Multipart].
func (s *Store) UploadPart(ctx context.Context, key, uploadID string, number int32, body *io.SectionReader) (store.Part, error) {
	ctx, call := s.change(ctx, op.UploadPart, key, s.timeouts.WriteHeader)
	sum := s.sumOf(ctx)
	out, err := s.client.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: &s.bucket, Key: &key, UploadId: &uploadID, PartNumber: &number,
		Body: fromStart(body), ContentLength: aws.Int64(body.Size()), ChecksumCRC32: sum,
	}, call.options()...)
	if err = call.end(body.Size(), err); err != nil {
		return store.Part{}, err
	}
	p := store.Part{Number: number, ETag: aws.ToString(out.ETag), Size: body.Size(), Checksum: aws.ToString(out.ChecksumCRC32)}
	if p.Checksum == "" && sum != nil {
		p.Checksum = *sum
	}
	if sums, ok := s3.GetComputedInputChecksumsMetadata(out.ResultMetadata); ok && p.Checksum == "" {
		p.Checksum = sums.ComputedChecksums["CRC32"]
	}
	return p, nil
}

// CopyPart implements [store.Multipart]. A Len < 0 copies the whole source, whose
// size the part then does not tell.
func (s *Store) CopyPart(ctx context.Context, key, uploadID string, number int32, source, sourceETag string, r store.Range) (p store.Part, err error) {
	err = eitherWay(ctx, s, source, func(ctx context.Context) error {
		p, err = s.copyPart(ctx, key, uploadID, number, source, sourceETag, r)
		return err
	})
	return p, err
}

func (s *Store) copyPart(ctx context.Context, key, uploadID string, number int32, source, sourceETag string, r store.Range) (store.Part, error) {
	in := &s3.UploadPartCopyInput{
		Bucket: &s.bucket, Key: &key, UploadId: &uploadID, PartNumber: &number,
		CopySource: s.source(source), CopySourceIfMatch: ptr(sourceETag),
	}
	switch {
	case r.Len > 0:
		in.CopySourceRange = aws.String(fmt.Sprintf("bytes=%d-%d", r.Off, r.Off+r.Len-1))
	case r.Len == 0 || r.Off != 0:
		return store.Part{}, refuse(op.CopyPart, key, "the range must have an end")
	}
	ctx, call := s.change(ctx, op.CopyPart, key, s.timeouts.LongHeader)
	out, err := s.client.UploadPartCopy(ctx, in, call.options()...)
	if err == nil && out.CopyPartResult == nil {
		err = errNoResult
	}
	if err = call.end(0, err); err != nil {
		return store.Part{}, err
	}
	return store.Part{
		Number: number, Size: max(r.Len, 0),
		ETag: aws.ToString(out.CopyPartResult.ETag), Checksum: aws.ToString(out.CopyPartResult.ChecksumCRC32),
	}, nil
}

// Complete implements [store.Multipart].
func (s *Store) Complete(ctx context.Context, key, uploadID string, parts []store.Part, c store.Cond) (store.PutResult, error) {
	if err := writable(op.Complete, key, c); err != nil {
		return store.PutResult{}, err
	}
	done := make([]types.CompletedPart, len(parts))
	for i, p := range parts {
		done[i] = types.CompletedPart{ETag: aws.String(p.ETag), PartNumber: aws.Int32(p.Number)}
		if s.checksum {
			done[i].ChecksumCRC32 = ptr(p.Checksum)
		}
	}
	ctx, call := s.change(ctx, op.Complete, key, s.timeouts.LongHeader)
	out, err := s.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &s.bucket, Key: &key, UploadId: &uploadID,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: done},
		IfMatch:         ptr(c.IfMatch), IfNoneMatch: star(c.IfNoneMatch),
	}, call.options()...)
	if err == nil && aws.ToString(out.ETag) == "" {
		err = errNoResult
	}
	if err = call.end(0, err); err != nil {
		return store.PutResult{}, err
	}
	return store.PutResult{ETag: aws.ToString(out.ETag), VersionID: aws.ToString(out.VersionId)}, nil
}

// Abort implements [store.Multipart].
func (s *Store) Abort(ctx context.Context, key, uploadID string) error {
	ctx, call := s.change(ctx, op.Abort, key, s.timeouts.WriteHeader)
	_, err := s.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
		Bucket: &s.bucket, Key: &key, UploadId: &uploadID,
	}, call.options()...)
	if err = call.end(0, err); errors.Is(err, store.ErrNoUpload) {
		return nil
	}
	return err
}
