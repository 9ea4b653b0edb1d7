package store

import (
	"maps"
	"reflect"
	"time"
)

// Headers are what travels with an object besides its bytes, and what must
// survive overwrite, append, truncate, rename and metadata changes. The zero
// value of a field means that the header is absent.
// Source: S3 API reference, PutObject and HeadObject.
type Headers struct {
	ContentType        string
	ContentEncoding    string
	ContentDisposition string
	ContentLanguage    string
	CacheControl       string
	Expires            string // verbatim HTTP date, as the server sent it
	WebsiteRedirect    string // x-amz-website-redirect-location
	StorageClass       string // "" = STANDARD
	SSE                string // x-amz-server-side-encryption: AES256, aws:kms, aws:kms:dsse
	SSEKMSKeyID        string
	BucketKey          bool // x-amz-server-side-encryption-bucket-key-enabled

	// Tags are the object's, as x-amz-tagging has them: k=v&k2=v2, URL-encoded. "" says nothing of them: what is written anew has none then, and
	// a Copy keeps the source's; [NoTags] takes them away. Head tells them where it may read them, Get does not.
	Tags string
	// ACL is a canned access control list, x-amz-acl. It is only sent: no answer tells it, so that who writes or copies the object
	// again, has to give it again.
	ACL string

	// Metadata holds the x-amz-meta-* headers: lower-case names without the
	// prefix. Names and values are ASCII; S3 allows 2 KiB in all.
	Metadata map[string]string
}

// Clone returns a deep copy.
func (h Headers) Clone() Headers {
	h.Metadata = maps.Clone(h.Metadata)
	return h
}

// Equal reports whether two say the same.
func (h Headers) Equal(o Headers) bool {
	if !maps.Equal(h.Metadata, o.Metadata) {
		return false
	}
	h.Metadata, o.Metadata = nil, nil
	return reflect.DeepEqual(h, o) // all fields of strings: one that is added counts
}

// Object is what the store says of one version of one object. Listings leave
// Headers nil.
type Object struct {
	Key          string
	Size         int64 // bytes
	ETag         string
	LastModified time.Time
	VersionID    string
	StorageClass string // as listings give it; "" = STANDARD
	Headers      *Headers

	// TagsUntold: the object has tags, and Headers do not say which, as an answer to Get does not.
	TagsUntold bool
	// TagsHidden: the object has tags, and the caller may not read them: who writes it again leaves them out. Only Head says so, and only of
	// a server that counts tags for who may not read them.
	TagsHidden bool

	// Checksum is a base64 full-object checksum with its algorithm in front
	// ("CRC32:…", "SHA256:…", "CRC64NVME:…"), "" when the server offers none.
	// Of the answer to a Get of a part (Range.Part) it is that of the part.
	Checksum string
	// Parts is the number of parts of a multipart object, 0 when unknown or single.
	Parts int
	// Composite: there is no checksum of the whole, but one of each part, which a Get of the part tells. Only answers that
	// are asked for checksums say so: Head, and Get of All or of a part.
	Composite bool
	// Part is where the part lies that a Get of it gave; zero in all other answers.
	Part Range
}

// Cond is a precondition of a request. At most one of IfMatch and IfNoneMatch
// is set. A condition that does not hold fails with [ErrChanged].
type Cond struct {
	IfMatch           string    // the object's ETag must be this
	IfNoneMatch       bool      // "If-None-Match: *": the object must not exist
	IfUnmodifiedSince time.Time // for objects without an ETag; whole seconds
}

// Range is a byte range. Len < 0 means up to the object's end. The zero Range is
// not "everything": use [All].
type Range struct {
	Off int64
	Len int64

	// Part, where it is positive, asks a Get for the part of that number of a multipart object, as it was uploaded, whatever Off
	// and Len say: Object.Part tells where it lies. A server that knows no parts may give the whole object.
	Part int32
}

// All is the range of a whole object.
var All = Range{Off: 0, Len: -1} //nolint:gochecknoglobals // a constant in all but syntax

// ListOptions narrow a listing.
type ListOptions struct {
	Delimiter  string // "" lists flat, "/" rolls up into Page.Prefixes
	StartAfter string // keys after this one only
	PageSize   int    // 1..1000 keys a request; 0 = 1000
}

// Page is one answer of a listing: objects and common prefixes in the order of
// the server (S3: UTF-8 binary order of each).
type Page struct {
	Objects  []Object
	Prefixes []string // common prefixes, ending in the delimiter
	More     bool     // another page follows
}

// PutResult is what a successful Put, Copy or Complete tells.
type PutResult struct {
	ETag         string
	VersionID    string
	LastModified time.Time // zero where the server does not say
}

// CopyRequest is a server-side copy within the bucket.
type CopyRequest struct {
	Source     string
	SourceETag string // copy only this version ("" = any): x-amz-copy-source-if-match
	Target     string
	Cond       Cond     // on the target; many servers ignore it in silence: see Limits.CopyCond
	Headers    *Headers // nil keeps the source's headers (COPY), else REPLACE with these
	Known      *Headers // where Headers is nil: what the source has, if the caller knows; it spares some providers a request
}

// Part is one uploaded part of a multipart upload.
type Part struct {
	Number   int32 // 1..10,000
	ETag     string
	Size     int64
	Checksum string // base64 CRC32 where the provider computed one
}

// KeyError is the failure of one key in a batch.
type KeyError struct {
	Key string
	Err *Error
}

// Limits tells what the store allows. Sources: S3 user guide, "Multipart
// upload limits"; the object size limit was raised to 50 TB in 2025-12.
type Limits struct {
	MinPart   int64 // bytes, all parts but the last
	MaxPart   int64 // bytes
	MaxParts  int   // 1: an object is put whole, there are no multipart uploads
	MaxPut    int64 // bytes in one Put
	MaxCopy   int64 // bytes in one Copy; above: CopyPart
	MaxObject int64 // bytes
	MaxKey    int   // bytes of UTF-8
	MaxDelete int   // keys in one DeleteMany

	CopyCond   bool // Copy honours conditions on its target (proved, not assumed)
	NeedsSync  bool // what was acknowledged may be lost in a power loss before a Sync (see [Syncer])
	EqualParts bool // all parts but the last must be of one size (Cloudflare R2)
	NoParts    bool // Get knows no parts: Range.Part gives the whole object
	LooseCond  bool // conditions of writes hold against the writers of this process alone: another one may get in between look and write
}

// Multipart reports whether objects can be uploaded in parts.
func (l Limits) Multipart() bool { return l.MaxParts > 1 }

// Whole is the most bytes, at most part (the wished size of a part), that are sent in one Put. Where there are no parts it is all that a Put takes.
func (l Limits) Whole(part int64) int64 {
	if !l.Multipart() {
		return l.MaxPut
	}
	return min(part, l.MaxPut)
}

// S3Limits are those of Amazon S3.
func S3Limits() Limits {
	return Limits{
		MinPart: 5 << 20, MaxPart: 5 << 30, MaxParts: 10_000,
		MaxPut: 5 << 30, MaxCopy: 5 << 30, MaxObject: 50_000_000_000_000,
		MaxKey: 1024, MaxDelete: 1000,
	}
}

// WholeLimits are those of a store without multipart uploads that takes objects as large and keys as long as Amazon S3 does.
func WholeLimits() Limits {
	l := S3Limits()
	l.MinPart, l.MaxPart, l.MaxParts, l.NoParts = 1, l.MaxObject, 1, true
	l.MaxPut, l.MaxCopy = l.MaxObject, l.MaxObject
	return l
}
