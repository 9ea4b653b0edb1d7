package uploader

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/s3levelfs/s3levelfs/store"
)

// multipart is an upload in parts, kept over the rounds of its operation.
type multipart struct {
	id       string
	partSize int64
	parts    []store.Part // by number-1; Number 0 = not stored yet
}

// partSizeOf makes parts as large as 10,000 of them need to be, never smaller than
// the store's least.
func (u *Uploader) partSizeOf(size int64) int64 {
	const grain = 1 << 20
	need := (size + int64(u.limits.MaxParts) - 1) / int64(u.limits.MaxParts)
	if need > u.cfg.PartSize {
		need = (need + grain - 1) / grain * grain
	}
	return max(need, u.cfg.PartSize, u.limits.MinPart)
}

// sendParts makes the object out of parts of the sealed generation.
func (u *Uploader) sendParts(ctx context.Context, o *op, h store.Headers, c store.Cond) (res store.PutResult, unanswered bool, err error) {
	m, err := u.openUpload(ctx, o, h)
	if err != nil {
		return res, false, err
	}
	if err := u.uploadParts(ctx, o, m); err != nil {
		if errors.Is(err, store.ErrNoUpload) {
			u.forgetUpload(o)
		}
		return res, false, err
	}
	if err := u.beginCommit(o); err != nil {
		return res, false, err
	}
	unanswered, err = u.try(ctx, 0, func(ctx context.Context) error {
		res, err = u.store.Complete(ctx, o.key, m.id, m.parts, c)
		return err
	})
	switch {
	case err == nil:
		u.forgetUpload(o)
	case errors.Is(err, store.ErrNoUpload):
		// it may be gone because an earlier attempt has completed it: HEAD says
		u.forgetUpload(o)
		return res, true, err
	}
	return res, unanswered, err
}

// stopParts ends the sending of parts that nobody wants any more. A Complete that has begun is waited for: the
// server may carry it out all the same, and only its answer tells. Called with Uploader.mu held.
func (o *op) stopParts() {
	if o.cancel != nil && o.running && o.upload != nil && !o.commits {
		o.stopped = true
		o.cancel()
	}
}

// beginCommit: from now on stopParts comes too late.
func (u *Uploader) beginCommit(o *op) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if o.stopped {
		return errAbandoned
	}
	o.commits = true
	return nil
}

func (u *Uploader) openUpload(ctx context.Context, o *op, h store.Headers) (*multipart, error) {
	u.mu.Lock()
	m := o.upload
	u.mu.Unlock()
	if m != nil {
		return m, nil
	}
	var id string
	_, err := u.try(ctx, 0, func(ctx context.Context) (err error) {
		id, err = u.store.Create(ctx, o.key, h)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("create upload: %w", err)
	}
	size := o.gen.content.Size()
	m = &multipart{id: id, partSize: u.partSizeOf(size)}
	m.parts = make([]store.Part, (size+m.partSize-1)/m.partSize)
	u.mu.Lock()
	defer u.mu.Unlock()
	o.upload = m
	return m, nil
}

func (u *Uploader) forgetUpload(o *op) {
	u.mu.Lock()
	defer u.mu.Unlock()
	o.upload = nil
}

// uploadParts sends what is not stored yet.
func (u *Uploader) uploadParts(ctx context.Context, o *op, m *multipart) error {
	content := o.gen.content
	return u.eachPart(ctx, m, content.Size(), func(ctx context.Context, i int, r store.Range) (part store.Part, err error) {
		_, err = u.try(ctx, r.Len, func(ctx context.Context) (err error) {
			body := io.NewSectionReader(content.Section(noBase), r.Off, r.Len)
			part, err = u.store.UploadPart(ctx, o.key, m.id, int32(i+1), body)
			return err
		})
		return part, err
	})
}

// eachPart makes the parts that are not stored yet, several at a time.
func (u *Uploader) eachPart(ctx context.Context, m *multipart, size int64,
	make func(ctx context.Context, i int, r store.Range) (store.Part, error),
) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(u.cfg.FileParts)
	for i := range m.parts {
		if m.parts[i].Number != 0 {
			continue
		}
		off := int64(i) * m.partSize
		r := store.Range{Off: off, Len: min(m.partSize, size-off)}
		g.Go(func() error {
			select {
			case u.parts <- struct{}{}:
			case <-ctx.Done():
				return ctx.Err()
			}
			defer func() { <-u.parts }()
			part, err := make(ctx, i, r)
			if err != nil {
				return fmt.Errorf("part %d: %w", i+1, err)
			}
			part.Number, part.Size = int32(i+1), r.Len
			m.parts[i] = part // each index is written by one goroutine, read after Wait
			return nil
		})
	}
	return g.Wait()
}

// abort drops the operation's upload.
func (u *Uploader) abort(o *op) {
	u.mu.Lock()
	m := o.upload
	o.upload = nil
	u.mu.Unlock()
	if m != nil {
		u.abortUpload(m.id, o.key)
	}
}

// abortUpload is best effort: Amplify's roles may not.
func (u *Uploader) abortUpload(id, key string) {
	const patience = 10 * time.Second
	ctx, cancel := context.WithTimeout(u.ctx, patience)
	defer cancel()
	_ = u.store.Abort(ctx, key, id) // a left-over upload is invisible; the bucket's lifecycle rule ends it
}
