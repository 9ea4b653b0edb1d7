package s3store

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// checksums are what an answer says of the checksum of what it gives.
type checksums struct {
	kind                                   types.ChecksumType
	wrong                                  bool // they are not to be believed
	sha256, sha1, crc64nvme, crc32c, crc32 *string
}

// full gives the strongest checksum that covers the whole object, "" when there is none. One
// "of checksums" (multipart, COMPOSITE) verifies nothing that is read as a whole, and a wrong one nothing at all.
func (c checksums) full() string {
	if c.composite() {
		return ""
	}
	return c.best()
}

// part is that of the answer to a GET of a part. Of an object with a checksum of the whole it is not said of what a
// part's answer tells the checksum, unless the part is the whole.
func (c checksums) part(whole bool) string {
	if c.kind == types.ChecksumTypeFullObject && !whole {
		return ""
	}
	return c.best()
}

// composite: the object has checksums of its parts, and none of the whole.
func (c checksums) composite() bool {
	if c.kind == types.ChecksumTypeComposite {
		return !c.wrong
	}
	for _, v := range []*string{c.sha256, c.sha1, c.crc64nvme, c.crc32c, c.crc32} {
		if strings.Contains(aws.ToString(v), "-") { // "…-3" is a checksum of three checksums
			return !c.wrong
		}
	}
	return false
}

// best is the strongest checksum that covers bytes.
func (c checksums) best() string {
	if c.wrong {
		return ""
	}
	for _, sum := range []struct {
		name  string
		value *string
	}{
		{"SHA256", c.sha256},
		{"SHA1", c.sha1},
		{"CRC64NVME", c.crc64nvme},
		{"CRC32C", c.crc32c},
		{"CRC32", c.crc32},
	} {
		if v := aws.ToString(sum.value); v != "" && !strings.Contains(v, "-") {
			return sum.name + ":" + v
		}
	}
	return ""
}
