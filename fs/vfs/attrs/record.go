package attrs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
)

// An entry's encoding: strings are len uvarint | bytes, numbers are varints. Fields in order:
//
//	key, etag, size, checked (Unix ns), seen[0], seen[1], flags,
//	the texts of headerTexts, number of metadata pairs, name and value of each, the tags if the flags say so

var errRecord = errors.New("entry does not decode")

const (
	flagBucketKey = 1
	flagTags      = 2
)

// headerTexts lists the fields of Headers that are plain texts, in the order of the
// encoding.
func headerTexts(h *store.Headers) []*string {
	return []*string{
		&h.ContentType, &h.ContentEncoding, &h.ContentDisposition, &h.ContentLanguage, &h.CacheControl,
		&h.Expires, &h.WebsiteRedirect, &h.StorageClass, &h.SSE, &h.SSEKMSKeyID,
	}
}

func encodeEntry(b []byte, key string, e *entry) []byte {
	b = appendText(b, key)
	b = appendText(b, e.etag)
	for _, v := range []int64{e.size, e.checked.UnixNano(), e.seen[0], e.seen[1]} {
		b = binary.AppendVarint(b, v)
	}
	return append(b, e.headers...)
}

// pack encodes headers: all fields from the flags on.
func pack(h *store.Headers) []byte {
	var b []byte
	flags := int64(0)
	if h.BucketKey {
		flags |= flagBucketKey
	}
	if h.Tags != "" {
		flags |= flagTags
	}
	b = binary.AppendVarint(b, flags)
	for _, text := range headerTexts(h) {
		b = appendText(b, *text)
	}
	b = binary.AppendVarint(b, int64(len(h.Metadata)))
	for _, name := range slices.Sorted(maps.Keys(h.Metadata)) {
		b = appendText(b, name)
		b = appendText(b, h.Metadata[name])
	}
	if h.Tags != "" {
		b = appendText(b, h.Tags)
	}
	return bytes.Clone(b) // without room to grow
}

// unpack is the inverse of pack.
func unpack(packed []byte) store.Headers {
	d := decoder{b: packed}
	h, _ := d.headers() // packed here, or looked at when it was decoded
	return h
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// decodeEntry is the inverse of encodeEntry, for any bytes.
func decodeEntry(b []byte) (key string, e *entry, err error) {
	d := decoder{b: b}
	e = &entry{}
	key, e.etag = d.text(), d.text()
	e.size = d.number()
	e.checked = time.Unix(0, d.number())
	e.seen[0], e.seen[1] = d.number(), d.number()
	h, ok := d.headers()
	if !ok || d.bad || len(d.b) != 0 || key == "" || e.size < 0 {
		return "", nil, errRecord
	}
	e.headers = pack(&h)
	return key, e, nil
}

// decoder takes fields off b; bad is set by the first that is not whole.
type decoder struct {
	b   []byte
	bad bool
}

// headers takes all fields from the flags on.
func (d *decoder) headers() (h store.Headers, ok bool) {
	flags := d.number()
	h.BucketKey = flags&flagBucketKey != 0
	for _, text := range headerTexts(&h) {
		*text = d.text()
	}
	pairs := d.number()
	if pairs < 0 || pairs > int64(len(d.b)) {
		return h, false
	}
	if pairs > 0 {
		h.Metadata = make(map[string]string, pairs)
	}
	for range pairs {
		name := d.text()
		h.Metadata[name] = d.text()
	}
	if flags&flagTags != 0 {
		h.Tags = d.text()
	}
	return h, !d.bad
}

func (d *decoder) number() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.b, d.bad = nil, true
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) text() string {
	size, n := binary.Uvarint(d.b)
	if n <= 0 || size > uint64(len(d.b)-n) {
		d.b, d.bad = nil, true
		return ""
	}
	s := string(d.b[n : n+int(size)])
	d.b = d.b[n+int(size):]
	return s
}
