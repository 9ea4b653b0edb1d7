package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// ErrLeft is the failure of a move whose source could not be removed: both objects are there.
var ErrLeft = errors.New("was copied, and stays")

// Copy copies an object within the bucket, on the server, with all its headers: the version that is there when it begins, and no
// other. cond is on the target.
func (c *Client) Copy(ctx context.Context, source, target string, cond store.Cond) (Stored, error) {
	_, got, err := c.copyPinned(ctx, source, target, cond, true)
	return got, err
}

// Move copies an object and removes the version that was copied. When the source has been changed meanwhile both are kept: [ErrLeft].
// What has tags that may not be copied is not moved: [ErrTags], but with [Config.DropTags].
func (c *Client) Move(ctx context.Context, source, target string, cond store.Cond) (Stored, error) {
	src, got, err := c.copyPinned(ctx, source, target, cond, c.cfg.DropTags)
	if err != nil {
		return got, err
	}
	if src.ETag == "" {
		return got, fmt.Errorf("key %q %w: it has no ETag, so that nobody can tell which version would be removed", source, ErrLeft)
	}
	_, err = c.try(ctx, func() error { return c.store.Delete(ctx, source, store.Cond{IfMatch: src.ETag}) })
	switch {
	case errors.Is(err, store.ErrChanged):
		return got, fmt.Errorf("key %q %w: it has been changed meanwhile", source, ErrLeft)
	case err != nil:
		return got, fmt.Errorf("key %q %w: %w", source, ErrLeft, err)
	}
	return got, nil
}

// copyPinned copies the version that a HEAD finds; drop: without tags where they may not be copied.
func (c *Client) copyPinned(ctx context.Context, source, target string, cond store.Cond, drop bool) (src store.Object, got Stored, err error) {
	if source == target {
		return src, got, fmt.Errorf("key %q: source and target are the same object: nothing to do", source)
	}
	if src, err = c.store.Head(ctx, source, store.Cond{}); err != nil {
		return src, got, err
	}
	progress := c.count(target, src.Size)
	wanted := cond != store.Cond{}
	var res store.PutResult
	switch {
	case wanted && !c.limits.CopyCond && src.Size == 0: // a copy would drop the condition in silence
		res, err = c.copyEmpty(ctx, src, target, cond, drop)
	case src.Size > c.limits.MaxCopy, wanted && !c.limits.CopyCond:
		res, err = c.copyParts(ctx, src, target, cond, progress, drop)
	default:
		res, err = c.copyWhole(ctx, src, target, cond, drop)
		err = c.changedSource(ctx, src, cond, target, err)
	}
	if err != nil {
		return src, got, err
	}
	progress.add(src.Size-progress.now.Loaded, max(progress.now.Part, 1))
	return src, Stored{Key: target, ETag: res.ETag, VersionID: res.VersionID, Size: src.Size}, nil
}

// changedSource tells whose version has not been the one of the condition.
func (c *Client) changedSource(ctx context.Context, src store.Object, cond store.Cond, target string, err error) error {
	if !errors.Is(err, store.ErrChanged) {
		return err
	}
	if now, lookErr := c.store.Head(ctx, src.Key, store.Cond{}); lookErr == nil && now.ETag == src.ETag && cond != (store.Cond{}) {
		return refused(target, cond, err)
	}
	return fmt.Errorf("key %q: %w, while it was copied: copy it again", src.Key, ErrChanged)
}

// headersOf are a source's, for an object that is not made by a copy.
func headersOf(src store.Object) (store.Headers, string) {
	var h store.Headers
	if src.Headers != nil {
		h = *src.Headers
	}
	return described(src.Key, h, nil)
}

func (c *Client) copyEmpty(ctx context.Context, src store.Object, target string, cond store.Cond, drop bool) (res store.PutResult, err error) {
	h, id := headersOf(src)
	unanswered, err := c.tryTagged(ctx, src, &h, drop, func() (err error) {
		res, err = c.store.Put(ctx, target, io.NewSectionReader(bytes.NewReader(nil), 0, 0), h, cond)
		return err
	})
	return c.settle(ctx, target, id, cond, res, unanswered, err)
}

// copyParts copies what is too large for one copy, or may be copied under a condition only.
func (c *Client) copyParts(ctx context.Context, src store.Object, target string, cond store.Cond, progress *counter, drop bool) (res store.PutResult, err error) {
	const wished = 512 << 20 // bytes: the server copies, so that few requests are better than many
	h, id := headersOf(src)
	var upload string
	_, err = c.tryTagged(ctx, src, &h, drop, func() (err error) {
		upload, err = c.store.Create(ctx, target, h)
		return err
	})
	if err != nil {
		return res, err
	}
	plan := uploader.NewPlan(c.limits, min(wished, c.limits.MaxCopy), src.Size)
	parts := make([]store.Part, plan.Count(src.Size))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(c.cfg.Ranges)
	for i := range parts {
		r := plan.Within(i, src.Size)
		g.Go(func() error {
			_, err := c.try(gctx, func() (err error) {
				parts[i], err = c.store.CopyPart(gctx, target, upload, int32(i+1), src.Key, src.ETag, r)
				return err
			})
			parts[i].Number, parts[i].Size = int32(i+1), r.Len
			if err == nil {
				progress.add(r.Len, i+1)
			}
			return err
		})
	}
	if err = c.changedSource(ctx, src, store.Cond{}, target, g.Wait()); err == nil {
		var unanswered bool
		unanswered, err = c.try(ctx, func() (err error) {
			res, err = c.store.Complete(ctx, target, upload, parts, cond)
			return err
		})
		res, err = c.settle(ctx, target, id, cond, res, unanswered, err)
	}
	if err != nil {
		_ = c.store.Abort(context.WithoutCancel(ctx), target, upload) // many roles may not: the bucket's lifecycle rule does it then
	}
	return res, err
}
