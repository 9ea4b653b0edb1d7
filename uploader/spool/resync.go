package spool

import (
	"encoding/binary"

	"github.com/s3levelfs/s3levelfs/internal/frame"
)

// What stands behind a damaged frame of the log is not trusted: nobody knows what the damaged one said. But it tells the names of what has
// bytes in the spool, and which of that has ended. So it is read, to know what has to be kept.

// unproved is what intact frames tell that must not be trusted.
type unproved struct {
	records []Record        // in order
	ended   map[string]bool // generations whose storage may be gone
	lastSeq uint64
	lastID  uint64 // of storage
}

// maxSearched bounds the frames, in bytes, that are looked for at any offset: the checksum of each candidate has to be computed. Where
// the length of a damaged frame is right the next one is found whatever its length.
const maxSearched = 1 << 20

// maxSummed bounds the bytes whose checksum is computed while one frame is looked for at any offset: of garbage that looks like frames
// there is no end. Behind that only short ones are found.
const (
	maxSummed = 512 << 20
	maxShort  = 4 << 10
)

// take adds records of one batch; torn: its end is not there, so it may never have happened.
func (p *unproved) take(batch []Record, torn bool) {
	for _, r := range batch {
		p.records = append(p.records, r)
		p.lastSeq = max(p.lastSeq, r.Seq)
		for _, x := range r.Extents {
			p.lastID = max(p.lastID, x.Storage)
		}
		if r.Type.ends() && r.Gen != "" && !torn {
			p.ended[r.Gen] = true
		}
	}
}

// resync reads the intact frames of b, which begins behind a whole batch of a log, that are newer than the record number after.
func resync(b []byte, after uint64) *unproved {
	p := &unproved{ended: map[string]bool{}, lastSeq: after}
	var batch []Record
	for len(b) > 0 {
		r, more, n := parseBehind(b, after, frame.MaxPayload)
		if n == 0 {
			p.take(batch, true)
			batch = batch[:0]
			b = b[nextIntact(b, after):]
			continue
		}
		if after = r.Seq; r.Type == TypeBoot { // in front of older ones in a checkpoint
			after = 0
		}
		p.lastSeq = max(p.lastSeq, r.Seq)
		if r.Type != TypeBoot && r.Type != TypeSync {
			batch = append(batch, r)
		}
		if !more {
			p.take(batch, false)
			batch = batch[:0]
		}
		b = b[n:]
	}
	p.take(batch, true)
	return p
}

// nextIntact is where the next frame of b begins that is whole and new; len(b): there is none.
func nextIntact(b []byte, after uint64) int {
	if len(b) >= frame.HeaderSize {
		if skip := frame.HeaderSize + int64(binary.LittleEndian.Uint32(b)); skip < int64(len(b)) {
			if _, _, n := parseBehind(b[skip:], after, frame.MaxPayload); n > 0 {
				return int(skip)
			}
		}
	}
	for i, longest, summed := 1, int64(maxSearched), int64(0); i+frame.HeaderSize < len(b); i++ {
		size := likely(b[i:], after, longest)
		if size == 0 {
			continue
		}
		if _, _, n := parseBehind(b[i:], after, longest); n > 0 {
			return i
		}
		if summed += size; summed > maxSummed {
			longest = maxShort
		}
	}
	return len(b)
}

// likely tells, at no cost, whether b may begin with such a frame, and the length of its payload; 0 = it does not.
func likely(b []byte, after uint64, longest int64) int64 {
	if len(b) <= frame.HeaderSize || !Type(b[frame.HeaderSize-1]).known() {
		return 0
	}
	size := int64(binary.LittleEndian.Uint32(b))
	if size > longest || size > int64(len(b)-frame.HeaderSize) {
		return 0
	}
	if seq, k := binary.Uvarint(b[frame.HeaderSize:]); k <= 0 || seq <= after {
		return 0
	}
	return size
}

// parseBehind takes the frame at the beginning of b, if it is intact and its record is of a known type and newer than after; n is its
// length, 0 = it is not.
func parseBehind(b []byte, after uint64, longest int64) (r Record, more bool, n int) {
	if likely(b, after, longest) == 0 {
		return r, false, 0
	}
	typ, payload, size, err := frame.Parse(b)
	if err != nil {
		return r, false, 0
	}
	if r, more, err = decodeRecord(typ, payload); err != nil {
		return Record{}, false, 0
	}
	return r, more, size
}
