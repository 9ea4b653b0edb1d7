package faultstore

import (
	"context"
	"io"

	"github.com/s3levelfs/s3levelfs/store"
)

// body is the body of a Get with its fault. It is used by one goroutine.
type body struct {
	ctx   context.Context // of the Get: a body ends with it
	s     *Store
	call  Call
	fault Fault
	inner io.ReadCloser
	off   int64 // bytes delivered
	err   error // the first failure, told again
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.err == nil {
		b.err = b.s.broken(b.call)
	}
	if b.err == nil {
		b.err = b.before()
	}
	if b.err != nil {
		return 0, b.err
	}
	if left := b.fault.bodyOff - b.off; left > 0 && (b.fault.body == bodyCut || b.fault.body == bodyStall) {
		p = p[:min(int64(len(p)), left)]
	}
	n, err := b.inner.Read(p)
	if at := b.fault.bodyOff - b.off; b.fault.body == bodyFlip && at >= 0 && at < int64(n) {
		p[at] ^= 1
	}
	b.off += int64(n)
	return n, err
}

// before does what happens at the fault's offset. A body that has nothing behind
// it is not cut.
func (b *body) before() error {
	if b.off < b.fault.bodyOff {
		return nil
	}
	switch b.fault.body {
	case bodyCut:
		var one [1]byte
		if n, err := io.ReadFull(b.inner, one[:]); n == 0 {
			return err
		}
		return b.fault.failure(b.call)
	case bodyStall:
		b.fault.body = bodyWhole // stalls once
		return b.s.wait(b.ctx, b.call)
	case bodyWhole, bodyFlip:
	}
	return nil
}

// Close implements io.Closer.
func (b *body) Close() error { return b.inner.Close() }

// broken is the failure of a body that an outage meets.
func (s *Store) broken(c Call) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.outage == nil {
		return nil
	}
	return &store.Error{Op: c.Op, Key: c.Key, Kind: store.ErrTransient, Err: io.ErrUnexpectedEOF}
}
