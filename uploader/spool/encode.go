package spool

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/s3levelfs/s3levelfs/internal/frame"
	"github.com/s3levelfs/s3levelfs/store"
)

// Tags of a record's fields. Part of the format: never reused.
const (
	tagOp       = 1
	tagGen      = 2
	tagKey      = 3
	tagTo       = 4
	tagBase     = 5
	tagToBase   = 6
	tagETag     = 7
	tagSize     = 8
	tagExtents  = 9
	tagHeaders  = 10
	tagTime     = 11
	tagUploadID = 12
	tagPart     = 13
	tagFlags    = 14
	tagText     = 15
	tagKeys     = 16
	tagMore     = 17 // 1 = the next record belongs to the same batch
	tagSince    = 18
	tagSums     = 19
)

// Tags inside of tagBase and tagToBase.
const (
	tagBaseState = 1
	tagBaseETag  = 2
	tagBaseSize  = 3
	tagBaseTime  = 4
)

// Tags inside of tagHeaders.
const (
	tagContentType        = 1
	tagContentEncoding    = 2
	tagContentDisposition = 3
	tagContentLanguage    = 4
	tagCacheControl       = 5
	tagExpires            = 6
	tagWebsiteRedirect    = 7
	tagStorageClass       = 8
	tagSSE                = 9
	tagSSEKMSKeyID        = 10
	tagBucketKey          = 11
	tagMetadata           = 12 // repeated: len uvarint | name | value
	tagTags               = 13
	tagACL                = 14
)

// Tags inside of tagPart.
const (
	tagPartNumber   = 1
	tagPartETag     = 2
	tagPartSize     = 3
	tagPartChecksum = 4
)

// encoder turns records into frames in one buffer, which it keeps between batches.
type encoder struct {
	buf    []byte
	nested []byte
}

// maxKept bounds the memory that an encoder keeps, in bytes.
const maxKept = 1 << 20

func (e *encoder) reset() {
	if cap(e.buf) > maxKept || cap(e.nested) > maxKept {
		*e = encoder{}
	}
	e.buf = e.buf[:0]
}

// add appends the frame of r; more: the next one belongs to the same batch.
func (e *encoder) add(r *Record, more bool) error {
	start := len(e.buf)
	b := binary.AppendUvarint(frame.Begin(e.buf), r.Seq)
	b = appendUint(b, tagOp, r.Op)
	b = appendBytes(b, tagGen, r.Gen)
	b = appendBytes(b, tagKey, r.Key)
	b = appendBytes(b, tagTo, r.To)
	b = e.appendNested(b, tagBase, appendBase(e.nested[:0], r.Base))
	b = e.appendNested(b, tagToBase, appendBase(e.nested[:0], r.ToBase))
	b = appendBytes(b, tagETag, r.ETag)
	b = appendInt(b, tagSize, r.Size)
	b = e.appendNested(b, tagExtents, appendExtents(e.nested[:0], r.Extents))
	if r.Headers != nil {
		nested := appendHeaders(e.nested[:0], r.Headers)
		if b = e.appendNested(b, tagHeaders, nested); len(nested) == 0 {
			b = append(b, tagHeaders, 0) // present and empty
		}
	}
	b = appendTime(b, tagTime, r.Time)
	b = appendBytes(b, tagUploadID, r.UploadID)
	b = e.appendNested(b, tagPart, appendPart(e.nested[:0], r.Part))
	b = appendUint(b, tagFlags, r.Flags)
	b = appendBytes(b, tagText, r.Text)
	b = e.appendNested(b, tagKeys, appendKeys(e.nested[:0], r.Keys))
	if more {
		b = appendUint(b, tagMore, 1)
	}
	b = appendTime(b, tagSince, r.Since)
	b = e.appendNested(b, tagSums, appendSums(e.nested[:0], r.Sums))
	b = append(b, r.Unknown...)
	e.buf = b
	if len(b)-start-frame.HeaderSize > frame.MaxPayload {
		return fmt.Errorf("record of %d bytes is too long", len(b)-start)
	}
	frame.End(b, start, uint8(r.Type))
	return nil
}

