package uploader

import (
	"context"
	"io"
	"os"
	"time"

	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// BaseReader reads bytes of a stored version: what a delta is made whole
// from. It fills p from off or fails: [store.ErrChanged] when that version is
// gone, any other error when it could not be read now. It is called without
// locks held.
type BaseReader interface {
	ReadBase(ctx context.Context, key, etag string, size int64, p []byte, off int64) error

	// FetchBase is the same for bytes that go to the spool: they are read from there from then on, and need
	// not be kept. It is called several times at once.
	FetchBase(ctx context.Context, key, etag string, size int64, p []byte, off int64) error
}

// ConflictPolicy says what happens to a whole generation whose object was
// changed by somebody else meanwhile (--on-conflict).
type ConflictPolicy uint8

// The conflict policies.
const (
	KeepBoth  ConflictPolicy = iota // ours lands under a conflict name
	Overwrite                       // ours replaces what a HEAD shows
	Fail                            // ours stays in the spool as FAILED
)

// Level is one prefix of the bucket with the rights that its grants give.
// Every key given to an Uploader begins with exactly one level's Prefix.
type Level struct {
	Prefix    string // ends in "/"
	CanPut    bool
	CanGet    bool
	CanList   bool
	CanDelete bool
}

// Config are the collaborators and settings of an Uploader. Store and Spool
// are required, Base as soon as a file is opened on a stored base. Zero values
// of the others mean the defaults named beside them.
type Config struct {
	Store    store.Store
	Spool    *spool.Spool
	Recovery *spool.Recovery // nil = an empty spool
	Base     BaseReader
	Levels   []Level
	Log      *zap.Logger

	// Events is told of every change in the bucket that the uploader made or
	// found, in order per key, never under a lock, from one goroutine.
	Events func(Event)

	// Stamp writes the time of the last write into the headers of a
	// generation, when it is sealed and no explicit time was set. nil = none.
	Stamp func(h *store.Headers, mod time.Time)

	// Probe tells by its fields of encryption how the object is sent by which a level's rights are asked for: a bucket may refuse what is not encrypted as it wants it.
	Probe store.Headers

	// Stored is told of a version that has just been uploaded whole by this uploader, before anybody could read it: the
	// ETag, and content, which is valid until it returns. It is called several times at once, under no lock. nil = nobody.
	Stored func(key, etag string, content *io.SectionReader)

	Settle     time.Duration // wait after a seal; 0 = 20 ms, negative = none
	TempSettle time.Duration // the same for names that look temporary; 0 = 2 s
	Batch      time.Duration // deletes and attribute changes are collected; 0 = 30 ms

	Requests  int   // store requests in flight; 0 = 32
	FileParts int   // of them at most for the parts of one file; 0 = 12
	PartSize  int64 // bytes; files up to it are one Put; 0 = 8 MiB
	Attempts  int   // of one write request, the first included; 0 = 4

	PinWait time.Duration // Flush waits so long for base bytes; 0 = 5 s
	PinBase int64         // bytes; of a larger base the store copies what a change leaves alone; 0 = 16 MiB

	Checkpoint time.Duration // changes of files that stay open are uploaded without an fsync, too, so often at most; 0 = they are not

	CloseUpload bool // Flush with changes waits for the store (--close=upload)
	FsyncUpload bool // Sync waits for the store (--fsync=upload)

	OnConflict ConflictPolicy
	Host       string // in conflict names; "" = the host's name
}

// Defaults of [Config].
const (
	DefaultRequests       = 32
	DefaultPartSize int64 = 8 << 20 // bytes
)

const (
	defaultSettle     = 20 * time.Millisecond
	defaultTempSettle = 2 * time.Second
	defaultBatch      = 30 * time.Millisecond
	defaultFileParts  = 12
	defaultAttempts   = 4
	defaultPinWait    = 5 * time.Second
	defaultPinBase    = 16 << 20
)

// withDefaults fills in what the caller left at zero.
func (c Config) withDefaults() Config {
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	if c.Events == nil {
		c.Events = func(Event) {}
	}
	if c.Stored == nil {
		c.Stored = func(string, string, *io.SectionReader) {}
	}
	if c.Stamp == nil {
		c.Stamp = func(*store.Headers, time.Time) {}
	}
	orElse(&c.Settle, defaultSettle)
	orElse(&c.TempSettle, defaultTempSettle)
	orElse(&c.Batch, defaultBatch)
	orElse(&c.Requests, DefaultRequests)
	orElse(&c.FileParts, defaultFileParts)
	orElse(&c.PartSize, DefaultPartSize)
	orElse(&c.Attempts, defaultAttempts)
	orElse(&c.PinWait, defaultPinWait)
	orElse(&c.PinBase, defaultPinBase)
	c.Settle = max(c.Settle, 0)
	if c.Host == "" {
		c.Host, _ = os.Hostname()
	}
	if c.Host == "" {
		c.Host = "localhost"
	}
	return c
}

func orElse[T comparable](p *T, d T) {
	var zero T
	if *p == zero {
		*p = d
	}
}
