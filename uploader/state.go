package uploader

import (
	"context"
	"slices"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// opKind is what an operation does. Numbers are part of the log's format.
type opKind uint8

const (
	opPut    opKind = 1 // the generation becomes the object
	opDelete opKind = 2 // the object or directory marker goes
	opMove   opKind = 3 // copy key to to, then delete key
	opMarker opKind = 4 // directory marker, key ends in "/"
	opAttr   opKind = 5 // self-copy with new headers
)

func (k opKind) String() string {
	names := [...]string{"", "put", "delete", "move", "mkdir", "attributes"}
	if int(k) < len(names) {
		return names[k]
	}
	return "invalid"
}

// op is one operation on the bucket. It holds a place in the queue of each key
// that it touches and runs when it is at the head of all of them: log order per
// key (I5), and nothing starts at the source of an unfinished copy (I6).
type op struct {
	// folded from the log
	id      uint64 // place in the order; a re-keyed operation gets a new one
	kind    opKind
	flags   uint64
	key, to string
	base    Base           // what key has when the operation is at the head
	toBase  Base           // Move: what to has
	copied  string         // Move: ETag of the confirmed copy
	headers *store.Headers // Marker, Attr
	after   string         // Delete: only once this generation is committed
	gen     *generation    // Put
	upload  *multipart     // Put of a large generation: what of it is in the store already

	// of this process
	running   bool
	unsure    bool // a request of this process or of a crashed one has no answer
	rounds    int  // failed rounds of attempts
	stalls    int  // of them: because nothing moved
	notBefore time.Time
	since     time.Time
	err       error  // of the last round
	failure   string // the same as the log has it
	hold      *Hold
	heapIndex int // position in the ready heap + 1; 0 = not in it
	batched   bool
	awaits    bool               // Delete of a marker: is among the markers of what is below it
	markers   []*op              // deletes of markers that wait until it has ended or failed
	parked    bool               // failed before, waits for its turn among those
	waitLarge bool               // Put: for a place of a large file
	alone     bool               // Delete: not in a batch
	confirmed time.Time          // Delete: when the version that is to go was seen last; zero = by a process before
	replaced  *File              // Move: what the target's handles have
	carried   *File              // Move: what the source's handles have, while it has the new name
	reread    bool               // Move: a changed source was read again
	stream    *stream            // Put: parts that are sent while the file is being written
	noStream  time.Time          // Put: until then none are, because that has failed
	cancel    context.CancelFunc // of the running round
	completed bool               // Put: a Complete of its upload has been sent, also by a process before, and may still be carried out
	commits   bool               // Put: the request of the running round that makes the object has begun
	stopped   bool               // Put: the running round was cancelled, nobody wants its outcome
	waiters   []chan error       // told the outcome of each round
	shown     shown              // what the counters of Status hold of it
}

func (o *op) is(f uint64) bool { return o.flags&f != 0 }

func (o *op) set(f uint64, on bool) {
	if on {
		o.flags |= f
	} else {
		o.flags &^= f
	}
}

// deletes: what it has to do now is to delete key.
func (o *op) deletes() bool { return o.kind == opDelete || o.kind == opMove && o.copied != "" }

// idle: nothing of it can be in the store, it may be dropped or re-keyed.
func (o *op) idle() bool { return !o.running && !o.unsure && !o.is(flagStarted) }

// source is where the holes of a delta are read from.
type source struct {
	key, etag string
	size      int64
}

// generation is bytes and attributes with an id; see docs/UPLOADER.md.
type generation struct {
	id      string
	alias   string // that an upload which it has taken over gives its object; "" = none
	src     source // zero key = whole from birth
	headers store.Headers
	size    int64     // at the seal
	modTime time.Time // of the last write, or as set
	written bool      // by a write or truncate, not by O_TRUNC
	changed bool      // since it was created: a flush has something to seal
	timeSet bool      // modTime was set by utimens
	synced  bool      // by fsync: sealed as found after a crash
	content *spool.Content
	fetched bool           // holes are not copied by the store any more: it has lost some
	pinning chan struct{}  // held by the flush that pins it
	track   *tracker       // what is written to it; nil = by a process before
	sums    []spool.Sum    // of its bytes, as the record of its seal tells; before that of those of the one below
	extents []spool.Extent // replay only, until content is adopted
	op      *op            // that carries it to the bucket; nil = committed, quarantined, or of an unlinked file
	file    *File          // whose stack it is in; nil = nobody's any more
	refs    int            // operations, files and the quarantine that need the bytes
}

// queue are the operations on one key, in order.
type queue []*op

func (q queue) head() *op {
	if len(q) == 0 {
		return nil
	}
	return q[0]
}

func (q queue) top() *op {
	if len(q) == 0 {
		return nil
	}
	return q[len(q)-1]
}

// named is the last operation of the file that has the name: what stands behind a move and goes when that has been copied is another
// file's, of which only its handles know.
func (q queue) named() *op {
	for _, o := range slices.Backward(q) {
		if !o.is(flagReplaced) {
			return o
		}
	}
	return q.top()
}

// keys are the queues in which the operation holds a place.
func (o *op) keys() []string {
	if o.kind == opMove && o.copied == "" {
		return []string{o.key, o.to}
	}
	return []string{o.key}
}

// baseAt is what the operation expects key to have when it runs.
func (o *op) baseAt(key string) Base {
	if o.kind == opMove && key != o.key {
		return o.toBase
	}
	return o.base
}

// rebase tells an operation what its key has now.
func (o *op) rebase(key string, b Base) {
	if o.kind == opMove && key != o.key {
		o.toBase = b
		return
	}
	o.base = b
}

// makes reports whether key exists once the operation has run.
func (o *op) makes(key string) bool {
	switch o.kind {
	case opPut:
		return !o.is(flagAbandoned)
	case opMove:
		return key != o.key
	case opDelete:
		return false
	default:
		return true
	}
}
