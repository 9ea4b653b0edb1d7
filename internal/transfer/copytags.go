package transfer

import (
	"context"
	"errors"
	"fmt"

	"github.com/s3levelfs/s3levelfs/store"
)

// copyWhole copies in one request. A copy takes the source's tags along, which S3 refuses to who has no right to tags, as Amplify's roles have
// none: then everything else is copied. Source: S3 API reference, CopyObject, s3:GetObjectTagging and s3:PutObjectTagging.
func (c *Client) copyWhole(ctx context.Context, src store.Object, target string, cond store.Cond) (res store.PutResult, err error) {
	r := store.CopyRequest{Source: src.Key, SourceETag: src.ETag, Target: target, Cond: cond, Known: src.Headers}
	send := func() error {
		_, err := c.try(ctx, func() (err error) {
			res, err = c.store.Copy(ctx, r)
			return err
		})
		return err
	}
	err = send()
	if !errors.Is(err, store.ErrPermission) || src.Headers == nil {
		return res, err
	}
	h := src.Headers.Clone()
	h.Tags = store.NoTags
	r.Headers, r.Known = &h, nil
	other := send()
	switch {
	case errors.Is(other, store.ErrPermission):
		return res, err // it was not for the tags
	case other == nil:
		c.leftTags(src.Key)
	}
	return res, other
}

// tryTagged sends a request that makes an object with a source's headers h. Where that is denied, and it has tags, they are left out.
func (c *Client) tryTagged(ctx context.Context, src store.Object, h *store.Headers, send func() error) (unanswered bool, err error) {
	unanswered, err = c.try(ctx, send)
	left := src.TagsHidden
	if errors.Is(err, store.ErrPermission) && h.Tags != "" {
		h.Tags = ""
		again, other := c.try(ctx, send)
		if errors.Is(other, store.ErrPermission) {
			return unanswered, err // it was not for the tags
		}
		unanswered, err, left = unanswered || again, other, true
	}
	if left && err == nil {
		c.leftTags(src.Key)
	}
	return unanswered, err
}

// leftTags says once that copies are without tags.
func (c *Client) leftTags(key string) {
	c.tagless.Do(func() {
		if c.cfg.Notice != nil {
			c.cfg.Notice(fmt.Sprintf("key %q, and perhaps others: copied without tags: these credentials lack s3:GetObjectTagging or s3:PutObjectTagging", key))
		}
	})
}
