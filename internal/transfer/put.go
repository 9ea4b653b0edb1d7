package transfer

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// PutOptions say how an object is stored.
type PutOptions struct {
	Headers store.Headers // without a ContentType one is found
	Cond    store.Cond    // on what is there

	// ExpiresFloats: Headers.Expires counts from now. The object of an earlier put, and an upload that it has left, are of the same put though
	// they expire at another time.
	ExpiresFloats bool
}

// Stored is what a put or a copy has made.
type Stored struct {
	Key         string
	ETag        string
	VersionID   string
	Size        int64 // bytes
	ContentType string
}

// PutFile stores a file under a key: in one request, or when it is larger than a part in parts, of which an interrupted put of the
// same file to the same key does not send again what has arrived.
func (c *Client) PutFile(ctx context.Context, key, name string, o PutOptions) (Stored, error) {
	src, err := openSource(name)
	if err != nil {
		return Stored{}, err
	}
	defer src.close()
	return c.putSource(ctx, key, src, o)
}

// putSource is PutFile of a file that is open.
func (c *Client) putSource(ctx context.Context, key string, src *source, o PutOptions) (Stored, error) {
	name, size := src.name, src.id.Size
	if most := uploader.Largest(c.limits); size > most {
		return Stored{}, fmt.Errorf("%s: has %d bytes, more than the store's largest object of %d", name, size, most)
	}
	if size > c.single() {
		return c.putParts(ctx, key, src, o)
	}
	if size > c.cfg.PartSize {
		return c.putWhole(ctx, key, src, o)
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(src.part(store.Range{Len: size}), data); err != nil {
		return Stored{}, src.blame(err)
	}
	if err := src.changed(); err != nil {
		return Stored{}, err
	}
	return c.putBytes(ctx, key, data, o)
}

// single is the largest size that is sent in one request.
func (c *Client) single() int64 { return c.limits.Whole(max(c.cfg.PartSize, c.limits.MinPart)) }

// putBytes stores what is in memory, in one request.
func (c *Client) putBytes(ctx context.Context, key string, data []byte, o PutOptions) (Stored, error) {
	h, id := described(key, o.Headers, data)
	progress := c.count(key, int64(len(data)))
	var res store.PutResult
	unanswered, err := c.try(ctx, func() (err error) {
		body := io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data)))
		res, err = c.store.Put(store.WithCRC32(ctx, crc32.ChecksumIEEE(data)), key, body, h, o.Cond)
		return err
	})
	if res, err = c.settle(ctx, key, id, o.Cond, res, unanswered, err); err != nil {
		return Stored{}, err
	}
	progress.add(int64(len(data)), 1)
	return Stored{Key: key, ETag: res.ETag, VersionID: res.VersionID, Size: int64(len(data)), ContentType: h.ContentType}, nil
}

// described completes headers: a Content-Type, and an id of this write.
func described(key string, h store.Headers, head []byte) (_ store.Headers, id string) {
	h = h.Clone()
	if h.ContentType == "" {
		h.ContentType = ContentType(key, head)
	}
	if h.Metadata == nil {
		h.Metadata = map[string]string{}
	}
	id = rand.Text()
	h.Metadata[uploader.WrittenBy] = id
	return h, id
}

// settle judges the end of a write that makes an object: one that was not answered has landed when the object has its id.
func (c *Client) settle(ctx context.Context, key, id string, cond store.Cond, res store.PutResult, unanswered bool, err error) (store.PutResult, error) {
	if err == nil {
		return res, nil
	}
	if unanswered || errors.Is(err, store.ErrNoUpload) {
		if now, lookErr := c.store.Head(ctx, key, store.Cond{}); lookErr == nil && now.Headers != nil && now.Headers.Metadata[uploader.WrittenBy] == id {
			return store.PutResult{ETag: now.ETag, VersionID: now.VersionID, LastModified: now.LastModified}, nil
		}
	}
	return res, refused(key, cond, err)
}

// refused names what a condition has met.
func refused(key string, cond store.Cond, err error) error {
	switch {
	case !errors.Is(err, store.ErrChanged) && !errors.Is(err, store.ErrExist):
		return err
	case cond.IfNoneMatch:
		return fmt.Errorf("key %q %w: nothing was changed", key, ErrExists)
	case cond.IfMatch != "":
		return fmt.Errorf("key %q %w asked for, %s: nothing was changed", key, ErrReplace, cond.IfMatch)
	}
	return err
}
