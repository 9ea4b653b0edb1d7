package spool

import (
	"fmt"

	"github.com/s3levelfs/s3levelfs/store"
)

// Kind tells where the bytes of an extent are. Numbers are part of the format.
type Kind uint8

// The kinds of extents.
const (
	KindZero    Kind = 0 // nowhere: a hole, reads as zeros
	KindBase    Kind = 1 // in the object that the generation builds on, at the same offset
	KindSegment Kind = 2 // in a shared segment file
	KindFile    Kind = 3 // in the data file of one generation
)

// String gives the kind's name, for logs.
func (k Kind) String() string {
	switch k {
	case KindZero:
		return "zero"
	case KindBase:
		return "base"
	case KindSegment:
		return "segment"
	case KindFile:
		return "file"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Extent is a run of bytes of a generation: file offsets [Off, Off+Len) are at
// [Pos, Pos+Len) of the storage file with the number Storage.
type Extent struct {
	Off, Len int64
	Kind     Kind
	Storage  uint64 // number of the segment or data file; 0 for Zero and Base
	Pos      int64  // position in Storage; 0 for Zero and Base
}

// Sum is the CRC-32 (IEEE) of the bytes [Off, Off+Len) of a generation as they were written. All of them are the generation's own or
// of one below it: neither the base's nor holes that nobody has written.
type Sum struct {
	Off, Len int64
	CRC      uint32
}

// Range is a byte range of a file.
type Range = store.Range

// stored reports whether the bytes are in a file of the spool.
func (k Kind) stored() bool { return k == KindSegment || k == KindFile }
