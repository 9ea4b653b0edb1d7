package uploader

import (
	"bytes"
	"io"
	"mime"
	"path"
	"sync"

	"github.com/gabriel-vasile/mimetype"

	"github.com/s3levelfs/s3levelfs/store"
)

const (
	sniffLen    = 3 << 10 // bytes: what mimetype reads at most by default
	unknownType = "application/octet-stream"
)

// sniffBuffers hold the first bytes of files whose name tells nothing.
var sniffBuffers = sync.Pool{New: func() any { return new([sniffLen]byte) }}

// contentHeaders are the headers that a generation is sent with: its own, its id, and a Content-Type where
// none is set, by the name's extension, else by the first bytes. One that exists is never changed.
func (u *Uploader) contentHeaders(o *op) store.Headers {
	u.mu.Lock()
	h := o.gen.headers
	u.mu.Unlock()
	return u.describe(o, h)
}

// describe adds what a generation's own headers do not say.
func (u *Uploader) describe(o *op, h store.Headers) store.Headers {
	u.mu.Lock()
	h = withW(h, o.gen.id)
	content, key := o.gen.content, o.key
	u.mu.Unlock()
	if content == nil {
		return h
	}
	if h.ContentType != "" {
		return h
	}
	if h.ContentType = mime.TypeByExtension(path.Ext(key)); h.ContentType != "" {
		return h
	}
	buf, _ := sniffBuffers.Get().(*[sniffLen]byte)
	defer sniffBuffers.Put(buf)
	head := buf[:min(content.Size(), sniffLen)]
	n, err := content.ReadAt(head, 0, noBase)
	if n == 0 || (err != nil && err != io.EOF) { //nolint:errorlint // io.ReaderAt's contract
		h.ContentType = unknownType
		return h
	}
	h.ContentType = mimetype.Detect(head[:n]).String()
	return h
}

func emptyBody() *io.SectionReader { return io.NewSectionReader(bytes.NewReader(nil), 0, 0) }