func (e *encoder) appendNested(b []byte, tag uint64, nested []byte) []byte {
	e.nested = nested
	return appendBytes(b, tag, nested)
}

func appendBase(b []byte, v Base) []byte {
	b = appendUint(b, tagBaseState, uint64(v.State))
	b = appendBytes(b, tagBaseETag, v.ETag)
	b = appendInt(b, tagBaseSize, v.Size)
	return appendTime(b, tagBaseTime, v.ModTime)
}

func appendPart(b []byte, p store.Part) []byte {
	b = appendInt(b, tagPartNumber, int64(p.Number))
	b = appendBytes(b, tagPartETag, p.ETag)
	b = appendInt(b, tagPartSize, p.Size)
	return appendBytes(b, tagPartChecksum, p.Checksum)
}

func appendKeys(b []byte, keys []string) []byte {
	for _, k := range keys {
		b = binary.AppendUvarint(b, uint64(len(k)))
		b = append(b, k...)
	}
	return b
}

func appendHeaders(b []byte, h *store.Headers) []byte {
	b = appendBytes(b, tagContentType, h.ContentType)
	b = appendBytes(b, tagContentEncoding, h.ContentEncoding)
	b = appendBytes(b, tagContentDisposition, h.ContentDisposition)
	b = appendBytes(b, tagContentLanguage, h.ContentLanguage)
	b = appendBytes(b, tagCacheControl, h.CacheControl)
	b = appendBytes(b, tagExpires, h.Expires)
	b = appendBytes(b, tagWebsiteRedirect, h.WebsiteRedirect)
	b = appendBytes(b, tagStorageClass, h.StorageClass)
	b = appendBytes(b, tagSSE, h.SSE)
	b = appendBytes(b, tagSSEKMSKeyID, h.SSEKMSKeyID)
	if h.BucketKey {
		b = appendUint(b, tagBucketKey, 1)
	}
	b = appendBytes(b, tagTags, h.Tags)
	b = appendBytes(b, tagACL, h.ACL)
	for _, name := range slices.Sorted(maps.Keys(h.Metadata)) {
		b = binary.AppendUvarint(b, tagMetadata)
		pair := binary.AppendUvarint(nil, uint64(len(name)))
		value := h.Metadata[name]
		b = binary.AppendUvarint(b, uint64(len(pair)+len(name)+len(value)))
		b = append(append(append(b, pair...), name...), value...)
	}
	return b
}

// appendExtents writes each extent as kind | offset from the end of the one before | length and, where it
// has storage, number of the storage | position relative to the offset. All but kind, length and number are signed.
func appendExtents(b []byte, extents []Extent) []byte {
	end := int64(0)
	for _, x := range extents {
		b = append(b, byte(x.Kind))
		b = binary.AppendVarint(b, x.Off-end)
		b = binary.AppendUvarint(b, uint64(x.Len))
		if x.Kind.stored() {
			b = binary.AppendUvarint(b, x.Storage)
			b = binary.AppendVarint(b, x.Pos-x.Off)
		}
		end = x.Off + x.Len
	}
	return b
}

// appendSums writes each as offset from the end of the one before (signed) | length | checksum u32.
func appendSums(b []byte, sums []Sum) []byte {
	end := int64(0)
	for _, x := range sums {
		b = binary.AppendVarint(b, x.Off-end)
		b = binary.AppendUvarint(b, uint64(x.Len))
		b = binary.LittleEndian.AppendUint32(b, x.CRC)
		end = x.Off + x.Len
	}
	return b
}

// syncRecord is what a group sync writes: the log offset up to which everything was on stable storage.
func syncRecord(upTo int64) *Record { return &Record{Type: TypeSync, Size: upTo} }

// bootRecord is what a new log, and a start in another boot, writes.
func bootRecord(seq uint64, id string) *Record {
	return &Record{Seq: seq, Type: TypeBoot, Text: id, Time: time.Now()}
}
