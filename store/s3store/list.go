package s3store

import (
	"context"
	"errors"
	"iter"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/op"
)

// List implements [store.Reader]. Each page is one call for the observer.
func (s *Store) List(ctx context.Context, prefix string, o store.ListOptions) iter.Seq2[store.Page, error] {
	return func(yield func(store.Page, error) bool) {
		in := &s3.ListObjectsV2Input{
			Bucket: &s.bucket, Prefix: &prefix,
			Delimiter: ptr(o.Delimiter), StartAfter: ptr(o.StartAfter),
			// XML can not carry every byte that a key may have.
			EncodingType: types.EncodingTypeUrl,
		}
		if o.PageSize > 0 {
			in.MaxKeys = aws.Int32(int32(min(o.PageSize, 1000)))
		}
		for {
			page, next, err := s.page(ctx, prefix, in)
			if err != nil {
				yield(store.Page{}, err)
				return
			}
			if !yield(page, nil) || next == nil {
				return
			}
			in.ContinuationToken, in.StartAfter = next, nil
		}
	}
}

// page fetches one page; next is nil at the last.
func (s *Store) page(ctx context.Context, prefix string, in *s3.ListObjectsV2Input) (store.Page, *string, error) {
	ctx, call := s.read(ctx, op.List, prefix, s.timeouts.ReadHeader)
	var reader pageReader
	out, err := s.client.ListObjectsV2(ctx, in, call.options(s3.WithAPIOptions(reader.install))...)
	if err != nil {
		return store.Page{}, nil, call.end(0, err)
	}
	page, token := reader.page, reader.token
	if !reader.read {
		page, err = decodePage(out)
		token = aws.ToString(out.NextContinuationToken)
	}
	if err == nil && page.More && token == "" {
		err = errors.New("the listing is cut and has no token to go on with")
	}
	if err = call.end(0, err); err != nil {
		return store.Page{}, nil, err
	}
	if !page.More {
		return page, nil, nil
	}
	return page, &token, nil
}

func decodePage(out *s3.ListObjectsV2Output) (store.Page, error) {
	// Servers that ignore encoding-type do not echo it and send keys as they are.
	decode := func(s string) (string, error) { return s, nil }
	if out.EncodingType == types.EncodingTypeUrl {
		decode = url.QueryUnescape // S3 writes a space as "+"
	}
	page := store.Page{
		Objects: make([]store.Object, 0, len(out.Contents)),
		More:    aws.ToBool(out.IsTruncated),
	}
	for _, o := range out.Contents {
		key, err := decode(aws.ToString(o.Key))
		if err != nil {
			return store.Page{}, err
		}
		page.Objects = append(page.Objects, store.Object{
			Key:          key,
			Size:         aws.ToInt64(o.Size),
			ETag:         aws.ToString(o.ETag),
			LastModified: aws.ToTime(o.LastModified),
			StorageClass: class(string(o.StorageClass)),
		})
	}
	for _, p := range out.CommonPrefixes {
		prefix, err := decode(aws.ToString(p.Prefix))
		if err != nil {
			return store.Page{}, err
		}
		page.Prefixes = append(page.Prefixes, prefix)
	}
	return page, nil
}
