package spool

import (
	"fmt"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
)

// Type is the kind of a record. Numbers are part of the format: they are never
// reused. Package spool itself interprets only these: Create and Synced name a
// generation (unsealed as long as no Seal follows); Seal, Pin and Quarantine list the
// extents of an immutable one, the last of them counts; Commit and Drop with a Gen end it.
type Type uint8

// The types of records; which fields each uses is the uploader's to say, but
// for the fields named here.
const (
	TypeCreate     Type = 1  // Gen was opened under Key; Size and Extents are what it starts with (none: Size bytes of base)
	TypeSeal       Type = 2  // Gen is immutable: Size, Extents
	TypeSynced     Type = 3  // fsync of the unsealed Gen: Size, Extents
	TypeAmend      Type = 4  // headers of Gen
	TypeRename     Type = 5  // Key is To from now on
	TypeRenameDir  Type = 6  // everything below Key is below To
	TypeUnlink     Type = 7  // Key is gone
	TypeMkdir      Type = 8  // directory marker
	TypeRmdir      Type = 9  // directory marker is gone
	TypeSetAttr    Type = 10 // headers of a stored object
	TypeMove       Type = 11 // intent to copy Key to To and to delete Key
	TypeCopied     Type = 12 // the copy of a Move has been confirmed
	TypeStart      Type = 13 // a commit request is about to be sent
	TypeUpload     Type = 14 // a multipart upload was created: UploadID
	TypePart       Type = 15 // a part was stored: Part
	TypeCommit     Type = 16 // Gen is in the bucket as ETag
	TypeDone       Type = 17 // the operation Op is finished
	TypeDrop       Type = 18 // Gen is not wanted any more
	TypeConflict   Type = 19 // Gen lost against a foreign version, see To
	TypeFail       Type = 20 // Op failed: Text
	TypeQuarantine Type = 21 // Gen was unsealed at a crash: Size, Extents
	TypeLevel      Type = 22 // state of a level: Key is its prefix
	TypePin        Type = 23 // base bytes of the sealed Gen were fetched: Size, Extents
	TypeBaseLost   Type = 24 // the base of the delta Gen is gone

	// TypeSync and TypeBoot are written by this package alone and never
	// appear in Recovery.Records: a group sync, and a start in another boot.
	TypeSync Type = 240
	TypeBoot Type = 241
)

// String gives the record's name, for logs.
func (t Type) String() string {
	if n, ok := typeNames()[t]; ok {
		return n
	}
	return fmt.Sprintf("Type(%d)", uint8(t))
}

func typeNames() map[Type]string {
	return map[Type]string{
		TypeCreate: "CREATE", TypeSeal: "SEAL", TypeSynced: "SYNCED", TypeAmend: "AMEND",
		TypeRename: "RENAME", TypeRenameDir: "RENAMEDIR", TypeUnlink: "UNLINK", TypeMkdir: "MKDIR",
		TypeRmdir: "RMDIR", TypeSetAttr: "SETATTR", TypeMove: "MOVE", TypeCopied: "COPIED", TypeStart: "START",
		TypeUpload: "UPLOAD", TypePart: "PART", TypeCommit: "COMMIT", TypeDone: "DONE", TypeDrop: "DROP",
		TypeConflict: "CONFLICT", TypeFail: "FAIL", TypeQuarantine: "QUARANTINE", TypeLevel: "LEVEL",
		TypePin: "PIN", TypeBaseLost: "BASELOST", TypeSync: "SYNC", TypeBoot: "BOOT",
	}
}

// known reports whether this program writes such records.
func (t Type) known() bool {
	return t >= TypeCreate && t <= TypeBaseLost || t == TypeSync || t == TypeBoot
}

// seals reports whether a record of this type lists the bytes of an immutable generation.
func (t Type) seals() bool { return t == TypeSeal || t == TypePin || t == TypeQuarantine }

// lists reports whether a record of this type lists the bytes of a generation.
func (t Type) lists() bool { return t.seals() || t == TypeCreate || t == TypeSynced }

// ends reports whether the storage of the record's generation may be gone after it.
func (t Type) ends() bool { return t == TypeCommit || t == TypeDrop }

// BaseState tells what was known of an object.
type BaseState uint8

// The states of a Base. Numbers are part of the format.
const (
	Unknown BaseState = 0
	Absent  BaseState = 1
	Present BaseState = 2
)

// Base is a version of an object that an operation starts from.
type Base struct {
	State   BaseState
	ETag    string
	Size    int64     // bytes
	ModTime time.Time // the store's Last-Modified
}

// Record is one entry of the namespace log. Fields with their zero value take
// no room. Times come back in UTC with nanoseconds.
type Record struct {
	Seq      uint64 // given by [Spool.Append]; ascending, never used twice
	Type     Type
	Op       uint64 // Seq of the record that this one belongs to, 0 = none
	Gen      string // generation: 1..200 bytes, unique for ever
	Key, To  string
	Base     Base // of Key
	ToBase   Base // of To
	ETag     string
	Size     int64 // bytes
	Extents  []Extent
	Headers  *store.Headers // nil and empty are two things
	Time     time.Time
	UploadID string
	Part     store.Part
	Flags    uint64
	Text     string
	Keys     []string
	Since    time.Time // when what the record tells of was asked for
	Sums     []Sum     // of the bytes of the immutable Gen, as far as they are known, by offset

	// Unknown holds the fields of a newer program, as they were encoded: a
	// record that is written again keeps them.
	Unknown []byte
}
