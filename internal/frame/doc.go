// Package frame is the framing of append-only files: each frame has a length, a checksum and a type, so that a tail
// torn by a crash, and a flipped bit, are found.
//
// A frame is, in little endian,
//
//	len u32 | crc u32 | type u8 | payload [len]byte
//
// where crc is the CRC-32C (Castagnoli) of len, type and payload. A file begins with 16 bytes:
//
//	magic [8]byte | version u32 | crc u32
//
// where crc is the CRC-32C of magic and version. What the payloads mean, and which
// frames can be trusted after a power loss, is the caller's business.
package frame
