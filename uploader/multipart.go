package uploader

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// multipart is an upload in parts, as the log tells of it: it outlives rounds and processes. It is bound to its key
// and ends with its operation.
type multipart struct {
	layout

	id      string
	headers store.Headers // that it was created with
	parts   []store.Part  // by number-1; Number 0 = not stored
}

// lostUpload is one that nothing will come of.
type lostUpload struct{ key, id string }

// stored tells whether a part is in the store. Called with mu held.
func (m *multipart) stored(i int) bool { return i < len(m.parts) && m.parts[i].Number != 0 }

// records tell of an upload and its parts.
func (o *op) uploadRecords() []*spool.Record {
	m := o.upload
	if m == nil {
		return nil
	}
	recs := []*spool.Record{o.uploadRecord(m)}
	for i := range m.parts {
		if m.stored(i) {
			recs = append(recs, o.partRecord(m, m.parts[i]))
		}
	}
	return recs
}

func (o *op) uploadRecord(m *multipart) *spool.Record {
	return &spool.Record{
		Type: spool.TypeUpload, Op: o.id, Key: o.key, UploadID: m.id, Headers: &m.headers,
		Part: store.Part{Number: int32(m.step), Size: m.first}, Size: m.max,
	}
}

func (o *op) partRecord(m *multipart, p store.Part) *spool.Record {
	return &spool.Record{Type: spool.TypePart, Op: o.id, UploadID: m.id, Part: p}
}

// applyUpload: UPLOAD begins an upload, or without an id forgets it. PART tells of a part that is stored, or without
// an ETag of one that has to be sent again.
func (f *fold) applyUpload(r *spool.Record) {
	o := f.ops[r.Op]
	switch {
	case o == nil:
	case r.Type == spool.TypeUpload && r.UploadID == "":
		o.upload = nil
	case r.Type == spool.TypeUpload:
		m := &multipart{id: r.UploadID, layout: layout{first: r.Part.Size, max: r.Size, step: int(r.Part.Number)}}
		if r.Headers != nil {
			m.headers = r.Headers.Clone()
		}
		o.upload = m
	case o.upload != nil && o.upload.id == r.UploadID && r.Part.Number > 0:
		m, i := o.upload, int(r.Part.Number)-1
		for len(m.parts) <= i {
			m.parts = append(m.parts, store.Part{})
		}
		m.parts[i] = r.Part
		if r.Part.Size == 0 {
			m.parts[i] = store.Part{}
		}
	}
}

// loseUpload: the operation ends, its upload was not completed.
func (f *fold) loseUpload(o *op) {
	if m := o.upload; m != nil {
		o.upload = nil
		f.lost = append(f.lost, lostUpload{o.key, m.id})
	}
}

// sendParts makes the object out of parts of the sealed generation. at is what the store has then.
func (u *Uploader) sendParts(ctx context.Context, o *op, h store.Headers, c store.Cond) (at Base, unanswered bool, err error) {
	size := o.gen.content.Size()
	u.mu.Lock()
	l := u.uploadLayout(o, size)
	u.mu.Unlock()
	if err := errors.Join(u.besideStream(ctx, o, l, size), u.endStream(ctx, o)); err != nil {
		return at, false, err
	}
	m, err := u.openUpload(ctx, o, l, h)
	if err != nil {
		return at, false, err
	}
	parts, err := u.uploadParts(ctx, o, m, size)
	if err != nil {
		if errors.Is(err, store.ErrNoUpload) {
			u.forgetUpload(o, m)
		}
		return at, false, err
	}
	if err := u.beginCommit(o); err != nil {
		return at, false, err
	}
	var res store.PutResult
	unanswered, err = u.try(ctx, 0, func(ctx context.Context) error {
		res, err = u.store.Complete(ctx, o.key, m.id, parts, c)
		return err
	})
	switch {
	case errors.Is(err, store.ErrNoUpload):
		// it may be gone because an earlier attempt has completed it: HEAD says
		u.forgetUpload(o, m)
		return at, true, err
	case errors.Is(err, store.ErrInvalid): // a part is not what its answer said, a late request has replaced it
		u.giveUp(o, m)
	}
	return present(res, size, m.headers), unanswered, err
}

// stopParts ends the sending of parts that nobody wants any more. A Complete that has begun is waited for: the
// server may carry it out all the same, and only its answer tells. Called with Uploader.mu held.
func (o *op) stopParts() {
	o.dropStream()
	if o.cancel != nil && o.running && o.upload != nil && !o.commits {
		o.stopped = true
		o.cancel()
	}
}

// beginCommit: from now on stopParts comes too late.
func (u *Uploader) beginCommit(o *op) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if o.stopped {
		return errAbandoned
	}
	o.commits, o.completed = true, true
	return nil
}

// openUpload gives the upload of an operation, a new one if there is none.
func (u *Uploader) openUpload(ctx context.Context, o *op, l layout, h store.Headers) (*multipart, error) {
	u.mu.Lock()
	m, key := o.upload, o.key
	if m != nil && m.layout == l {
		u.mu.Unlock()
		return m, nil
	}
	u.mu.Unlock()
	if m != nil { // the file has outgrown it
		u.giveUp(o, m)
	}
	var id string
	_, err := u.try(ctx, 0, func(ctx context.Context) (err error) {
		id, err = u.store.Create(ctx, key, h)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("create upload: %w", err)
	}
	m = &multipart{id: id, layout: l, headers: h}
	u.mu.Lock()
	defer u.mu.Unlock()
	switch {
	case u.fold.ops[o.id] != o || o.is(flagAbandoned):
		err = errAbandoned
	case o.upload == nil:
		err = u.commit(o.uploadRecord(m))
	}
	if err != nil || o.upload.id != id {
		u.abortLost(lostUpload{key, id})
		return o.upload, err // of a flush and a writer at the same time one upload is enough
	}
	if t := o.gen.track; t != nil {
		t.anew()
	}
	return o.upload, nil
}

// forgetUpload: the store has lost it.
func (u *Uploader) forgetUpload(o *op, m *multipart) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if o.upload != m || u.fold.ops[o.id] != o {
		return
	}
	if err := u.commit(o.uploadRecord(&multipart{})); err != nil {
		o.upload = nil // a process after this one learns it from the store
	}
}

