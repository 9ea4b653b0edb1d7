package uploader

import (
	"crypto/md5" //nolint:gosec // S3 defines it as the ETag of an object that was stored whole
	"encoding/hex"
	"fmt"
	"io"
	"strings"

	"github.com/s3levelfs/s3levelfs/store"
)

// isOurs tells whether a version is what the operation's request has made. Where the store refuses the HEAD that would
// tell, a listing shows a version without who wrote it: the same bytes are ours then, another length is
// not. What may be ours and can not be told is an error as long as a HEAD may be allowed again: it is asked later.
func (u *Uploader) isOurs(o *op, now Base) (bool, error) {
	if now.State != Present || now.Headers != nil {
		return o.gen.wrote(now), nil
	}
	u.mu.Lock()
	base, content := o.base, o.gen.content
	u.mu.Unlock()
	if base.same(now) || content == nil || content.Size() != now.Size {
		return false, nil
	}
	sum := md5.New() //nolint:gosec // as above
	if _, err := io.Copy(sum, content.Section(noBase)); err != nil {
		return false, fmt.Errorf("compare %q with what is stored: %w", o.key, err)
	}
	if strings.Trim(now.ETag, `"`) == hex.EncodeToString(sum.Sum(nil)) {
		return true, nil
	}
	if l := u.levelOf(o.key); l == nil || l.CanGet {
		return false, fmt.Errorf("who wrote it: %w", &store.Error{Op: "head", Key: o.key, Kind: store.ErrPermission})
	}
	return false, nil
}

// wrote: the version is of the generation.
func (g *generation) wrote(b Base) bool {
	w := b.wrote()
	return w != "" && (w == g.id || w == g.alias)
}
