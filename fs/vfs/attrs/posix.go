package attrs

import (
	"errors"
	"fmt"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
)

// File types in Posix.Mode, from sys/stat.h.
const (
	TypeMask    uint32 = 0o170000
	TypeRegular uint32 = 0o100000
	TypeDir     uint32 = 0o040000
	TypeSymlink uint32 = 0o120000
)

// permMask are the bits of a mode besides the type.
const permMask uint32 = 0o7777

// ErrMetadataTooLarge says that the headers would exceed [MaxMetadata].
var ErrMetadataTooLarge = errors.New("object metadata would exceed 2 KiB")

// MaxMetadata is the largest sum, in bytes, of the names (without x-amz-meta-) and values
// of an object's metadata. Source: S3 user guide, "User-defined object metadata".
const MaxMetadata = 2048

// reservedMetadata is kept free for the generation id that the uploader adds
// to every object that it writes.
const reservedMetadata = 64

// generationHeader is that id's name.
const generationHeader = "s3levelfs-w"

// Field is a set of recorded attributes.
type Field uint8

// Fields of Posix that have no value of their own for "not recorded".
const (
	HasMode Field = 1 << iota
	HasUID
	HasGID
)

// Posix are the attributes that an object's headers record. What is not
// recorded is left to the caller: defaults for mode and owner, LastModified
// for the times.
type Posix struct {
	Has      Field  // which of Mode, UID and GID are recorded
	Mode     uint32 // permission bits and type; a type of 0 means that none was recorded
	UID, GID uint32

	Atime, Mtime, Ctime time.Time // zero = not recorded

	// Link is the target of a symbolic link (Mode's type is TypeSymlink then).
	Link string
	// LinkInBody says that the object is a symbolic link whose target is its body
	// (s3fs and AWS store it so); Link is empty.
	LinkInBody bool
}

// IsSymlink reports whether the object is a symbolic link.
func (p Posix) IsSymlink() bool { return p.Link != "" || p.LinkInBody }

// Decode reads the attributes out of o.Headers. Headers that make no sense are
// taken as absent. Without headers nothing is recorded.
func Decode(o store.Object) Posix {
	var p Posix
	if o.Headers == nil {
		return p
	}
	m := o.Headers.Metadata
	if v, ok := lookup(m, modeNames); ok {
		p.Has, p.Mode = p.Has|HasMode, v
	}
	if v, ok := lookup(m, uidNames); ok {
		p.Has, p.UID = p.Has|HasUID, v
	}
	if v, ok := lookup(m, gidNames); ok {
		p.Has, p.GID = p.Has|HasGID, v
	}
	p.Mtime, _ = lookup(m, mtimeNames)
	p.Atime, _ = lookup(m, atimeNames)
	p.Ctime, _ = lookup(m, ctimeNames)

	switch target := unescapeValue(m[linkHeader]); {
	case target != "" && o.Size == 0:
		p.Link = target
		p.Has |= HasMode
		p.Mode = p.Mode&permMask | TypeSymlink
		if p.Mode&permMask == 0 {
			p.Mode |= 0o777
		}
	case p.Mode&TypeMask == TypeSymlink && o.Size > 0:
		p.LinkInBody = true
	case p.Mode&TypeMask == TypeSymlink:
		p.Mode &= permMask // an empty object without a target is a file
	}
	return p
}

// Encode writes what p records into h and leaves all other headers alone. What
// p does not record stays as it is in h, except the target of a link: without
// Link it is removed. h is unchanged when ErrMetadataTooLarge is returned.
func (p Posix) Encode(h *store.Headers) error {
	next := h.Clone()
	if next.Metadata == nil {
		next.Metadata = map[string]string{}
	}
	m := next.Metadata
	if p.Link != "" {
		p.Has |= HasMode
		p.Mode = p.Mode&permMask | TypeSymlink
		m[linkHeader] = escapeValue(p.Link)
	} else {
		delete(m, linkHeader)
	}
	if p.Has&HasMode != 0 {
		if p.Mode&TypeMask == 0 {
			p.Mode |= TypeRegular
		}
		record(m, modeNames, p.Mode)
	}
	if p.Has&HasUID != 0 {
		record(m, uidNames, p.UID)
	}
	if p.Has&HasGID != 0 {
		record(m, gidNames, p.GID)
	}
	if !p.Mtime.IsZero() {
		record(m, mtimeNames, p.Mtime)
	}
	if !p.Atime.IsZero() {
		record(m, atimeNames, p.Atime)
	}
	if !p.Ctime.IsZero() {
		record(m, ctimeNames, p.Ctime)
	}
	if err := CheckSize(next); err != nil {
		return err
	}
	*h = next
	return nil
}

// CheckSize gives ErrMetadataTooLarge when the store would refuse h's metadata,
// the uploader's generation id included.
func CheckSize(h store.Headers) error {
	n := reservedMetadata
	for name, value := range h.Metadata {
		if name != generationHeader {
			n += len(name) + len(value)
		}
	}
	if n > MaxMetadata {
		return fmt.Errorf("%w (%d bytes)", ErrMetadataTooLarge, n)
	}
	return nil
}
