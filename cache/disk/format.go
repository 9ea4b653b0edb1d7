package disk

import (
	"crypto/sha256"
	"encoding/binary"
	"hash/crc32"
	"strconv"
	"strings"
)

// Sizes of what is kept, in bytes. A unit is a block, or a page of one; only the last of an object is shorter.
const (
	BlockSize = 128 << 10
	PageSize  = 4 << 10
)

// formatVersion is the version of all files; a directory of another one is emptied.
const formatVersion = 1

const (
	fileMagic   = "s3lv-blk"
	fileHeader  = 8 + 4 + 4 + 4 // magic, version, sequence number, crc
	recordMagic = 0x31626c33    // "3lb1"
	recordFixed = 4 + 16 + 8 + 4
	alignment   = 4096 // of whole blocks, in memory, in the file and in length: what O_DIRECT may ask for
	footerMagic = "s3lv-idx"
	footerEntry = 8 + 4 + 4
	footerTail  = 8 + 4 + 4 + 4 // magic, number of entries, end of the records, crc
	pageBit     = 1 << 63       // of the index in a record's header
)

var le = binary.LittleEndian

func crcOf(parts ...[]byte) uint32 {
	crc := uint32(0)
	for _, p := range parts {
		crc = crc32.Update(crc, crc32.MakeTable(crc32.Castagnoli), p) // a cached table: no cost
	}
	return crc
}

// Version names a version of an object in one store; it tells nothing of it.
type Version [16]byte

// Version gives the name of a version of size bytes.
func (d *Store) Version(key, etag string, size int64) Version {
	sum := sha256.Sum256([]byte(strings.Join([]string{d.cfg.Owner, key, etag, strconv.FormatInt(size, 10)}, "\x00")))
	return Version(sum[:16])
}

// unitID is a unit's name in the index. Two units may have the same one: the record's header tells.
func unitID(v Version, index int64, page bool) uint64 {
	x := uint64(index) << 1
	if page {
		x |= 1
	}
	// The finalizer of splitmix64. Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014.
	x += le.Uint64(v[:8])
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31 ^ le.Uint64(v[8:])
}

// pages is the number of pages of so many bytes, the last one short or not.
func pages(length int) int { return (length + PageSize - 1) / PageSize }

// headLen is the bytes of the header of a unit of length bytes.
func headLen(length int) int { return recordFixed + 4*pages(length) + 4 }

// padding is the bytes between header and data: those of a whole block are aligned.
func padding(length int) int {
	if length == BlockSize {
		return alignment - headLen(BlockSize)
	}
	return 0
}

// recordLen is the bytes of a record of a unit of length bytes.
func recordLen(length int) int64 { return int64(headLen(length) + padding(length) + length) }

// placeFor is where a record can begin, at off or behind it.
func placeFor(off int64, length int) int64 {
	if length == BlockSize {
		return (off + alignment - 1) / alignment * alignment
	}
	return off
}

// appendHead appends the header of data's record: magic, version, index, length, the checksum of each page, and its own.
func appendHead(dst []byte, v Version, index int64, page bool, data []byte) []byte {
	start, x := len(dst), uint64(index)
	if page {
		x |= pageBit
	}
	dst = le.AppendUint32(dst, recordMagic)
	dst = append(dst, v[:]...)
	dst = le.AppendUint64(dst, x)
	dst = le.AppendUint32(dst, uint32(len(data)))
	for off := 0; off < len(data); off += PageSize {
		dst = le.AppendUint32(dst, crcOf(data[off:min(off+PageSize, len(data))]))
	}
	return le.AppendUint32(dst, crcOf(dst[start:]))
}

// head is what a record's header says.
type head struct {
	version Version
	index   int64
	page    bool
	length  int
}

// parseHead takes a header that b begins with; false when it is none, or not whole.
func parseHead(b []byte) (h head, ok bool) {
	if len(b) < recordFixed || le.Uint32(b) != recordMagic {
		return h, false
	}
	x := le.Uint64(b[20:])
	h = head{version: Version(b[4:20]), index: int64(x &^ pageBit), page: x&pageBit != 0, length: int(le.Uint32(b[28:]))}
	if h.length <= 0 || h.length > BlockSize || len(b) < headLen(h.length) {
		return h, false
	}
	n := headLen(h.length) - 4
	return h, crcOf(b[:n]) == le.Uint32(b[n:])
}

// dataIsGood compares data, a run of whole pages of a record from the page first on, with its header.
func dataIsGood(header, data []byte, first int) bool {
	for i := 0; i*PageSize < len(data); i++ {
		if crcOf(data[i*PageSize:min((i+1)*PageSize, len(data))]) != le.Uint32(header[recordFixed+4*(first+i):]) {
			return false
		}
	}
	return true
}

// appendFileHeader appends the header of the segment seq.
func appendFileHeader(dst []byte, seq uint32) []byte {
	start := len(dst)
	dst = append(dst, fileMagic...)
	dst = le.AppendUint32(dst, formatVersion)
	dst = le.AppendUint32(dst, seq)
	return le.AppendUint32(dst, crcOf(dst[start:]))
}

// rec is a record of a segment, in memory.
type rec struct {
	id     uint64
	off    uint32 // of the header, in the file
	length uint32 // of the data
	used   uint32 // the newest segment when it was used last
}

func (r rec) end() int64 { return int64(r.off) + recordLen(int(r.length)) }

// footerLen is the bytes of the index of so many records.
func footerLen(n int) int64 { return int64(n)*footerEntry + footerTail }

// appendFooter appends the index of a segment whose records end at end.
func appendFooter(dst []byte, recs []rec, end int64) []byte {
	start := len(dst)
	for _, r := range recs {
		dst = le.AppendUint64(dst, r.id)
		dst = le.AppendUint32(dst, r.off)
		dst = le.AppendUint32(dst, r.length)
	}
	dst = append(dst, footerMagic...)
	dst = le.AppendUint32(dst, uint32(len(recs)))
	dst = le.AppendUint32(dst, uint32(end))
	return le.AppendUint32(dst, crcOf(dst[start:]))
}

// parseTail takes the last bytes of a segment: how many entries there are before them, and where the records end.
func parseTail(b []byte) (n int, end int64, ok bool) {
	if len(b) != footerTail || string(b[:8]) != footerMagic {
		return 0, 0, false
	}
	return int(le.Uint32(b[8:])), int64(le.Uint32(b[12:])), true
}

// parseFooter takes a whole index; false when it is damaged.
func parseFooter(b []byte, seq uint32) (recs []rec, ok bool) {
	body := b[:len(b)-4]
	if crcOf(body) != le.Uint32(b[len(body):]) {
		return nil, false
	}
	recs = make([]rec, 0, len(b)/footerEntry)
	for e := b[:len(b)-footerTail]; len(e) > 0; e = e[footerEntry:] {
		r := rec{id: le.Uint64(e), off: le.Uint32(e[8:]), length: le.Uint32(e[12:]), used: seq}
		if r.length == 0 || r.length > BlockSize {
			return nil, false
		}
		recs = append(recs, r)
	}
	return recs, true
}
