package transfer

import (
	"mime"
	"path"

	"github.com/gabriel-vasile/mimetype"
)

// sniffLen is how many bytes of a file mimetype reads at most.
const sniffLen = 3 << 10

// ContentType is that of an object by its key's extension, else by its first bytes: the mount's rule.
func ContentType(key string, head []byte) string {
	if t := mime.TypeByExtension(path.Ext(key)); t != "" {
		return t
	}
	if len(head) == 0 {
		return "application/octet-stream"
	}
	return mimetype.Detect(head[:min(len(head), sniffLen)]).String()
}
