package transfer

import (
	"crypto/md5" //nolint:gosec // S3's ETag is made of MD5s, nothing is protected by it
	"encoding/hex"
	"fmt"
	"hash"
	"strconv"
	"strings"

	"github.com/s3levelfs/s3levelfs/cache"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// sums are what an object's bytes are compared by: each checksum of the whole must be right, or, where there is none, the ETag of its parts for
// one of the ways in which they may have been cut. It is an io.Writer of the bytes in order.
type sums struct {
	whole []*cache.Checker
	parts []*partsETag
}

// sumsOf gives nil where the store says nothing that bytes can be compared with.
func (c *Client) sumsOf(o store.Object) *sums {
	s := &sums{}
	md5Alone := o
	md5Alone.Checksum = ""
	for _, check := range []*cache.Checker{cache.NewChecker(o), cache.NewChecker(md5Alone)} {
		if check != nil {
			s.whole = append(s.whole, check)
		}
	}
	if s.whole == nil {
		s.parts = c.partsOf(o)
	}
	if s.whole == nil && s.parts == nil {
		return nil
	}
	return s
}

// partsOf are the ways in which an object with such an ETag may have been cut: into the parts of our own puts, or into equal ones of the sizes of
// Amplify (5 MiB) and of the AWS command line (8 MiB), doubled where those would be more than the ETag counts.
func (c *Client) partsOf(o store.Object) []*partsETag {
	_, counted, ok := strings.Cut(strings.Trim(o.ETag, `"`), "-")
	count, err := strconv.Atoi(counted)
	if !ok || err != nil || count < 1 {
		return nil
	}
	var all []*partsETag
	if plan := uploader.NewPlan(c.limits, c.cfg.PartSize, o.Size); plan.Count(o.Size) == count {
		all = append(all, &partsETag{want: o.ETag, size: func(i int) int64 { return plan.Within(i, o.Size).Len }})
	}
	for _, size := range []int64{5 << 20, 8 << 20} {
		for (o.Size+size-1)/size > int64(count) {
			size *= 2
		}
		if (o.Size+size-1)/size == int64(count) {
			all = append(all, &partsETag{want: o.ETag, size: func(int) int64 { return size }})
		}
	}
	return all
}

// Write adds bytes. It never fails.
func (s *sums) Write(p []byte) (int, error) {
	for _, w := range s.whole {
		_, _ = w.Write(p) // never fails
	}
	for _, w := range s.parts {
		w.write(p)
	}
	return len(p), nil
}

// same tells whether the bytes are the object's.
func (s *sums) same() bool {
	for _, w := range s.whole {
		if w.Verify() != nil {
			return false
		}
	}
	for _, w := range s.parts {
		if w.same() {
			return true
		}
	}
	return s.whole != nil
}

// partsETag computes the ETag of an object of parts: the MD5 of their MD5s, a hyphen and their number. Source: S3 user guide, "Checking object
// integrity", "Using part-level checksums for multipart uploads".
type partsETag struct {
	want string
	size func(i int) int64 // of part i, counted from 0, in bytes; the last may have less

	done []byte // the MD5s of the parts that are complete
	now  hash.Hash
	left int64 // bytes of the part that now is of
}

func (e *partsETag) write(p []byte) {
	for len(p) > 0 {
		if e.now == nil {
			e.now, e.left = md5.New(), max(e.size(len(e.done)/md5.Size), 1) //nolint:gosec // as above
		}
		n := min(int64(len(p)), e.left)
		e.now.Write(p[:n])
		p, e.left = p[n:], e.left-n
		if e.left == 0 {
			e.end()
		}
	}
}

func (e *partsETag) end() {
	if e.now != nil {
		e.done, e.now = e.now.Sum(e.done), nil
	}
}

func (e *partsETag) same() bool {
	e.end()
	all := md5.Sum(e.done) //nolint:gosec // as above
	return strings.Trim(e.want, `"`) == fmt.Sprintf("%s-%d", hex.EncodeToString(all[:]), len(e.done)/md5.Size)
}
