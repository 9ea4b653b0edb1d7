package cache

import (
	"bytes"
	"crypto/md5"  //nolint:gosec // the store's checksum, not a secret
	"crypto/sha1" //nolint:gosec // the store's checksum, not a secret
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"strings"

	"github.com/s3levelfs/s3levelfs/store"
)

// crc64NVME is the reflected polynomial of CRC64NVME. Source: NVM Express
// specification, "64b CRC"; S3 user guide, "Checking object integrity".
const crc64NVME = 0x9a6c9329ac4bc9b5

// checker compares the bytes of a whole object with the store's checksum.
type checker struct {
	sum  hash.Hash
	want []byte
}

// newChecker finds what the bytes of o can be checked by: its full-object
// checksum, else an ETag that is the MD5 of the bytes; nil when there is nothing. An
// ETag is an MD5 only when it was made by a single PUT (no "-" in it) without
// SSE-KMS or SSE-C: that the answer's headers say so is required.
// Source: S3 API reference, "Object", ETag.
func newChecker(o store.Object) *checker {
	if algorithm, coded, ok := strings.Cut(o.Checksum, ":"); ok {
		want, err := base64.StdEncoding.DecodeString(coded)
		if sum := newHash(algorithm); err == nil && sum != nil && len(want) == sum.Size() {
			return &checker{sum: sum, want: want}
		}
	}
	etag := strings.Trim(o.ETag, `"`)
	if o.Headers == nil || o.Headers.SSE != "" && o.Headers.SSE != "AES256" || o.Headers.SSEKMSKeyID != "" ||
		o.Parts > 0 || len(etag) != 2*md5.Size || etag != strings.ToLower(etag) {
		return nil
	}
	want, err := hex.DecodeString(etag)
	if err != nil {
		return nil
	}
	return &checker{sum: md5.New(), want: want} //nolint:gosec // as above
}

func newHash(algorithm string) hash.Hash {
	switch algorithm {
	case "CRC32":
		return crc32.NewIEEE()
	case "CRC32C":
		return crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case "CRC64NVME":
		return crc64.New(crc64.MakeTable(crc64NVME))
	case "SHA1":
		return sha1.New() //nolint:gosec // as above
	case "SHA256":
		return sha256.New()
	}
	return nil
}

func (c *checker) write(p []byte) {
	c.sum.Write(p)
}

// done gives ErrCorrupt when the bytes written are not the right ones.
func (c *checker) done() error {
	if !bytes.Equal(c.sum.Sum(nil), c.want) {
		return ErrCorrupt
	}
	return nil
}
