package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/s3levelfs/s3levelfs/store"
)

// putWhole stores a file that is too large for memory in one request, for stores that have no multipart uploads. Its checksum goes before: bytes that
// are changed while they are sent are refused.
func (c *Client) putWhole(ctx context.Context, key string, src *source, o PutOptions) (Stored, error) {
	all := store.Range{Len: src.id.Size}
	sum, err := src.sum(all)
	if err != nil {
		return Stored{}, src.blame(err)
	}
	const typeHead = 3 << 10 // what a Content-Type is told by
	head := make([]byte, min(typeHead, all.Len))
	if _, err := io.ReadFull(src.part(all), head); err != nil {
		return Stored{}, src.blame(err)
	}
	if err := src.changed(); err != nil {
		return Stored{}, err
	}
	h, id := described(key, o.Headers, head)
	progress := c.count(key, all.Len)
	var res store.PutResult
	unanswered, err := c.try(ctx, func() (err error) {
		res, err = c.store.Put(store.WithCRC32(ctx, sum), key, src.part(all), h, o.Cond)
		return err
	})
	if res, err = c.settle(ctx, key, id, o.Cond, res, unanswered, err); err != nil {
		return Stored{}, src.blame(err)
	}
	progress.add(all.Len, 1)
	return Stored{Key: key, ETag: res.ETag, VersionID: res.VersionID, Size: all.Len, ContentType: h.ContentType}, nil
}

// putHeld stores a stream by way of a file that ends with the process.
func (c *Client) putHeld(ctx context.Context, key, name string, from io.Reader, o PutOptions) (got Stored, err error) {
	f, err := os.CreateTemp("", "s3levelfs-put-*")
	if err != nil {
		return got, fmt.Errorf("%s: can not be held until it has ended: %w", name, err)
	}
	src := &source{name: name, file: f}
	defer src.close()
	err = os.Remove(f.Name())
	if err == nil {
		_, err = io.Copy(f, from)
	}
	if err == nil {
		src.id, err = idOf(f)
	}
	if err = errors.Join(err, ctx.Err()); err != nil {
		return got, fmt.Errorf("%s: can not be held until it has ended: %w", name, err)
	}
	return c.putSource(ctx, key, src, o)
}
