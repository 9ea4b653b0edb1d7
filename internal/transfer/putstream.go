package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// PutStream stores what a stream of unknown length gives; name is that of the stream, for errors. It can not go on after an
// interruption: the bytes are gone. In memory there are Config.Ranges+1 parts at most. Where a store takes objects whole the stream goes through a
// file without a name first.
func (c *Client) PutStream(ctx context.Context, key, name string, from io.Reader, o PutOptions) (Stored, error) {
	if !c.limits.Multipart() {
		return c.putHeld(ctx, key, name, from, o)
	}
	s := &stream{c: c, key: key, name: name, from: from, plan: uploader.NewPlan(c.limits, c.single(), -1)}
	first, end, err := s.next(0)
	if err != nil {
		return Stored{}, err
	}
	if end {
		return c.putBytes(ctx, key, first, o)
	}
	h, id := described(key, o.Headers, first)
	_, err = c.try(ctx, func() (err error) {
		s.upload, err = c.store.Create(ctx, key, h)
		return err
	})
	if err != nil {
		return Stored{}, err
	}
	res, size, err := s.send(ctx, first, id, o.Cond)
	if err != nil {
		_ = c.store.Abort(context.WithoutCancel(ctx), key, s.upload) // many roles may not: the bucket's lifecycle rule does it then
		return Stored{}, err
	}
	return Stored{Key: key, ETag: res.ETag, VersionID: res.VersionID, Size: size, ContentType: h.ContentType}, nil
}

// stream is a stream that is being sent in parts.
type stream struct {
	c         *Client
	key, name string
	from      io.Reader
	plan      uploader.Plan
	upload    string

	mu    sync.Mutex
	parts []store.Part // by number-1
}

// next reads part i. end: nothing follows it.
func (s *stream) next(i int) (data []byte, end bool, err error) {
	var b bytes.Buffer // grows with what there is: most streams are shorter than a part
	_, err = io.CopyN(&b, s.from, s.plan.Part(i).Len)
	switch {
	case errors.Is(err, io.EOF):
		return b.Bytes(), true, nil
	case err != nil:
		return nil, false, fmt.Errorf("%s: can not be read behind byte %d: %w", s.name, s.plan.Part(i).Off+int64(b.Len()), err)
	}
	return b.Bytes(), false, nil
}

// send sends the first part and all that follow, and makes the object.
func (s *stream) send(ctx context.Context, first []byte, id string, cond store.Cond) (res store.PutResult, size int64, err error) {
	if size, err = s.sendAll(ctx, first); err != nil {
		return res, 0, err
	}
	unanswered, err := s.c.try(ctx, func() (err error) {
		res, err = s.c.store.Complete(ctx, s.key, s.upload, s.parts, cond)
		return err
	})
	res, err = s.c.settle(ctx, s.key, id, cond, res, unanswered, err)
	return res, size, err
}

func (s *stream) sendAll(ctx context.Context, data []byte) (size int64, err error) {
	progress := s.c.count(s.key, -1)
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(s.c.cfg.Ranges)
	end := false
	for i := 0; gctx.Err() == nil; i++ {
		if i > 0 {
			if end {
				break
			}
			if data, end, err = s.next(i); err != nil || len(data) == 0 {
				break
			}
		}
		if i == s.c.limits.MaxParts {
			err = fmt.Errorf("%s: is longer than the store's largest object, %d bytes", s.name, size)
			break
		}
		size += int64(len(data))
		part := data // the next round has another
		g.Go(func() error { return s.sendPart(gctx, i, part, progress) })
	}
	return size, errors.Join(err, g.Wait(), ctx.Err())
}

func (s *stream) sendPart(ctx context.Context, i int, data []byte, progress *counter) error {
	n := int64(len(data))
	var part store.Part
	_, err := s.c.try(ctx, func() (err error) {
		body := io.NewSectionReader(bytes.NewReader(data), 0, n)
		part, err = s.c.store.UploadPart(store.WithCRC32(ctx, crc32.ChecksumIEEE(data)), s.key, s.upload, int32(i+1), body)
		return err
	})
	if err != nil {
		return fmt.Errorf("part %d: %w", i+1, err)
	}
	part.Number, part.Size = int32(i+1), n
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.parts) <= i {
		s.parts = append(s.parts, store.Part{})
	}
	s.parts[i] = part
	progress.add(n, i+1)
	return nil
}
