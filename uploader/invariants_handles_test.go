package uploader_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/s3levelfs/s3levelfs/uploader"
)

// What the programs of a wild run do with files.

// begin opens a file whose bytes are known.
func (w *wild) begin(k string, truncate, fresh bool) bool {
	if slices.ContainsFunc(w.handles, func(h *handle) bool { return h.f.Key() == k }) {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	f, err := w.u.Open(ctx, k, uploader.OpenOptions{Base: w.base(k, fresh), Truncate: truncate})
	if err != nil {
		return false
	}
	h := &handle{f: f, truncated: truncate}
	i, known := f.Info(), true
	w.mu.Lock()
	h.prev = w.names[k]
	switch {
	case truncate:
	case i.Gen != "":
		h.bytes, known = w.bytesOf[i.Gen]
	case i.Base.State == uploader.Present:
		h.bytes, known = w.versions[i.Base.ETag]
	}
	w.mu.Unlock()
	if !known {
		_ = f.Release(context.Background(), true)
		return false
	}
	w.handles = append(w.handles, h)
	return true
}

func (w *wild) write(i, off int) {
	h := w.handles[i]
	w.writes++
	data := fmt.Sprintf("<%d>", w.writes)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	off = min(off, len(h.bytes))
	if _, err := h.f.WriteAt(ctx, []byte(data), int64(off)); err != nil {
		return // nothing was written
	}
	h.bytes, h.dirty = patch(h.bytes, data, off), true
	w.mu.Lock()
	defer w.mu.Unlock()
	w.bytesOf[h.f.Info().Gen] = h.bytes
}

// flush closes a descriptor: what it wrote is acknowledged, and takes the place of what was there.
func (w *wild) flush(i int) {
	h := w.handles[i]
	gen := h.f.Info().Gen
	w.mu.Lock()
	w.closed[h.bytes] = true
	prev, wasMoved := w.acked[h.prev], w.moved[h.prev]
	if gen != "" && h.prev != h.bytes && !h.gone {
		delete(w.acked, h.prev)
		delete(w.moved, h.prev)
	}
	w.mu.Unlock()
	err := h.f.Flush(context.Background())
	w.mu.Lock()
	defer w.mu.Unlock()
	if errors.Is(err, uploader.ErrBaseLost) && prev != "" && h.prev != h.bytes { // it stays what it was closed with
		w.acked[h.prev] = prev
		w.moved[h.prev] = wasMoved
	}
	if err != nil || h.gone || !h.dirty || gen == "" || h.bytes == "" { // all empty files are alike
		return
	}
	h.dirty = false
	w.acked[h.bytes] = gen
	w.names[h.f.Key()] = h.bytes
	h.prev = h.bytes
}

// fsync lets what a file has now take the place of what it was closed with, should it stay open.
func (w *wild) fsync(i int) {
	h := w.handles[i]
	w.mu.Lock()
	w.closed[h.bytes] = true
	if (h.dirty || h.truncated) && !h.gone {
		delete(w.acked, h.prev)
		delete(w.moved, h.prev)
		h.prev, h.fsync = h.bytes, true
	}
	w.mu.Unlock()
	_ = h.f.Sync(context.Background())
}

func (w *wild) close(i int) {
	w.flush(i)
	h := w.handles[i]
	w.handles = slices.Delete(w.handles, i, i+1)
	_ = h.f.Release(context.Background(), true)
}

// replaced: nobody needs what is at a name any more.
func (w *wild) replaced(k string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, data := range []string{w.names[k], w.viewed(k)} {
		delete(w.acked, data)
		delete(w.moved, data)
	}
	delete(w.names, k)
	for _, h := range w.handles {
		if h.f.Key() == k {
			h.gone = true
		}
	}
}

// viewed are the bytes that are stored at a name.
func (w *wild) viewed(k string) string {
	o, _ := w.mem.Object(k)
	return string(o.Data)
}

func (w *wild) unlink(k string, fresh bool) {
	b := w.base(k, fresh)
	w.replaced(k)
	_ = w.u.Remove(context.Background(), k, b, uploader.RemoveOptions{})
}