// giveUp ends an upload that is of no use any more.
func (u *Uploader) giveUp(o *op, m *multipart) {
	u.forgetUpload(o, m)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.abortLost(lostUpload{o.key, m.id})
}

// uploadParts sends what is not stored yet and lists all parts.
func (u *Uploader) uploadParts(ctx context.Context, o *op, m *multipart, size int64) ([]store.Part, error) {
	u.mu.Lock()
	todo := m.missing(size)
	u.mu.Unlock()
	if err := u.sendAll(ctx, o, m, todo, size); err != nil {
		return nil, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if o.upload != m {
		return nil, errAbandoned
	}
	return append([]store.Part(nil), m.parts[:m.count(size)]...), nil
}

// missing are the parts of a file of size bytes that are not in the store. Called with Uploader.mu held.
func (m *multipart) missing(size int64) []int {
	var todo []int
	for i := range m.count(size) {
		if r := m.within(i, size); !m.stored(i) || m.parts[i].Size != r.Len {
			todo = append(todo, i)
		}
	}
	return todo
}

// sendAll sends parts and logs each that has arrived.
func (u *Uploader) sendAll(ctx context.Context, o *op, m *multipart, todo []int, size int64) error {
	return u.eachPart(ctx, todo, func(ctx context.Context, i int) error { return u.sendPart(ctx, o, m, i, size) })
}

// sendPart sends one part of a file of size bytes and logs that it has arrived.
func (u *Uploader) sendPart(ctx context.Context, o *op, m *multipart, i int, size int64) error {
	part, err := u.putPart(ctx, o, m, i, m.within(i, size))
	if err != nil {
		return err
	}
	return u.logPart(o, m, part)
}

// besideStream sends what is missing of a sealed generation while parts of it that left before are still on their way:
// the line is not idle until the last of them has arrived. Both together keep to Config.FileParts.
func (u *Uploader) besideStream(ctx context.Context, o *op, l layout, size int64) error {
	u.mu.Lock()
	s, m := o.stopStream(), o.upload
	var todo []int
	if s != nil && m != nil && m.layout == l {
		todo = slices.DeleteFunc(m.missing(size), func(i int) bool { return s.flying[i] })
	}
	u.mu.Unlock()
	if len(todo) == 0 {
		return nil
	}
	err := u.eachPart(ctx, todo, func(ctx context.Context, i int) error {
		if !s.enter(ctx) {
			return ctx.Err()
		}
		defer s.leave()
		return u.sendPart(ctx, o, m, i, size)
	})
	if errors.Is(err, store.ErrNoUpload) {
		return nil // so the stream finds, too: what follows begins anew
	}
	return err
}

// putPart sends one part of a generation.
func (u *Uploader) putPart(ctx context.Context, o *op, m *multipart, i int, r store.Range) (part store.Part, err error) {
	content, key := o.gen.content, o.key
	if content.OfBase(r.Off, r.Len) {
		return u.copyPart(ctx, o, m, i, r)
	}
	if err := u.intact(o.gen, content, r); err != nil {
		return part, err
	}
	ctx = withSum(ctx, o.gen, m.layout, i, r.Len)
	_, err = u.try(ctx, r.Len, func(ctx context.Context) (err error) {
		body := io.NewSectionReader(content.Section(noBase), r.Off, r.Len)
		part, err = u.store.UploadPart(ctx, key, m.id, int32(i+1), watched(ctx, body))
		return err
	})
	part.Number, part.Size = int32(i+1), r.Len
	return part, blame(ctx, err, content, r)
}

// logPart: the part is stored, and need not be sent again by a later round or process.
func (u *Uploader) logPart(o *op, m *multipart, part store.Part) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.fold.ops[o.id] != o || o.upload != m {
		return errAbandoned
	}
	return u.commit(o.partRecord(m, part))
}

// eachPart makes parts, several at a time.
func (u *Uploader) eachPart(ctx context.Context, todo []int, make func(ctx context.Context, i int) error) error {
	g, ctx := errgroup.WithContext(withClass(ctx, ofPart))
	g.SetLimit(u.cfg.FileParts)
	for _, i := range todo {
		g.Go(func() error {
			if ctx.Err() != nil { // another has failed
				return ctx.Err()
			}
			if err := make(ctx, i); err != nil {
				return fmt.Errorf("part %d: %w", i+1, err)
			}
			return nil
		})
	}
	return g.Wait()
}

// abortLost ends uploads in the background. Called with mu held.
func (u *Uploader) abortLost(lost ...lostUpload) {
	for _, l := range lost {
		switch {
		case !u.started:
			u.aborts = append(u.aborts, l)
		case !u.closed:
			u.wg.Go(func() { u.abortUpload(l.id, l.key) })
		}
	}
}

// abortUpload is best effort: Amplify's roles may not.
func (u *Uploader) abortUpload(id, key string) {
	const patience = 10 * time.Second
	ctx, cancel := context.WithTimeout(u.ctx, patience)
	defer cancel()
	p, err := u.slot(ctx)
	if err != nil {
		return
	}
	u.ended(p, u.store.Abort(ctx, key, id)) // a left-over upload is invisible; the bucket's lifecycle rule ends it
}
