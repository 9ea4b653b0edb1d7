//go:build !nolocal

package local

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/versity/versitygw/backend/meta"
)

// Names of attributes are versitygw's.
const (
	aclAttr       = "acl"
	ownershipAttr = "ownership"
	policyAttr    = "policy"
	etagAttr      = "etag"
)

// attributes answers two things besides what is stored with the files.
//
// The policy that the server was started with stays in memory: it may be longer
// than a filesystem allows an attribute to be (4 KiB on ext4), and names accounts
// that are gone with the process.
//
// A file that was put into the bucket's directory by hand has no ETag, and without
// one an object can be neither pinned nor overwritten with a condition. It is given
// one at each look, made of inode, size and mtime: nothing is read or written, and
// a file changed by hand has another at once. (One that was written through the
// server and is then changed by hand in place keeps its own.)
type attributes struct {
	meta.MetadataStorer
	bucket string
	policy []byte // nil: what is stored

	mu         sync.Mutex
	recordings map[objectName][]*recording
}

// RetrieveAttribute implements [meta.MetadataStorer].
func (a *attributes) RetrieveAttribute(f *os.File, bucket, object, attribute string) ([]byte, error) {
	if attribute == policyAttr && bucket == a.bucket && object == "" && a.policy != nil {
		return a.policy, nil
	}
	value, err := a.MetadataStorer.RetrieveAttribute(f, bucket, object, attribute)
	if attribute != etagAttr || len(value) > 0 || (err != nil && !errors.Is(err, meta.ErrNoSuchKey)) {
		return value, err
	}
	fi, statErr := stat(f, bucket, object)
	if statErr != nil || !fi.Mode().IsRegular() {
		return value, err // a directory without an ETag is none of the bucket's objects
	}
	return statETag(fi), nil
}

func stat(f *os.File, bucket, object string) (fs.FileInfo, error) {
	if f != nil {
		return f.Stat()
	}
	return os.Stat(filepath.Join(bucket, object))
}

// statETag is opaque, and by its ending no MD5 of the content.
func statETag(fi fs.FileInfo) []byte {
	var ino uint64
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		ino = st.Ino
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %d %d", ino, fi.Size(), fi.ModTime().UnixNano()))
	return fmt.Appendf(nil, `"%x-0"`, sum[:16])
}
