package frame

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

const (
	// HeaderSize is the number of bytes in front of a payload.
	HeaderSize = 9
	// MaxPayload is the longest payload, in bytes. A longer length is damage.
	MaxPayload = 256 << 20
)

// Errors of Parse.
var (
	ErrTorn    = errors.New("frame ends early")
	ErrCorrupt = errors.New("frame is damaged")
)

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) } // a cached table: no cost

func checksum(header, payload []byte) uint32 {
	t := castagnoli()
	crc := crc32.Update(0, t, header[0:4])
	crc = crc32.Update(crc, t, header[8:HeaderSize])
	return crc32.Update(crc, t, payload)
}

// Append appends a frame with payload to dst.
func Append(dst []byte, typ uint8, payload []byte) []byte {
	start := len(dst)
	return End(append(Begin(dst), payload...), start, typ)
}

// Begin reserves the room of a frame's header at the end of dst. The caller
// appends the payload and then calls End with the length that dst had before.
func Begin(dst []byte) []byte {
	var header [HeaderSize]byte
	return append(dst, header[:]...)
}

// End completes the frame that begins at dst[start] and reaches to the end of dst.
func End(dst []byte, start int, typ uint8) []byte {
	header, payload := dst[start:start+HeaderSize], dst[start+HeaderSize:]
	binary.LittleEndian.PutUint32(header[0:4], uint32(len(payload)))
	header[8] = typ
	binary.LittleEndian.PutUint32(header[4:8], checksum(header, payload))
	return dst
}

// Parse takes the first frame of b; n is its length. The payload is a part of
// b. Errors: ErrTorn when b is too short, ErrCorrupt when the checksum is wrong.
func Parse(b []byte) (typ uint8, payload []byte, n int, err error) {
	if len(b) < HeaderSize {
		return 0, nil, 0, ErrTorn
	}
	size := binary.LittleEndian.Uint32(b)
	if size > MaxPayload {
		return 0, nil, 0, ErrCorrupt
	}
	n = HeaderSize + int(size)
	if len(b) < n {
		return 0, nil, 0, ErrTorn
	}
	header, payload := b[:HeaderSize], b[HeaderSize:n]
	if binary.LittleEndian.Uint32(header[4:8]) != checksum(header, payload) {
		return 0, nil, n, ErrCorrupt
	}
	return header[8], payload, n, nil
}
