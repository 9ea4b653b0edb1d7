// Package transfer moves objects between files and a bucket without a mount: what the commands put, get, rm, cp and mv do. Keys
// are exact: nothing is normalised, and which of them may be named is decided before they get here.
//
// Promises:
//
//   - There is never half an object: a large one becomes visible when it is completed, and a file that changed while it was sent
//     is not. There is never half a file either: it gets its name when it is whole and, where the store has a checksum, verified.
//   - What was interrupted goes on: a put by the record of its parts (see record), a get by the part of the file that has arrived.
//   - A write that was not answered is settled by a HEAD, by the id that each put gives its object (uploader.WrittenBy).
//
// A Client has no goroutine of its own: each call waits for those that it starts.
package transfer

import (
	"cmp"
	"errors"
	"sync"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// Failures that callers tell apart, by errors.Is.
var (
	ErrExists  = errors.New("exists already")              // a put or copy that was not to overwrite
	ErrReplace = errors.New("is not the version that was") // a conditional write met another version
	ErrChanged = errors.New("changed meanwhile")           // the source, while it was read
	ErrBusy    = errors.New("is being done by another process")
	ErrTags    = errors.New("has tags that these credentials may not copy") // or may have: see Client.Move
)

// Config says how to transfer. The zero value of each field is its default.
type Config struct {
	Attempts int   // of one request, the first included; 0 = 4
	PartSize int64 // bytes: wished size of a part, and of the ranges that are got at once; 0 = 8 MiB
	Ranges   int   // ranges of one object that are got, or parts of a copy or a stream that are made, at the same time; 0 = 4
	Streams  int   // parts of one file that are sent at the same time; each costs a part more after an interruption; 0 = 1

	// State is a directory for the records of puts of large files, so that they can go on after an interruption; "" = none are kept.
	State string
	// Scope is which bucket and whose identity the records are of.
	Scope string

	// DropTags: a Move goes on without the tags that it has no right to, as a Copy always does. Else it is refused, as they would be lost for good.
	DropTags bool

	// Boot names the run of the kernel; "" = what the kernel says (see readBoot).
	Boot string

	// Progress, if set, is told what has arrived. It is called by one goroutine at a time.
	Progress func(Progress)
	// Notice, if set, is told in one line, once for all copies of a client, that they go on without tags.
	Notice func(string)
}

// Progress is how far one object has come.
type Progress struct {
	Key    string `json:"key"`
	Loaded int64  `json:"loaded"` // bytes
	Total  int64  `json:"total"`  // bytes; -1 = not known
	Part   int    `json:"part"`   // the number, from 1, of the part that has arrived last; 0 = what was there from the last time
}

// Client transfers objects of one store. Its methods may be called concurrently.
type Client struct {
	store  store.Store
	limits store.Limits
	cfg    Config

	mu      sync.Mutex // serialises Config.Progress
	tagless sync.Once  // Config.Notice
}

// New makes a client. The store stays the caller's to close.
func New(s store.Store, cfg Config) *Client {
	const attempts, ranges = 4, 4
	cfg.Attempts = cmp.Or(cfg.Attempts, attempts)
	cfg.PartSize = max(cmp.Or(cfg.PartSize, uploader.DefaultPartSize), 1)
	cfg.Ranges = cmp.Or(cfg.Ranges, ranges)
	cfg.Streams = cmp.Or(cfg.Streams, 1)
	if cfg.Boot == "" {
		cfg.Boot = readBoot()
	}
	return &Client{store: s, limits: s.Limits(), cfg: cfg}
}

// counter adds up the progress of one object.
type counter struct {
	c   *Client
	now Progress
}

func (c *Client) count(key string, total int64) *counter {
	return &counter{c: c, now: Progress{Key: key, Total: total}}
}

// add tells of n bytes more, of the part of a number.
func (p *counter) add(n int64, part int) {
	if p.c.cfg.Progress == nil {
		return
	}
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	p.now.Loaded += n
	p.now.Part = part
	p.c.cfg.Progress(p.now)
}
