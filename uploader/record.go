package uploader

import (
	"errors"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// Flags of a record: the low three bits are the operation's kind. Numbers are
// part of the log's format.
const (
	flagKindMask uint64 = 0x7

	flagMore      uint64 = 1 << 3  // the next record belongs to the same transaction
	flagSealed    uint64 = 1 << 4  // Put: the generation is immutable
	flagTimeSet   uint64 = 1 << 5  // Put: Time was set by utimens, not by a write
	flagAbandoned uint64 = 1 << 6  // Put: nobody wants it any more, only its outcome counts
	flagStarted   uint64 = 1 << 7  // a request that commits may have been sent
	flagFailed    uint64 = 1 << 8  // all attempts of a round failed
	flagReplaced  uint64 = 1 << 12 // Put: dropped when the move before it in the queue has been copied
	flagBaseLost  uint64 = 1 << 9  // Quarantine: a delta whose base is gone
	flagNoReplace uint64 = 1 << 10 // Move: the target must not exist
	flagSingle    uint64 = 1 << 11 // Delete: never in a batch
	flagCarried   uint64 = 1 << 15 // Put: of the file that the move before it in the queue renames: goes back with it
	flagTombstone uint64 = 1 << 16 // Move: took the place of a delete of its target, which comes back with it
	flagLastClose uint64 = 1 << 17 // Delete: of the version that the file was last closed with, which moves if that is quarantined
	flagAttr      uint64 = 1 << 18 // Put: took over a change of headers, which is made without it if that is quarantined
	flagEmpty     uint64 = 1 << 13 // Put: flushed before the first write: a crash keeps the empty file
	flagUnflushed uint64 = 1 << 14 // Put: written since it was flushed empty: a crash quarantines it
)

// record gives the state of an operation as a log record: absolute, so that
// applying it twice is the same as once. Extents are added by the caller, where the
// record's type lists bytes.
//
// Put: Key, Gen, Base (condition), To/ToBase (key and version that holes are
// read from), Headers, Size, Time (last write), Keys (the id that an upload taken over gives its object). Delete, Marker, Attr: Key,
// Base, Headers. Move: Key, Base (source version), To, ToBase, ETag (of the
// copy once it is confirmed), Keys (operations that it holds). Text
// of a Delete is the generation that has to be committed before.
func (o *op) record(t spool.Type) *spool.Record {
	r := &spool.Record{
		Type: t, Op: o.id, Key: o.key, To: o.to,
		Base: o.base.logged(), ToBase: o.toBase.logged(),
		ETag: o.copied, Headers: o.headers,
		Flags: uint64(o.kind) | o.flags, Text: o.after,
	}
	if o.since.IsZero() {
		o.since = time.Now()
	}
	r.Since = o.since
	if g := o.gen; g != nil {
		h := g.headers
		r.Gen, r.Headers, r.Size, r.Time = g.id, &h, g.size, g.modTime
		if g.alias != "" {
			r.Keys = []string{g.alias}
		}
		if g.timeSet {
			r.Flags |= flagTimeSet
		}
		if t == spool.TypeSeal || t == spool.TypePin || t == spool.TypeQuarantine {
			r.Sums = g.sums
		}
		r.To, r.ToBase = g.src.key, spool.Base{State: spool.Unknown, ETag: g.src.etag, Size: g.src.size}
		if g.src.key != "" {
			r.ToBase.State = spool.Present
		}
	}
	return r
}

// opFromRecord is the inverse of record, for a generation's operation without
// the generation.
func opFromRecord(r *spool.Record) op {
	o := op{
		id: r.Op, kind: opKind(r.Flags & flagKindMask), flags: r.Flags &^ (flagKindMask | flagMore | flagTimeSet),
		key: r.Key, base: fromLogged(r.Base), after: r.Text,
	}
	if o.kind != opPut { // there these fields are the generation's
		o.to, o.toBase, o.copied, o.headers = r.To, fromLogged(r.ToBase), r.ETag, r.Headers
	}
	return o
}

func (b Base) logged() spool.Base {
	return spool.Base{State: spool.BaseState(b.State), ETag: b.ETag, Size: b.Size, ModTime: b.ModTime}
}

func fromLogged(b spool.Base) Base {
	return Base{State: BaseState(b.State), ETag: b.ETag, Size: b.Size, ModTime: b.ModTime}
}

// done is the record that ends an operation with what the store has at its
// keys now.
func (o *op) done(t spool.Type, at, atTo Base) *spool.Record {
	r := &spool.Record{Type: t, Op: o.id, Key: o.key, To: o.to, Base: at.logged(), ToBase: atTo.logged(), ETag: at.ETag}
	if o.gen != nil {
		r.Gen, r.To, r.ToBase = o.gen.id, "", spool.Base{}
	}
	return r
}

// failed is the record of a failure, so that it can be told without a mount that has tried again.
func (o *op) failed() *spool.Record {
	return &spool.Record{Type: spool.TypeFail, Op: o.id, Text: o.failure}
}

// applyFail: the reason of the last failure is known to a process after this one; that it may try at once is not
// changed by it.
func (f *fold) applyFail(r *spool.Record) {
	if o := f.ops[r.Op]; o != nil {
		if o.failure = r.Text; o.err == nil {
			o.err = errors.New(r.Text)
		}
	}
}

// logFailure notes why a round failed, of those that fail again and again now and then. Called with mu held.
func (u *Uploader) logFailure(o *op) {
	if o.rounds&(o.rounds-1) != 0 {
		return
	}
	before := o.failure
	o.failure = o.err.Error()
	if err := u.commit(o.failed()); err != nil {
		o.failure = before // the disk is full: status knows it, as long as this process lasts
	}
}

// present is what a successful write tells about a key.
func present(res store.PutResult, size int64, h store.Headers) Base {
	b := Base{State: Present, ETag: res.ETag, Size: size, ModTime: res.LastModified, Headers: &h}
	if b.ModTime.IsZero() {
		b.ModTime, b.guessed = time.Now(), true
	}
	return b
}

// told is the store's date, zero where it told none.
func (b Base) told() time.Time {
	if b.guessed {
		return time.Time{}
	}
	return b.ModTime
}
