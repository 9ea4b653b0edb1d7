package memstore

import (
	"context"
	"crypto/md5" //nolint:gosec // S3's ETag is an MD5, nothing is protected by it
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"io"
	"net/textproto"
	"strings"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
)

// maxMetadata bounds the bytes of names and values of an object's user metadata.
// Source: S3 user guide, "Working with object metadata".
const maxMetadata = 2 << 10

const defaultContentType = "binary/octet-stream"

// object is one version. It is immutable once stored: bodies read its data
// without the lock.
type object struct {
	data         []byte
	etag         string
	lastModified time.Time
	headers      store.Headers
	checksum     string
	parts        int
	layout       []partSum // of an object of parts, whose checksums are those of its parts alone
}

// partSum is where a part of an object ends, and its checksum.
type partSum struct {
	end      int64
	checksum string
}

// part finds a part by its number, as it was counted in Complete. An object that was put whole is its own only part.
func (o *object) part(number int32) (store.Range, string, *store.Error) {
	layout := o.layout
	if len(layout) == 0 {
		layout = []partSum{{int64(len(o.data)), o.checksum}}
	}
	if number < 1 || int(number) > len(layout) {
		return store.Range{}, "", failure(codeInvalidPartNo)
	}
	at := store.Range{Part: number}
	if number > 1 {
		at.Off = layout[number-2].end
	}
	at.Len = layout[number-1].end - at.Off
	return at, layout[number-1].checksum, nil
}

func (s *Store) newObject(data []byte, h store.Headers) *object {
	return &object{
		data: data, etag: etagOf(data), lastModified: s.now(), headers: h,
		checksum: "CRC32:" + checksumOf(data),
	}
}

// describe is what Head and Get say of o.
func (o *object) describe(key string) store.Object {
	d := o.listed(key)
	h := o.headers.Clone()
	d.Headers, d.Checksum, d.Parts, d.Composite = &h, o.checksum, o.parts, len(o.layout) > 0
	return d
}

// listed is what a listing says of o.
func (o *object) listed(key string) store.Object {
	return store.Object{
		Key: key, Size: int64(len(o.data)), ETag: o.etag, LastModified: o.lastModified,
		StorageClass: o.headers.StorageClass,
	}
}

// archived objects have to be restored before they can be read.
func (o *object) archived() bool {
	return o.headers.StorageClass == "GLACIER" || o.headers.StorageClass == "DEEP_ARCHIVE"
}

func etagOf(data []byte) string {
	sum := md5.Sum(data) //nolint:gosec // S3's ETag is an MD5, nothing is protected by it
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

func checksumOf(data []byte) string {
	var sum [4]byte
	binary.BigEndian.PutUint32(sum[:], crc32.ChecksumIEEE(data))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// checkSum refuses a body that has not the checksum which its sender gave.
func checkSum(ctx context.Context, data []byte) *store.Error {
	if sum, ok := store.CRC32Of(ctx); ok && sum != crc32.ChecksumIEEE(data) {
		return failure(codeBadDigest)
	}
	return nil
}

// readBody reads a whole body from its start and leaves its position alone.
func readBody(body *io.SectionReader) ([]byte, *store.Error) {
	if body == nil {
		return nil, nil
	}
	data := make([]byte, body.Size())
	n, err := io.ReadFull(io.NewSectionReader(body, 0, body.Size()), data)
	if err != nil && len(data) > 0 {
		if n == 0 && errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF // the source of the body has shrunk
		}
		return nil, &store.Error{Kind: store.ErrInvalid, Err: err}
	}
	return data, nil
}

// hideTags takes away what who has no right to tags is not told.
func (s *Store) hideTags(d store.Object) store.Object {
	if s.cfg.DenyTags && d.Headers.Tags != "" {
		d.Headers.Tags, d.TagsHidden = "", true
	}
	return d
}

// acceptHeaders gives h as the store keeps it.
func (s *Store) acceptHeaders(h store.Headers) (store.Headers, *store.Error) {
	h = h.Clone()
	if s.cfg.DenyTags && h.Tags != "" && h.Tags != store.NoTags {
		return store.Headers{}, failure(codeAccessDenied)
	}
	if h.ContentType == "" {
		h.ContentType = defaultContentType
	}
	if h.StorageClass == "STANDARD" {
		h.StorageClass = ""
	}
	if h.Tags == store.NoTags {
		h.Tags = ""
	}
	h.ACL = "" // no answer tells it
	size, meta := 0, make(map[string]string, len(h.Metadata))
	for name, value := range h.Metadata {
		value = textproto.TrimString(value) // HTTP drops it on the way
		if name == "" || !printable(name) || strings.ContainsAny(name, " :") || !printable(value) {
			return store.Headers{}, failure(codeInvalidArgument)
		}
		size += len(name) + len(value)
		meta[strings.ToLower(name)] = value
	}
	for _, v := range []string{
		h.ContentType, h.ContentEncoding, h.ContentDisposition, h.ContentLanguage,
		h.CacheControl, h.Expires, h.WebsiteRedirect,
	} {
		if !printable(v) {
			return store.Headers{}, failure(codeInvalidArgument)
		}
	}
	if size > maxMetadata {
		return store.Headers{}, failure(codeMetadataTooBig)
	}
	h.Metadata = nil
	if len(meta) > 0 {
		h.Metadata = meta
	}
	return h, nil
}

// printable tells whether v can travel in an HTTP header unchanged.
func printable(v string) bool {
	for i := range len(v) {
		if (v[i] < ' ' && v[i] != '\t') || v[i] >= 0x7f {
			return false
		}
	}
	return true
}

// readCond judges a condition of a read of o, which exists.
func readCond(o *object, c store.Cond) *store.Error {
	switch {
	case c.IfMatch != "" && c.IfNoneMatch:
		return failure(codeInvalidRequest)
	case c.IfMatch != "" && c.IfMatch != o.etag:
		return failure(codePrecondition)
	case c.IfNoneMatch:
		return failure(codeNotModified)
	case !c.IfUnmodifiedSince.IsZero() && o.lastModified.After(c.IfUnmodifiedSince.Truncate(time.Second)):
		return failure(codePrecondition)
	}
	return nil
}

// writeCond judges a condition of a write over o, nil where there is none.
func (s *Store) writeCond(o *object, c store.Cond) *store.Error {
	switch {
	case s.cfg.IgnoreWriteCond:
		return nil
	case c.IfMatch != "" && c.IfNoneMatch:
		return failure(codeInvalidRequest)
	case !c.IfUnmodifiedSince.IsZero():
		return failure(codeNotImplemented)
	case c.IfNoneMatch && o != nil:
		return failure(codePrecondition)
	case c.IfMatch != "" && o == nil:
		return failure(codeNoSuchKey)
	case c.IfMatch != "" && c.IfMatch != o.etag:
		return failure(codePrecondition)
	}
	return nil
}
