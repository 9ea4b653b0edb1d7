package spool

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/s3levelfs/s3levelfs/store"
)

// decodeRecord is the inverse of encoder.add. It copies what it keeps.
// A record whose frame is good and whose fields are not is damage.
func decodeRecord(typ uint8, payload []byte) (rec Record, more bool, err error) {
	r := &reader{b: payload}
	rec = Record{Type: Type(typ), Seq: r.uvarint()}
	for r.more() {
		tag, v, raw := r.field()
		if r.err != nil {
			break
		}
		if tag == tagMore {
			more = v.uvarint() != 0
		} else if !rec.decodeField(tag, &v) {
			rec.Unknown = append(rec.Unknown, raw...)
			continue
		}
		v.done(r, fmt.Sprintf("field %d of %v", tag, rec.Type))
	}
	if r.err != nil {
		return Record{}, false, fmt.Errorf("record %d: %w", rec.Seq, r.err)
	}
	return rec, more, nil
}

// decodeField reports whether it knows the tag.
func (rec *Record) decodeField(tag uint64, v *reader) bool {
	switch tag {
	case tagOp:
		rec.Op = v.uvarint()
	case tagGen:
		rec.Gen = v.rest()
	case tagKey:
		rec.Key = v.rest()
	case tagTo:
		rec.To = v.rest()
	case tagBase:
		rec.Base = v.base()
	case tagToBase:
		rec.ToBase = v.base()
	case tagETag:
		rec.ETag = v.rest()
	case tagSize:
		rec.Size = v.varint()
	case tagExtents:
		rec.Extents = v.extents()
	case tagHeaders:
		rec.Headers = v.headers()
	case tagTime:
		rec.Time = v.time()
	case tagUploadID:
		rec.UploadID = v.rest()
	case tagPart:
		rec.Part = v.part()
	case tagFlags:
		rec.Flags = v.uvarint()
	case tagText:
		rec.Text = v.rest()
	case tagKeys:
		rec.Keys = v.keys()
	case tagSince:
		rec.Since = v.time()
	case tagSums:
		rec.Sums = v.sums()
	default:
		return false
	}
	return true
}

// Unknown tags inside of a nested value are left out: only the record keeps them.

func (r *reader) base() (b Base) {
	for r.more() {
		tag, v, _ := r.field()
		switch tag {
		case tagBaseState:
			b.State = BaseState(min(v.uvarint(), math.MaxUint8))
		case tagBaseETag:
			b.ETag = v.rest()
		case tagBaseSize:
			b.Size = v.varint()
		case tagBaseTime:
			b.ModTime = v.time()
		default:
			continue
		}
		v.done(r, "base")
	}
	return b
}

func (r *reader) part() (p store.Part) {
	for r.more() {
		tag, v, _ := r.field()
		switch tag {
		case tagPartNumber:
			p.Number = int32(v.varint())
		case tagPartETag:
			p.ETag = v.rest()
		case tagPartSize:
			p.Size = v.varint()
		case tagPartChecksum:
			p.Checksum = v.rest()
		default:
			continue
		}
		v.done(r, "part")
	}
	return p
}

func (r *reader) keys() (keys []string) {
	for r.more() {
		keys = append(keys, string(r.bytes(r.uvarint())))
	}
	return keys
}

func (r *reader) headers() *store.Headers {
	h := &store.Headers{}
	texts := map[uint64]*string{
		tagContentType: &h.ContentType, tagContentEncoding: &h.ContentEncoding,
		tagContentDisposition: &h.ContentDisposition, tagContentLanguage: &h.ContentLanguage,
		tagCacheControl: &h.CacheControl, tagExpires: &h.Expires, tagWebsiteRedirect: &h.WebsiteRedirect,
		tagStorageClass: &h.StorageClass, tagSSE: &h.SSE, tagSSEKMSKeyID: &h.SSEKMSKeyID,
		tagTags: &h.Tags, tagACL: &h.ACL,
	}
	for r.more() {
		tag, v, _ := r.field()
		switch text := texts[tag]; {
		case text != nil:
			*text = v.rest()
		case tag == tagBucketKey:
			h.BucketKey = v.uvarint() != 0
		case tag == tagMetadata:
			if h.Metadata == nil {
				h.Metadata = map[string]string{}
			}
			name := string(v.bytes(v.uvarint()))
			h.Metadata[name] = v.rest()
		default:
			continue
		}
		v.done(r, "headers")
	}
	return h
}

func (r *reader) extents() (list []Extent) {
	end := int64(0)
	for r.more() {
		var x Extent
		x.Kind = Kind(r.bytes(1)[0])
		x.Off = end + r.varint()
		x.Len = int64(r.uvarint())
		if x.Kind.stored() {
			x.Storage = r.uvarint()
			x.Pos = x.Off + r.varint()
		}
		end = x.Off + x.Len
		if x.Kind > KindFile || x.Off < 0 || x.Len <= 0 || x.Pos < 0 || end < 0 {
			r.fail("extent")
			return nil
		}
		list = append(list, x)
	}
	return list
}

func (r *reader) sums() (list []Sum) {
	end := int64(0)
	for r.more() {
		x := Sum{Off: end + r.varint(), Len: int64(r.uvarint())}
		crc := r.bytes(4)
		if end = x.Off + x.Len; len(crc) < 4 || x.Off < 0 || x.Len <= 0 || end < 0 {
			r.fail("sum")
			return nil
		}
		x.CRC = binary.LittleEndian.Uint32(crc)
		list = append(list, x)
	}
	return list
}
