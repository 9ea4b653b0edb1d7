package uploader

import "github.com/s3levelfs/s3levelfs/store"

// Plan is how a file is cut into parts, for programs that send one without a spool: the same sizes as the mount's.
type Plan struct{ l layout }

// NewPlan cuts a file of size bytes into parts of the wished size (bytes; 0 = [DefaultPartSize]), or larger ones where the store's
// bounds want that. size < 0: it is not known, and parts grow so that the store's largest object can be reached.
func NewPlan(limits store.Limits, wished, size int64) Plan {
	if wished <= 0 {
		wished = DefaultPartSize
	}
	if size < 0 {
		return Plan{growing(limits, wished)}
	}
	return Plan{equal(limits, wished, size)}
}

// Part is where part i, counted from 0, lies in a file of unknown length.
func (p Plan) Part(i int) store.Range {
	off, n := p.l.at(i)
	return store.Range{Off: off, Len: n}
}

// Within is part i of a file of size bytes.
func (p Plan) Within(i int, size int64) store.Range { return p.l.within(i, size) }

// Count is how many parts a file of size bytes has.
func (p Plan) Count(size int64) int { return p.l.count(size) }

// Largest is how long a file may get, in bytes.
func Largest(limits store.Limits) int64 { return largest(limits) }

// WrittenBy is the name, behind x-amz-meta-, of the header with the id of what was written: who finds it on an object knows
// that a write of his without an answer has landed.
const WrittenBy = metaW
