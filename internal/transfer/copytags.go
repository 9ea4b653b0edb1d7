package transfer

import (
	"context"
	"errors"
	"fmt"

	"github.com/s3levelfs/s3levelfs/store"
)

// copyWhole copies in one request. A copy takes the source's tags along, which S3 refuses to who has no right to tags, as Amplify's roles have
// none: then, with drop, everything else is copied. Source: S3 API reference, CopyObject, s3:GetObjectTagging and s3:PutObjectTagging.
func (c *Client) copyWhole(ctx context.Context, src store.Object, target string, cond store.Cond, drop bool) (res store.PutResult, err error) {
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
	if !drop {
		return res, keepTags(src, err)
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

// tryTagged sends a request that makes an object with a source's headers h. Where that is denied, and it has tags, they are left out with drop.
func (c *Client) tryTagged(ctx context.Context, src store.Object, h *store.Headers, drop bool, send func() error) (unanswered bool, err error) {
	if src.TagsHidden && !drop {
		return false, keepTags(src, store.ErrPermission)
	}
	unanswered, err = c.try(ctx, send)
	left := src.TagsHidden
	if errors.Is(err, store.ErrPermission) && h.Tags != "" {
		if !drop {
			return unanswered, keepTags(src, err)
		}
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

// keepTags is the failure of a copy that was denied, or would be, where tags must not be left out. Whether it was for tags only a copy without them
// would show, which must not be made; what has none by all that could be seen may have some: Amazon S3 tells their number only who may read them.
func keepTags(src store.Object, denied error) error {
	if src.TagsHidden || src.Headers.Tags != "" {
		return fmt.Errorf("key %q %w (%w), and was not moved: get s3:GetObjectTagging and s3:PutObjectTagging, or move it without tags by --drop-tags", src.Key, ErrTags, denied)
	}
	return fmt.Errorf("key %q was not moved (%w): perhaps it %w: see `s3levelfs access`, or move it without tags by --drop-tags", src.Key, denied, ErrTags)
}

// leftTags says once that copies are without tags.
func (c *Client) leftTags(key string) {
	c.tagless.Do(func() {
		if c.cfg.Notice != nil {
			c.cfg.Notice(fmt.Sprintf("key %q, and perhaps others: copied without tags: these credentials lack s3:GetObjectTagging or s3:PutObjectTagging", key))
		}
	})
}
