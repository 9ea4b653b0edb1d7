package transfer

import (
	"context"
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/store"
)

// PutChanged is PutFile, but sends nothing where the object under the key has the file's bytes already, and the headers that are asked for.
// Times count for nothing: sizes are compared, and the store's checksum, or its ETag where that is made of MD5s, with the bytes of the file. What
// can not be compared so, and whatever a condition is on, is sent.
func (c *Client) PutChanged(ctx context.Context, key, name string, o PutOptions) (got Stored, same bool, err error) {
	if o.Cond == (store.Cond{}) {
		if got, same, err = c.stored(ctx, key, name, o); same || err != nil {
			return got, same, err
		}
	}
	got, err = c.PutFile(ctx, key, name, o)
	return got, false, err
}

// stored tells whether a put of a file would change nothing.
func (c *Client) stored(ctx context.Context, key, name string, o PutOptions) (got Stored, same bool, err error) {
	src, err := openSource(name)
	if err != nil {
		return got, false, err
	}
	defer src.close()
	now, err := c.store.Head(ctx, key, store.Cond{})
	switch {
	case errors.Is(err, store.ErrNotExist), errors.Is(err, store.ErrPermission): // the put has the last word
		return got, false, nil
	case err != nil:
		return got, false, err
	case now.Size != src.id.Size, now.Headers == nil, !has(*now.Headers, o):
		return got, false, nil
	}
	if same, err = c.equal(ctx, now, src); err == nil && same {
		err = src.changed()
	}
	if err != nil || !same {
		return got, false, src.blame(err)
	}
	c.count(key, now.Size).add(now.Size, 0)
	return Stored{Key: key, ETag: now.ETag, VersionID: now.VersionID, Size: now.Size, ContentType: now.Headers.ContentType}, true, nil
}

// has tells whether an object's headers are what is asked for: what is not asked for does not count. Nobody can tell an ACL.
func has(have store.Headers, o PutOptions) bool {
	asked := o.Headers
	if o.ExpiresFloats && have.Expires != "" {
		asked.Expires = ""
	}
	if asked.ACL != "" || asked.BucketKey && !have.BucketKey {
		return false
	}
	class := func(s string) string {
		if s == "" {
			return store.ClassStandard
		}
		return s
	}
	tags := asked.Tags
	if tags == store.NoTags && have.Tags == "" {
		tags = ""
	}
	for _, f := range [][2]string{
		{asked.ContentType, have.ContentType},
		{asked.ContentEncoding, have.ContentEncoding},
		{asked.ContentDisposition, have.ContentDisposition},
		{asked.ContentLanguage, have.ContentLanguage},
		{asked.CacheControl, have.CacheControl},
		{asked.Expires, have.Expires},
		{asked.WebsiteRedirect, have.WebsiteRedirect},
		{asked.StorageClass, class(have.StorageClass)},
		{asked.SSE, have.SSE},
		{asked.SSEKMSKeyID, have.SSEKMSKeyID},
		{tags, have.Tags},
	} {
		if f[0] != "" && f[0] != f[1] {
			return false
		}
	}
	for name, value := range asked.Metadata {
		if have.Metadata[name] != value {
			return false
		}
	}
	return true
}

// GetChanged is GetFile, but fetches nothing where the file has the object's bytes already, compared as PutChanged does.
func (c *Client) GetChanged(ctx context.Context, key string, root *os.Root, name string) (obj store.Object, same bool, err error) {
	obj, err = c.store.Head(ctx, key, store.Cond{})
	if err != nil {
		return store.Object{}, false, err
	}
	if same, err = c.has(ctx, obj, root, name); same || err != nil {
		return obj, same, err
	}
	return obj, false, c.getVersion(ctx, obj, root, name)
}

// has tells whether a file has an object's bytes. One that can not be read is to be replaced.
func (c *Client) has(ctx context.Context, o store.Object, root *os.Root, name string) (bool, error) {
	if info, err := root.Lstat(name); err != nil || !info.Mode().IsRegular() || info.Size() != o.Size {
		return false, nil
	}
	f, err := root.OpenFile(name, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return false, nil
	}
	defer func() { _ = f.Close() }()
	same, err := c.equal(ctx, o, f)
	if ctx.Err() != nil {
		return false, err
	}
	if err != nil || !same {
		return false, nil
	}
	c.count(o.Key, o.Size).add(o.Size, 0)
	return true, nil
}

// equal compares bytes with those of an object of the same size.
func (c *Client) equal(ctx context.Context, o store.Object, from io.ReaderAt) (bool, error) {
	sums := c.sumsOf(o)
	if sums == nil {
		return false, nil
	}
	if _, err := io.Copy(sums, &interruptible{ctx, io.NewSectionReader(from, 0, o.Size)}); err != nil {
		return false, err
	}
	return sums.same(), nil
}

// interruptible is a reader that ends with its context.
type interruptible struct {
	ctx  context.Context //nolint:containedctx // of the one copy that reads it
	from io.Reader
}

func (r *interruptible) Read(p []byte) (int, error) {
	if err := context.Cause(r.ctx); err != nil {
		return 0, err
	}
	return r.from.Read(p)
}
