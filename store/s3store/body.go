package s3store

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/s3levelfs/s3levelfs/store"
)

// body delivers exactly the bytes that the answer promised, or an error.
// Read and Close are one goroutine's, as with every io.Reader.
type body struct {
	call  *call
	from  io.ReadCloser
	left  int64 // bytes still to come
	got   int64
	err   error // the first failure, told again
	close sync.Once
}

// newBody checks that the answer is the range that was asked for. A server that
// ignores Range sends the whole object: its surplus is read and dropped. It returns the size of the object, too, and of a part that was
// asked for where it lies.
func newBody(call *call, out *s3.GetObjectOutput, r store.Range) (*body, int64, store.Range, error) {
	if r.Part > 0 {
		return partBody(call, out, r.Part)
	}
	b, size, err := rangeBody(call, out, r)
	return b, size, store.Range{}, err
}

// partBody takes what the answer gives for the part.
func partBody(call *call, out *s3.GetObjectOutput, number int32) (*body, int64, store.Range, error) {
	if out.ContentRange == nil { // the only part, or a server that knows no parts
		if out.ContentLength == nil || *out.ContentLength < 0 {
			return nil, 0, store.Range{}, errNoLength
		}
		size := *out.ContentLength
		return &body{call: call, from: out.Body, left: size}, size, store.Range{Len: size, Part: number}, nil
	}
	off, n, size, err := extent(*out.ContentRange)
	if err != nil {
		return nil, 0, store.Range{}, err
	}
	return &body{call: call, from: out.Body, left: n}, size, store.Range{Off: off, Len: n, Part: number}, nil
}

var errNoLength = errors.New("an answer without its length")

func rangeBody(call *call, out *s3.GetObjectOutput, r store.Range) (*body, int64, error) {
	length := aws.ToInt64(out.ContentLength)
	if out.ContentRange != nil {
		off, n, size, err := extent(*out.ContentRange)
		if err != nil {
			return nil, 0, err
		}
		want := size - r.Off
		if r.Len >= 0 {
			want = min(want, r.Len)
		}
		if off != r.Off || n != want {
			return nil, 0, fmt.Errorf("%w: asked for %d+%d, got %d+%d", io.ErrUnexpectedEOF, r.Off, r.Len, off, n)
		}
		return &body{call: call, from: out.Body, left: n}, size, nil
	}
	if out.ContentLength == nil || length < 0 {
		return nil, 0, errNoLength
	}
	skip := min(r.Off, length)
	if _, err := io.CopyN(io.Discard, out.Body, skip); err != nil {
		return nil, 0, err
	}
	left := length - skip
	if r.Len >= 0 {
		left = min(left, r.Len)
	}
	return &body{call: call, from: out.Body, left: left}, length, nil
}

// Read implements io.Reader. A body that ends early is io.ErrUnexpectedEOF, any
// other failure of the connection store.ErrTransient.
func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if b.left == 0 {
		return 0, io.EOF
	}
	n, err := b.from.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	b.got += int64(n)
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, io.EOF) && b.left == 0:
		return n, nil // EOF comes with the next Read
	case errors.Is(err, io.EOF):
		err = io.ErrUnexpectedEOF
	}
	b.err = b.call.fail(err)
	return n, b.err
}

// Close ends the exchange. A body that was read to its end leaves its connection
// to the next request.
func (b *body) Close() error {
	b.close.Do(func() {
		if b.left == 0 && b.err == nil {
			// Takes the end mark, without which net/http drops the connection.
			_, _ = io.CopyN(io.Discard, b.from, 1)
		}
		_ = b.from.Close() // nothing is lost: what was promised has been delivered or reported
		_ = b.call.end(b.got, b.err)
	})
	return nil
}
