package uploader

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// Parts leave while their file is still being written: each one once, when the writer has filled it and gone on. What is
// rewritten afterwards is sent again when the file is closed; nothing is completed before (I1).

// stream sends the passed parts of one open generation.
type stream struct {
	cancel context.CancelFunc
	stop   chan struct{} // closed: take no more
	done   chan struct{} // closed: nothing is under way

	room   chan struct{} // holds one for each part that is sent, of Config.FileParts: by the stream, and beside it once the file is closed
	flying map[int]bool  // parts of the stream on their way; guarded by Uploader.mu
}

// enter waits until one more part of the file may be sent. It tells false when ctx has ended instead.
func (s *stream) enter(ctx context.Context) bool {
	select {
	case s.room <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// leave gives back what enter has taken.
func (s *stream) leave() { <-s.room }

// take notes that a part is on its way, unless no more are wanted. Called with Uploader.mu held.
func (s *stream) take(i int) bool {
	select {
	case <-s.stop:
		return false
	default:
		s.flying[i] = true
		return true
	}
}

// passed: the writer has left a part of the generation complete.
func (u *Uploader) passed(g *generation) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if o := g.op; o != nil && o.stream == nil && u.mayStream(o) && time.Now().After(o.noStream) {
		u.startStream(o)
	}
}

// mayStream: the parts of an open file are wanted and can be expected to be accepted. Where the level can not be read
// the headers of the object could not be mended afterwards. Called with mu held.
func (u *Uploader) mayStream(o *op) bool {
	l, f := u.levelOf(o.key), o.gen.file
	return u.fold.ops[o.id] == o && f != nil && !f.flushed && !o.is(flagSealed|flagAbandoned) && o.gen.content != nil && u.started && !u.closed &&
		(l == nil || l.state == levelProved && l.CanGet) && u.pause.err == nil && u.limits.MaxParts > 1 && u.bequest(o) == nil
}

// startStream sends what has been passed until there is nothing more. Called with mu held.
func (u *Uploader) startStream(o *op) {
	ctx, cancel := context.WithCancel(u.ctx)
	s := &stream{cancel: cancel, stop: make(chan struct{}), done: make(chan struct{}), room: make(chan struct{}, u.cfg.FileParts), flying: map[int]bool{}}
	g, content := o.gen, o.gen.content
	o.stream = s
	g.refs++
	u.wg.Go(func() {
		err := u.sendPassed(ctx, o, s, content)
		cancel()
		u.mu.Lock()
		defer u.mu.Unlock()
		o.stream = nil
		close(s.done)
		u.fold.unref(g)
		u.follow()
		if err != nil {
			u.streamFailed(o, err)
		} else if u.mayStream(o) && g.track.waiting() {
			u.startStream(o)
		}
	})
}

// dropStream: nobody wants the parts any more. Called with Uploader.mu held.
func (o *op) dropStream() {
	if o.stream != nil {
		o.stream.cancel()
	}
}

// stopStream lets a stream take no more parts: the generation is sealed. What is on its way may arrive. Called with
// Uploader.mu held.
func (o *op) stopStream() *stream {
	s := o.stream
	if s == nil {
		return nil
	}
	select {
	case <-s.stop:
	default:
		close(s.stop)
	}
	return s
}

// endStream waits until the parts that are on their way have arrived.
func (u *Uploader) endStream(ctx context.Context, o *op) error {
	u.mu.Lock()
	s := o.stopStream()
	u.mu.Unlock()
	if s == nil {
		return nil
	}
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// streamFailed: the parts stay in the spool and are sent at the latest when the file has been closed. Called with mu held.
func (u *Uploader) streamFailed(o *op, err error) {
	if errors.Is(err, errAbandoned) || errors.Is(err, context.Canceled) {
		return
	}
	const rest = 30 * time.Second
	o.noStream = time.Now().Add(rest)
	u.log.Info("parts of an open file were not accepted, they wait", zap.String("key", o.key), zap.Error(err))
}

// sendPassed sends passed parts, at most Config.FileParts at a time, and no more than a share of all requests.
func (u *Uploader) sendPassed(ctx context.Context, o *op, s *stream, content *spool.Content) error {
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(u.cfg.FileParts)
	var failed error
	l := o.gen.track.layout
	for gctx.Err() == nil {
		u.mu.Lock()
		ok := u.mayStream(o)
		u.mu.Unlock()
		if !ok {
			break
		}
		i, ok := o.gen.track.next()
		if !ok {
			break
		}
		if i >= u.limits.MaxParts {
			break // of a store that wants equal parts: they have to be larger
		}
		if off, n := l.at(i); !content.Stored(off, n) {
			o.gen.track.forget(i)
			continue
		}
		m, err := u.openUpload(gctx, o, l, u.openHeaders(o))
		if err != nil {
			failed = err
			break
		}
		group.Go(func() error { return u.streamPart(gctx, o, m, s, i) })
	}
	err := errors.Join(failed, group.Wait())
	if errors.Is(err, store.ErrNoUpload) {
		u.mu.Lock()
		m := o.upload
		u.mu.Unlock()
		u.forgetUpload(o, m)
	}
	u.refused(o.key, err)
	return err
}

// openHeaders are those that an upload begins with whose file is not closed yet.
func (u *Uploader) openHeaders(o *op) store.Headers {
	u.mu.Lock()
	h := u.stamped(o.gen)
	u.mu.Unlock()
	return u.describe(o, h)
}

// streamPart sends one part, as long as it stays what it was meanwhile.
func (u *Uploader) streamPart(ctx context.Context, o *op, m *multipart, s *stream, i int) error {
	if !s.enter(ctx) {
		return ctx.Err()
	}
	defer s.leave()
	p, err := u.window.enter(ctx, s.stop, ofPart|ofOpen)
	if p == nil {
		return err
	}
	defer p.leave()
	ctx = withPlace(ctx, p)
	t := o.gen.track
	seen, ok := t.look(i)
	if !ok { // somebody is writing to it: it goes when the file is closed
		return nil
	}
	u.mu.Lock()
	wanted := s.take(i)
	u.mu.Unlock()
	if !wanted {
		return nil
	}
	defer func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		delete(s.flying, i)
	}()
	off, n := m.at(i)
	part, err := u.putPart(ctx, o, m, i, store.Range{Off: off, Len: n})
	if !t.same(i, seen) && ctx.Err() == nil && !errors.Is(err, store.ErrNoUpload) {
		return nil // what was sent may be a mixture, and its checksum wrong: no failure
	}
	if err != nil {
		return fmt.Errorf("part %d: %w", i+1, err)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.fold.ops[o.id] != o || o.upload != m {
		return errAbandoned
	}
	if !t.uploaded(i, seen) {
		return nil
	}
	return u.commit(o.partRecord(m, part))
}

// dirtyParts tell which stored parts are not what the generation has that is being sealed. Called with mu held.
func (o *op) dirtyParts() []*spool.Record {
	m, t := o.upload, o.gen.track
	if m == nil || t == nil {
		return nil
	}
	var recs []*spool.Record
	size := o.gen.content.Size()
	for i := range m.parts {
		if m.stored(i) && (t.dirty(i) || m.within(i, size).Len != m.parts[i].Size) {
			recs = append(recs, o.partRecord(m, store.Part{Number: int32(i + 1)}))
		}
	}
	return recs
}
