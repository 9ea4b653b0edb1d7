package uploader

import (
	"time"

	"github.com/s3levelfs/s3levelfs/store"
)

// BaseState says what is known of a key in the store.
type BaseState uint8

// The states of a Base: R(K) of docs/UPLOADER.md.
const (
	Unknown BaseState = iota // ?: a HEAD decides before the first write where allowed
	Absent                   // ∅
	Present                  // e
	Pending                  // as the overlay showed it: known where it is still pending, else ErrSettled. Never logged
)

// Base is what the caller last heard of a stored object: the version that an
// operation builds on and is conditional on.
type Base struct {
	State   BaseState
	ETag    string // "" where the store gives none: then nothing can pin it
	Size    int64  // bytes
	ModTime time.Time
	Headers *store.Headers // nil = not known

	guessed bool // ModTime is this machine's clock: the store told none
}

// Kind is what a name of the overlay stands for.
type Kind uint8

// The kinds of overlay entries.
const (
	KindFile      Kind = iota + 1 // pending or open file
	KindDir                       // pending directory marker, or implied by entries below
	KindTombstone                 // removed or moved away, not yet in the store
	KindAttr                      // stored file with pending headers; size and bytes are the store's
)

// State is where the topmost pending thing of a key stands; the words are
// those of docs/UPLOADER.md.
type State uint8

// The states.
const (
	StateClean    State = iota // nothing pending
	StateOpen                  // unsealed
	StateQueued                // sealed or logged, not started
	StateSending               // request out
	StateUnsure                // a request has no answer
	StateFailed                // waits for its next try
	StateBaseLost              // delta without base: ESTALE
	StateGone                  // unlinked, still open
	StateMoving                // bytes are still at Source
)

// String gives the lower-case word of the state, as status and xattr show it.
func (s State) String() string {
	names := [...]string{"clean", "open", "queued", "sending", "unsure", "failed", "base-lost", "gone", "moving"}
	if int(s) < len(names) {
		return names[s]
	}
	return "invalid"
}

// Version names one version of one stored object.
type Version struct {
	Key  string
	ETag string
}

// Info is one entry of the overlay.
type Info struct {
	Key     string // directories without the trailing slash
	Kind    Kind
	State   State
	Size    int64 // bytes, KindFile only
	ModTime time.Time
	Headers store.Headers
	Marker  bool    // KindDir: its marker or the marker's headers are pending, not just entries below
	Gen     string  // id of the topmost generation, KindFile only
	Source  Version // StateMoving: where the bytes are until the copy is done
	Base    Base    // what the store has at Key, as far as known
	Writers int     // open write handles
	Err     error   // last failure of it, nil if none

	// What has been removed or moved away, which the store does not know yet: the object of the name, and the
	// directory's marker. Of one name it may be both, or one of them in the place of the other.
	FileGone, DirGone bool
}

// EventKind tells Events apart.
type EventKind uint8

// The kinds of events.
const (
	Committed   EventKind = iota + 1 // Key is in the store as ETag
	Removed                          // Key is gone from the store
	Reappeared                       // a removal was refused or found a foreign version: Key is there
	Conflict                         // ours was kept as To; Key is somebody else's
	Failed                           // Err; it stays in the spool and is retried
	BaseLost                         // a delta's base is gone; kept in the spool
	LevelDenied                      // Key is the level's prefix
	LevelProved                      // Key is the level's prefix
	ForeignGone                      // the base had been deleted; ours was kept
	Kept                             // what a crash left of an open file is in quarantine; Key may be there as it was closed last
)

// String gives the kind as a lower-case word.
func (k EventKind) String() string {
	names := [...]string{
		"", "committed", "removed", "reappeared", "conflict", "failed",
		"base-lost", "level-denied", "level-proved", "foreign-gone", "quarantined",
	}
	if int(k) < len(names) {
		return names[k]
	}
	return "invalid"
}

// Event is one change that vfs, status or the user should hear of.
type Event struct {
	Kind         EventKind
	Key          string
	To           string // Conflict: where ours is, or with Theirs, where theirs is
	Theirs       bool   // Conflict: ours is about to replace theirs at Key, which was copied to To
	From         string // Committed: a copy, of this key
	ETag         string // Committed
	Size         int64  // Committed
	Headers      store.Headers
	LastModified time.Time // Committed: the store's, zero if it did not say
	Gen          string    // Committed: the generation, "" for moves, markers and attributes
	Op           uint64    // Committed: number of the operation; see [Uploader.LastOp]
	What         string    // Failed: what was to be done, as Item.What says it
	Err          error     // Failed, BaseLost, LevelDenied, Reappeared
}

// OpenOptions are those of [Uploader.Open].
type OpenOptions struct {
	Base      Base
	Truncate  bool          // begin empty (O_TRUNC): the generation is whole
	Exclusive bool          // ErrExist if the key is pending or Base is Present (O_EXCL)
	Headers   store.Headers // of a file that is new or whose base has none known
}

// RemoveOptions are those of [Uploader.Remove].
type RemoveOptions struct {
	Wait bool  // return the store's answer (the first unlink in a level)
	Hold *Hold // not sent before it is released; nil = none
}

// DirEntry is one stored entry below a directory that is renamed: from a flat
// listing, so markers ("d/") are entries too.
type DirEntry struct {
	Key  string
	ETag string
	Size int64
}

// Extent is a range of a file that holds data (or may do so).
type Extent struct {
	Off, Len int64 // bytes
}

// Left is what Wait left unsent.
type Left struct {
	Ops    int   // generations, removals, moves
	Bytes  int64 // of the generations
	Failed int   // of Ops: those that have failed at least once for good
}

// Item is one pending thing as status shows it.
type Item struct {
	Key      string
	To       string // moves only
	What     string // "put", "delete", "move", "mkdir", "rmdir", "attributes"
	State    State
	Gen      string
	Size     int64
	Since    time.Time // when it was sealed or logged
	Attempts int       // rounds that failed
	NextTry  time.Time // zero = as soon as it is its turn
	Err      string    // last failure
}

// Quarantined is content that was open and not fsynced when the daemon died, a delta whose base is lost, or what a damaged spool has left:
// kept, never uploaded by itself.
type Quarantined struct {
	Gen      string
	Key      string // as far as known
	Size     int64
	BaseLost bool
	Since    time.Time
	Why      string // in words, where it is neither that it was open nor its base; "" else
}

// LevelStatus is what is known of the right to write below a prefix.
type LevelStatus struct {
	Prefix       string
	State        string // "unproved", "proved", "denied"
	NoConditions bool   // the server ignores conditions: HEAD before instead
	Err          string
}

// Counts are the figures of a Status; they are maintained, not counted.
type Counts struct {
	Open, Queued, Sending, Failed int
	Bytes                         int64 // of sealed generations not yet in the store
	Quarantined, BaseLost         int
	Conflicts                     int // since New
}

// Status is a snapshot.
type Status struct {
	Counts
	Oldest      time.Time // of what is pending, zero = nothing
	Paused      error     // why the whole queue waits (expired credentials), in words for people; nil = it does not
	PausedUntil time.Time // then one request asks again; in the past: it is under way
	LastError   string
	Requests    Window // of the store requests
	Levels      []LevelStatus
	Items       []Item // at most 1,000, failed ones first
	Quarantined []Quarantined
}
