package spool

import (
	"encoding/binary"
	"fmt"
	"time"
)

// Fields are tag uvarint | len uvarint | bytes. A field with its zero value is left out.

func appendBytes[T string | []byte](b []byte, tag uint64, v T) []byte {
	if len(v) == 0 {
		return b
	}
	b = binary.AppendUvarint(b, tag)
	b = binary.AppendUvarint(b, uint64(len(v)))
	return append(b, v...)
}

func appendUint(b []byte, tag, v uint64) []byte {
	if v == 0 {
		return b
	}
	var tmp [binary.MaxVarintLen64]byte
	return appendBytes(b, tag, tmp[:binary.PutUvarint(tmp[:], v)])
}

func appendInt(b []byte, tag uint64, v int64) []byte { return appendUint(b, tag, zigzag(v)) }

func appendTime(b []byte, tag uint64, t time.Time) []byte {
	if t.IsZero() {
		return b
	}
	var tmp [2 * binary.MaxVarintLen64]byte
	n := binary.PutVarint(tmp[:], t.Unix())
	n += binary.PutUvarint(tmp[n:], uint64(t.Nanosecond()))
	return appendBytes(b, tag, tmp[:n])
}

func zigzag(v int64) uint64   { return uint64(v)<<1 ^ uint64(v>>63) }
func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

// reader takes varints and bytes off a slice; the first failure sticks.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrDamaged, what)
	}
	r.b = nil
}

func (r *reader) more() bool { return r.err == nil && len(r.b) > 0 }

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail("number")
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 { return unzigzag(r.uvarint()) }

// bytes takes n bytes; the result is a part of the input.
func (r *reader) bytes(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.fail("length")
		return nil
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

// field takes one field; raw is the whole of it, for fields that are not known.
func (r *reader) field() (tag uint64, value reader, raw []byte) {
	start := r.b
	tag = r.uvarint()
	v := r.bytes(r.uvarint())
	return tag, reader{b: v}, start[:len(start)-len(r.b)]
}

// done checks that everything has been taken, and hands the failure on.
func (r *reader) done(outer *reader, what string) {
	if r.err != nil || len(r.b) > 0 {
		outer.fail(what)
	}
}

func (r *reader) rest() string {
	s := string(r.b)
	r.b = nil
	return s
}

func (r *reader) time() time.Time {
	sec, nsec := r.varint(), r.uvarint()
	if nsec >= 1e9 {
		r.fail("time")
		return time.Time{}
	}
	return time.Unix(sec, int64(nsec)).UTC()
}
