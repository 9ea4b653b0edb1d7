package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/s3levelfs/s3levelfs/cache"
	"github.com/s3levelfs/s3levelfs/store"
)

// GetOptions say what of an object is got.
type GetOptions struct {
	Range  *store.Range // nil = all of it; its Part is not looked at
	Suffix int64        // > 0: the last so many bytes, Range does not count
}

// Get writes an object, or a range of it, to w: one version of it, in order, by parallel ranges. Where the store has a checksum of the
// whole and all of it is read, it is compared at the end; w has the bytes by then.
func (c *Client) Get(ctx context.Context, key string, w io.Writer, o GetOptions) (store.Object, error) {
	obj, err := c.store.Head(ctx, key, store.Cond{})
	if err != nil {
		return store.Object{}, err
	}
	r := clip(o, obj.Size)
	if (o.Range != nil || o.Suffix > 0) && r.Len <= 0 && obj.Size > 0 {
		return obj, fmt.Errorf("key %q: the range begins at byte %d, behind its end: it has %d bytes", key, r.Off, obj.Size)
	}
	var check *cache.Checker
	if r.Len == obj.Size {
		check = cache.NewChecker(obj)
	}
	return obj, c.fetch(ctx, obj, r, check, w, c.count(key, r.Len))
}

// clip is what the options mean of an object of a size.
func clip(o GetOptions, size int64) store.Range {
	switch {
	case o.Suffix > 0:
		n := min(o.Suffix, size)
		return store.Range{Off: size - n, Len: n}
	case o.Range == nil:
		return store.Range{Len: size}
	case o.Range.Len < 0:
		return store.Range{Off: o.Range.Off, Len: max(size-o.Range.Off, 0)}
	}
	return store.Range{Off: o.Range.Off, Len: max(min(o.Range.Len, size-o.Range.Off), 0)}
}

// pin is the condition that a version is still there.
func pin(o store.Object) store.Cond {
	if o.ETag == "" {
		return store.Cond{IfUnmodifiedSince: o.LastModified}
	}
	return store.Cond{IfMatch: o.ETag}
}

// piece is a range that is under way.
type piece struct {
	r    store.Range
	buf  []byte
	err  error
	done chan struct{} // closed when buf or err is set
}

// fetch writes a range of a version to w in order, Config.Ranges pieces of it under way at a time. check, unless it is nil, is given the
// bytes too, and has the last word.
func (c *Client) fetch(ctx context.Context, o store.Object, r store.Range, check *cache.Checker, w io.Writer, progress *counter) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	pieces := make(chan *piece, c.cfg.Ranges-1)
	wg.Go(func() {
		defer close(pieces)
		for off := r.Off; off < r.Off+r.Len; off += c.cfg.PartSize {
			p := &piece{r: store.Range{Off: off, Len: min(c.cfg.PartSize, r.Off+r.Len-off)}, done: make(chan struct{})}
			select {
			case pieces <- p:
			case <-ctx.Done():
				return
			}
			wg.Go(func() {
				defer close(p.done)
				p.buf, p.err = c.piece(ctx, o, p.r)
			})
		}
	})
	number := 0
	for p := range pieces {
		<-p.done
		if p.err != nil {
			return p.err
		}
		if _, err := w.Write(p.buf); err != nil {
			return err
		}
		if check != nil {
			_, _ = check.Write(p.buf) // never fails
		}
		number++
		progress.add(p.r.Len, number)
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if check != nil {
		if err := check.Verify(); err != nil {
			return fmt.Errorf("key %q: what has arrived is not what the store has a checksum of: get it again: %w", o.Key, err)
		}
	}
	return nil
}

// piece gets one range. A body that breaks off goes on where it broke off; a request that fails has been repeated by the provider.
func (c *Client) piece(ctx context.Context, o store.Object, r store.Range) ([]byte, error) {
	buf := make([]byte, r.Len)
	n := 0
	var failed error
	_, err := c.try(ctx, func() error {
		body, _, err := c.store.Get(ctx, o.Key, store.Range{Off: r.Off + int64(n), Len: r.Len - int64(n)}, pin(o))
		if err != nil {
			failed = err
			return nil
		}
		defer func() { _ = body.Close() }()
		k, err := io.ReadFull(body, buf[n:])
		n += k
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			return fmt.Errorf("%w: %w", store.ErrTransient, err)
		}
		return err
	})
	if err == nil {
		err = failed
	}
	if errors.Is(err, store.ErrChanged) {
		return nil, fmt.Errorf("key %q: %w, while it was read: get it again", o.Key, ErrChanged)
	}
	return buf, err
}
