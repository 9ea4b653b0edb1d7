package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// putParts stores a file in parts, and goes on with what an interrupted put has left.
func (c *Client) putParts(ctx context.Context, key string, src *source, o PutOptions) (Stored, error) {
	rec, err := openRecord(c.cfg.State, c.cfg.Scope, key, src.name)
	if err != nil {
		return Stored{}, err
	}
	defer rec.close()
	if o.Cond.IfNoneMatch { // no gigabytes are sent for a refusal at the end
		if now, err := c.store.Head(ctx, key, store.Cond{}); err == nil {
			return c.met(key, src, rec, now, o.Cond)
		}
	}
	head := make([]byte, min(sniffLen, src.id.Size))
	if _, err := io.ReadFull(src.part(store.Range{Len: int64(len(head))}), head); err != nil {
		return Stored{}, src.blame(err)
	}
	h, id := described(key, o.Headers, head)
	for again := false; ; again = true {
		up, fresh, err := c.openUpload(ctx, key, src, rec, h, id, o.ExpiresFloats)
		if err != nil {
			return Stored{}, err
		}
		res, err := c.sendParts(ctx, up, src, o.Cond)
		if errors.Is(err, store.ErrNoUpload) && !fresh && !again {
			rec.forget() // the server has dropped it meanwhile: all is sent once more
			continue
		}
		if err != nil {
			return Stored{}, c.giveUp(ctx, up, src.blame(err))
		}
		rec.forget()
		return Stored{Key: key, ETag: res.ETag, VersionID: res.VersionID, Size: src.id.Size, ContentType: h.ContentType}, nil
	}
}

// met judges an object that is there before its put begins: it is that of the same put, which was interrupted before it knew, or
// somebody else's.
func (c *Client) met(key string, src *source, rec *record, now store.Object, cond store.Cond) (Stored, error) {
	old, _, ok := rec.read()
	if !ok || old.Key != key || old.Scope != c.cfg.Scope || old.ID != src.id || now.Headers == nil || now.Headers.Metadata[uploader.WrittenBy] != old.Written {
		return Stored{}, refused(key, cond, store.ErrExist)
	}
	rec.forget()
	return Stored{Key: key, ETag: now.ETag, VersionID: now.VersionID, Size: now.Size, ContentType: now.Headers.ContentType}, nil
}

// upload is one upload in parts of a file that is under way.
type upload struct {
	uploadHead
	rec *record

	mu    sync.Mutex
	parts []storedPart // by number-1; Number 0 = not stored
}

// openUpload takes the upload of the record if it is one of this file, else it begins one. What it is not of is given up.
func (c *Client) openUpload(ctx context.Context, key string, src *source, rec *record, h store.Headers, id string, floats bool) (up *upload, fresh bool, err error) {
	plan := uploader.NewPlan(c.limits, c.cfg.PartSize, src.id.Size)
	head := uploadHead{
		Version: recordVersion, Scope: c.cfg.Scope, Key: key, File: src.name, ID: src.id, Headers: h,
		Written: id, PartSize: plan.Part(0).Len,
	}
	count := plan.Count(src.id.Size)
	if old, parts, ok := rec.read(); ok {
		if old.same(head, floats) {
			up := &upload{uploadHead: old, rec: rec, parts: make([]storedPart, count)}
			for _, p := range parts {
				if i := int(p.Number) - 1; i >= 0 && i < count && plan.Within(i, src.id.Size).Len == p.Size {
					up.parts[i] = p
				}
			}
			return up, false, nil
		}
		_ = c.store.Abort(ctx, old.Key, old.Upload) // many roles may not: the bucket's lifecycle rule does it then
		rec.forget()
	}
	_, err = c.try(ctx, func() (err error) {
		head.Upload, err = c.store.Create(ctx, key, h)
		return err
	})
	if err != nil {
		return nil, false, err
	}
	if err := rec.begin(head); err != nil {
		return nil, false, errors.Join(err, c.store.Abort(ctx, key, head.Upload))
	}
	return &upload{uploadHead: head, rec: rec, parts: make([]storedPart, count)}, true, nil
}

// sendParts sends what is missing, and makes the object if the file is still what it was.
func (c *Client) sendParts(ctx context.Context, up *upload, src *source, cond store.Cond) (store.PutResult, error) {
	plan := uploader.NewPlan(c.limits, c.cfg.PartSize, src.id.Size)
	progress := c.count(up.Key, src.id.Size)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(c.cfg.Streams)
	for i := range up.parts {
		r := plan.Within(i, src.id.Size)
		if gctx.Err() != nil {
			break
		}
		g.Go(func() error { return c.sendPart(gctx, up, src, i, r, progress) })
	}
	if err := g.Wait(); err != nil {
		return store.PutResult{}, err
	}
	if err := errors.Join(ctx.Err(), src.changed()); err != nil {
		return store.PutResult{}, err
	}
	parts := make([]store.Part, len(up.parts))
	for i, p := range up.parts {
		parts[i] = p.Part
	}
	var res store.PutResult
	unanswered, err := c.try(ctx, func() (err error) {
		res, err = c.store.Complete(ctx, up.Key, up.Upload, parts, cond)
		return err
	})
	return c.settle(ctx, up.Key, up.Written, cond, res, unanswered, err)
}

// sendPart sends one part, unless the store has it and the file still has its bytes.
func (c *Client) sendPart(ctx context.Context, up *upload, src *source, i int, r store.Range, progress *counter) error {
	sum, err := src.sum(r)
	if err != nil {
		return err
	}
	up.mu.Lock()
	have := up.parts[i]
	up.mu.Unlock()
	if have.Number != 0 && have.CRC == sum {
		progress.add(r.Len, 0)
		return nil
	}
	var part store.Part
	_, err = c.try(ctx, func() (err error) {
		part, err = c.store.UploadPart(store.WithCRC32(ctx, sum), up.Key, up.Upload, int32(i+1), src.part(r))
		return err
	})
	if err != nil {
		return fmt.Errorf("part %d: %w", i+1, err)
	}
	part.Number, part.Size = int32(i+1), r.Len
	done := storedPart{Part: part, CRC: sum}
	up.mu.Lock()
	defer up.mu.Unlock()
	up.parts[i] = done
	if err := up.rec.add(done); err != nil {
		return err
	}
	progress.add(r.Len, i+1)
	return nil
}

// giveUp ends an upload that nothing will come of. What was interrupted, or may do better the next time, stays, and so does one that is gone:
// it may have been completed by a request that was not answered, which the next put finds out by the record.
func (c *Client) giveUp(ctx context.Context, up *upload, err error) error {
	over := errors.Is(err, ErrChanged) || errors.Is(err, ErrExists) || errors.Is(err, ErrReplace) || errors.Is(err, store.ErrInvalid)
	if up.rec.kept() && !over {
		return err
	}
	up.rec.forget()
	_ = c.store.Abort(context.WithoutCancel(ctx), up.Key, up.Upload) // many roles may not: the bucket's lifecycle rule does it then
	return err
}
