package store

import (
	"context"
	"io"
	"iter"
)

// Reader reads objects and listings. Calls are safe for concurrent use; they
// are retried inside the provider and end with ctx.
type Reader interface {
	// Head returns the object's attributes, headers included. An absent key
	// gives ErrNotExist, or ErrPermission where the caller may not list
	// (AWS answers 403 then): only a listing proves absence.
	Head(ctx context.Context, key string, c Cond) (Object, error)

	// Get opens a range of an object. The returned body holds exactly the
	// range clipped to the object; a connection that ends early gives
	// io.ErrUnexpectedEOF from Read, never a silent short body. The Object
	// describes the whole object (Size is its full size). A range that
	// begins at or behind the end gives an empty body and no error. By
	// Range.Part it gives a part instead; one that there is not is an error.
	// The caller closes the body.
	Get(ctx context.Context, key string, r Range, c Cond) (io.ReadCloser, Object, error)

	// List iterates over the pages of a listing, fetched as they are asked
	// for. An error is the last pair.
	List(ctx context.Context, prefix string, o ListOptions) iter.Seq2[Page, error]
}

// Writer changes single objects. Each call sends one request.
type Writer interface {
	// Put stores body under key if c holds.
	Put(ctx context.Context, key string, body *io.SectionReader, h Headers, c Cond) (PutResult, error)
	// Copy copies within the bucket (at most Limits.MaxCopy bytes).
	Copy(ctx context.Context, r CopyRequest) (PutResult, error)
	// Delete removes key if c holds. An absent key is no error.
	Delete(ctx context.Context, key string, c Cond) error
	// DeleteMany removes up to Limits.MaxDelete keys without conditions, by one request (and one for each key that it can not carry), and
	// returns the keys that failed; err is the failure of the whole request.
	DeleteMany(ctx context.Context, keys []string) (failed []KeyError, err error)
}

// Multipart uploads an object in parts. Each call sends one request. A part
// number may be uploaded again; parts not named in Complete are dropped.
// A lost upload gives ErrNoUpload.
type Multipart interface {
	Create(ctx context.Context, key string, h Headers) (uploadID string, err error)
	UploadPart(ctx context.Context, key, uploadID string, number int32, body *io.SectionReader) (Part, error)
	// CopyPart copies a range of the source, pinned by sourceETag, as a part.
	CopyPart(ctx context.Context, key, uploadID string, number int32, source, sourceETag string, r Range) (Part, error)
	// Complete makes the object out of parts, ascending by number, if c holds.
	// An answer of 200 with an error in its body is an error.
	Complete(ctx context.Context, key, uploadID string, parts []Part, c Cond) (PutResult, error)
	// Abort drops the upload; a missing one is no error.
	Abort(ctx context.Context, key, uploadID string) error
}

// Store is one bucket.
type Store interface {
	Reader
	Writer
	Multipart
	Limits() Limits
	// Close ends idle connections and child processes. No call may follow.
	Close() error
}

// Syncer is implemented by stores whose acknowledged writes are not on stable
// storage before Sync returns (the embedded one): a committed file may leave
// the spool only after it.
type Syncer interface {
	Sync(ctx context.Context) error
}
