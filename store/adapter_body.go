package store

import (
	"context"
	"errors"
	"hash/crc32"
	"io"
	"net/http"
	"sync"
)

// sent is the body of a write on its way to a provider: one that ends too early is an error and no shorter body, and so is one that has not the
// checksum which its writer gave.
type sent struct {
	ctx     context.Context //nolint:containedctx // of the request whose body it is
	op, key string
	from    io.ReaderAt
	size    int64
	want    uint32
	summed  bool

	mu  sync.Mutex
	at  int64  // up to where it was read in order
	sum uint32 // of that
	err error  // why it can not be read
}

// errDigest: the bytes are not those that were written.
var errDigest = errors.New("the body has not the checksum that it was given")

func newSent(ctx context.Context, o, key string, body *io.SectionReader) *sent {
	s := &sent{ctx: ctx, op: o, key: key, from: body, size: body.Size()}
	s.want, s.summed = CRC32Of(ctx)
	return s
}

func (s *sent) section() *io.SectionReader { return io.NewSectionReader(s, 0, s.size) }

// ReadAt implements [io.ReaderAt].
func (s *sent) ReadAt(p []byte, off int64) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := s.from.ReadAt(p, off)
	end := off + int64(n)
	if errors.Is(err, io.EOF) {
		err = nil
		if n < len(p) && end < s.size {
			err = io.ErrUnexpectedEOF
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if off == 0 {
		s.at, s.sum = 0, 0
	}
	if off == s.at && s.summed {
		s.sum = crc32.Update(s.sum, crc32.IEEETable, p[:n])
		s.at = end
		if end == s.size && s.sum != s.want && err == nil {
			err = errDigest
		}
	}
	if err != nil {
		s.err = err
		return n, err
	}
	if n < len(p) {
		return n, io.EOF // the end of the body
	}
	return n, nil
}

// judge says what became of a write, err by the provider: one whose body was bad is refused, whatever it says.
func (s *sent) judge(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		return err
	}
	e := &Error{Op: s.op, Key: s.key, Kind: ErrInvalid, Err: s.err}
	if errors.Is(s.err, errDigest) {
		e = answer(s.op, s.key, "BadDigest", http.StatusBadRequest, ErrTransient)
		e.Err = s.err
	}
	if err == nil { // against its contract
		e.Kind, e.Unanswered = ErrTransient, true
	}
	return e
}

// isAbsent: there is no such object, and not because there is no bucket.
func isAbsent(err error) bool { return errors.Is(err, ErrNotExist) && !errors.Is(err, ErrNoBucket) }

// asError is err as the contract has it, nil where there is none.
func asError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return nil
}
