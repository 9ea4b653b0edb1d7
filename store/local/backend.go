//go:build !nolocal

package local

import (
	"context"
	"errors"
	"fmt"

	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3response"
)

// gateway is versitygw's backend with a fault mended: it sets the headers that a
// request names and leaves the others as they were, in copies of an object onto
// itself (so that no header could ever be taken away) and, with headers in files
// beside the data, in every overwrite. Not mended is the latter's completion of a
// multipart upload over an object.
type gateway struct {
	*posix.Posix
	attrs   *attributes
	sidecar bool
}

// CopyObject is versitygw's, and removes the headers that were not named.
func (g *gateway) CopyObject(ctx context.Context, in s3response.CopyObjectInput) (s3response.CopyObjectOutput, error) {
	if !g.sidecar && !ontoItself(in) {
		return g.Posix.CopyObject(ctx, in)
	}
	at := objectName{*in.Bucket, *in.Key}
	set := g.attrs.record(at)
	out, err := g.Posix.CopyObject(ctx, in)
	return out, g.tidy(at, set, err)
}

func ontoItself(in s3response.CopyObjectInput) bool {
	bucket, object, _, err := backend.ParseCopySource(*in.CopySource)
	return err == nil && bucket == *in.Bucket && object == *in.Key
}

// PutObject is versitygw's, and removes the headers of the object before.
func (g *gateway) PutObject(ctx context.Context, in s3response.PutObjectInput) (s3response.PutObjectOutput, error) {
	if !g.sidecar {
		return g.Posix.PutObject(ctx, in)
	}
	at := objectName{*in.Bucket, *in.Key}
	set := g.attrs.record(at)
	out, err := g.Posix.PutObject(ctx, in)
	return out, g.tidy(at, set, err)
}

// tidy ends a recording, and after a success removes the headers that it did not
// see being set.
func (g *gateway) tidy(at objectName, set *recording, err error) error {
	g.attrs.stop(at, set)
	if err != nil {
		return err
	}
	for _, name := range []string{
		"content-type", "content-encoding", "content-disposition", "content-language", "cache-control", "expires",
		"website-redirect-location", "metadata",
	} {
		if set.names[name] {
			continue
		}
		if err := g.attrs.DeleteAttribute(at.bucket, at.object, name); err != nil && !errors.Is(err, meta.ErrNoSuchKey) {
			return fmt.Errorf("remove %s: %w", name, err)
		}
	}
	return nil
}
