package uploader

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// File is one pending or open file: a stack of generations, of which the top
// is what readers see. All handles on a name share one File; it follows the name through
// renames and outlives it when unlinked. Its methods are safe for concurrent use.
type File struct {
	u *Uploader

	// guarded by u.mu
	key              string
	gone             bool        // unlinked or replaced: in no queue any more
	stale            bool        // a foreign version was opened after it: reads go on, writes are ESTALE
	lost             bool        // the base of its delta is gone
	flushed          bool        // again and again while it is written: its parts wait for the last close
	top              *generation // nil = nothing written since it was opened
	base             Base        // what it builds on while top is nil or committed
	baseKey          string      // where base is: key, but for the time of a move
	headers          store.Headers
	checkpoint       checkpoint
	writers, readers int
	hold             *Hold // keeps the delete of the base back while holes may be read
}

const (
	writeRetries = 1000                   // how often a write may meet a seal or a full spool
	roomWait     = 30 * time.Second       // how long it waits for uploads to make room
	roomLook     = 100 * time.Millisecond // between two looks
)

// ReadAt reads like io.ReaderAt. Bytes that are not ours come from the pinned
// base: ErrBaseLost when that is gone.
func (f *File) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	f.u.mu.Lock()
	g, base, key := f.top, f.base, f.baseKey
	if g == nil {
		f.u.mu.Unlock()
		return f.u.readStored(ctx, key, base, p, off)
	}
	g.refs++
	content, read := g.content, f.u.baseFunc(ctx, g, nil)
	f.u.mu.Unlock()
	defer func() {
		f.u.mu.Lock()
		defer f.u.mu.Unlock()
		f.u.fold.unref(g)
		f.u.follow()
	}()
	return content.ReadAt(p, off, read)
}

// WriteAt writes p at off; a gap before off becomes zeros.
func (f *File) WriteAt(ctx context.Context, p []byte, off int64) (int, error) {
	n := 0
	err := f.change(ctx, false, span{off: off, end: off + int64(len(p)), data: p, size: off + int64(len(p))}, func(c *spool.Content) (err error) {
		n, err = c.WriteAt(p, off)
		return err
	})
	return n, err
}

// Truncate sets the size in bytes.
func (f *File) Truncate(ctx context.Context, size int64) error {
	return f.change(ctx, size == 0, span{off: size, end: toEnd, size: size}, func(c *spool.Content) error { return c.Truncate(size) })
}

// Allocate makes the file at least off+n bytes long.
func (f *File) Allocate(ctx context.Context, off, n int64) error {
	return f.change(ctx, false, span{size: off + n}, func(c *spool.Content) error { return c.Allocate(off, n) })
}

// PunchHole makes [off, off+n) zeros, as far as it is inside the file.
func (f *File) PunchHole(ctx context.Context, off, n int64) error {
	return f.change(ctx, false, span{off: off, end: off + n}, func(c *spool.Content) error { return c.PunchHole(off, n) })
}

// change applies do, which changes a span, to the open generation, opening one where the top is
// sealed. whole: nothing of the old bytes is needed.
func (f *File) change(ctx context.Context, whole bool, s span, do func(*spool.Content) error) error {
	if s.size > f.u.largest { // told now, not when all of it has been sent
		return fmt.Errorf("write %q: %w", f.Key(), syscall.EFBIG)
	}
	deadline := time.Now().Add(roomWait)
	for range writeRetries {
		g, err := f.writable(ctx, whole)
		if errors.Is(err, errCheckpoint) {
			if err = f.u.sealCheckpoint(f, g); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		t := g.track.begin(s)
		err = do(g.content)
		if g.track.end(t, err == nil) {
			f.u.passed(g)
		}
		if errors.Is(err, spool.ErrFull) && f.u.awaitRoom(ctx, deadline) {
			continue
		}
		if err == nil || !errors.Is(err, spool.ErrSealed) {
			return err
		}
	}
	return fmt.Errorf("write %q: %w", f.Key(), spool.ErrSealed)
}

// awaitRoom lets uploads make room in a full spool (promise 10). false: there is nothing that
// could, or the time is over.
func (u *Uploader) awaitRoom(ctx context.Context, deadline time.Time) bool {
	u.hurry("")
	u.mu.Lock()
	hope := u.counts.Queued+u.counts.Sending+len(u.trash) > 0 || time.Since(u.released) < 2*releaseEvery
	u.mu.Unlock()
	return hope && time.Now().Before(deadline) && sleep(ctx, roomLook)
}

// writable is the open generation on top of the stack, made if need be, and marked as
// written before it is: a seal in between shows as ErrSealed, never as a loss. errCheckpoint: it has to be
// sealed first.
func (f *File) writable(ctx context.Context, whole bool) (*generation, error) {
	u := f.u
	u.mu.Lock()
	defer u.mu.Unlock()
	if f.stale || (f.lost && !whole) {
		return nil, fmt.Errorf("write %q: %w", f.key, ErrBaseLost)
	}
	if f.lost {
		f.lost, f.base = false, Base{}
	}
	if err := u.changing(f); err != nil {
		return f.top, err
	}
	if g := f.top; g == nil || g.content.Sealed() {
		if g != nil { // a seal whose record is not in the log yet: nothing may stand on top of it before
			if _, err := u.logSeal(g, g.content.Extents()); err != nil {
				return nil, err
			}
		}
		if !whole {
			if err := u.waitAttr(ctx, f); err != nil {
				return nil, err
			}
		}
		if err := u.newGeneration(f, whole); err != nil {
			return nil, err
		}
	}
	if err := u.noLongerEmpty(f.top); err != nil {
		return nil, err
	}
	f.top.written, f.top.changed = true, true
	f.top.modTime = time.Now()
	f.top.timeSet = false
	return f.top, nil
}

// newGeneration opens the next generation of a file. Called with mu held.
func (u *Uploader) newGeneration(f *File, whole bool) error {
	g := &generation{id: rand.Text(), modTime: time.Now(), headers: f.headers, file: f}
	below := f.top
	switch {
	case below != nil && !whole:
		g.content, g.src, g.modTime, g.sums = below.content.Clone(g.id), below.src, below.modTime, below.sums
	case whole || f.base.State != Present:
		g.content = u.spool.NewContent(g.id, 0)
	default:
		g.content = u.spool.NewContent(g.id, f.base.Size)
		g.src = source{key: f.baseKey, etag: f.base.ETag, size: f.base.Size}
	}
	g.size, g.track = g.content.Size(), newTracker(u.layoutOn(g.src))
	if !f.gone {
		if err := u.logCreate(f, g, below != nil && !whole); err != nil {
			u.trash = append(u.trash, g.content)
			return err
		}
	}
	g.refs++
	u.fold.unref(below)
	f.top = g
	u.follow()
	return nil
}

// logCreate gives the generation its place in the queue of its key. A pending change of headers
// that has not been sent is taken over.
func (u *Uploader) logCreate(f *File, g *generation, clone bool) error {
	base := Base{}
	top := u.fold.queues[f.key].top()
	if top == nil {
		base = f.base
	}
	recs := make([]*spool.Record, 0, 2)
	o := &op{id: u.newID(), kind: opPut, key: f.key, flags: f.fate(), base: base, gen: g}
	if top != nil && top.kind == opAttr && top.idle() {
		g.headers = top.headers.Clone()
		recs = append(recs, top.done(spool.TypeDone, Base{}, Base{}))
		o.base = top.base
		o.flags |= flagAttr
	}
	r := o.record(spool.TypeCreate)
	if clone {
		r.Extents = g.content.Extents()
	}
	u.fold.gens[g.id] = g
	if err := u.commit(append(recs, r)...); err != nil {
		delete(u.fold.gens, g.id)
		return err
	}
	if u.files[f.key] == nil && o.flags&flagReplaced == 0 {
		u.files[f.key] = f
	}
	return nil
}

// waitAttr waits for a change of headers that is being sent: it may give the base a
// new ETag. It waits for roomWait at most. Called with mu held; gives it up meanwhile.
func (u *Uploader) waitAttr(ctx context.Context, f *File) error {
	patience, cancel := context.WithTimeout(ctx, roomWait)
	defer cancel()
	for {
		top := u.fold.queues[f.key].top()
		if top == nil || top.kind != opAttr || top.idle() {
			return nil
		}
		changed := u.changed
		u.mu.Unlock()
		var err error
		select {
		case <-changed:
		case <-patience.Done():
			err = patience.Err()
		case <-u.ctx.Done():
			err = ErrClosed
		}
		u.mu.Lock()
		if err != nil && ctx.Err() == nil && u.ctx.Err() == nil { // a write is not told to wait for a store that is down
			return &store.Error{Op: "write", Key: f.key, Kind: store.ErrTransient, Err: top.err}
		}
		if err != nil {
			return err
		}
	}
}

// Key is the file's name now; of an unlinked file the last one.
func (f *File) Key() string {
	f.u.mu.Lock()
	defer f.u.mu.Unlock()
	return f.key
}

// Info is the file as the overlay shows it.
func (f *File) Info() Info {
	f.u.mu.Lock()
	defer f.u.mu.Unlock()
	return f.info()
}

// Size is the file's length in bytes.
func (f *File) Size() int64 {
	f.u.mu.Lock()
	defer f.u.mu.Unlock()
	if f.top != nil {
		return f.top.content.Size()
	}
	return f.base.Size
}

// State is what Info tells, without its headers.
func (f *File) State() State {
	f.u.mu.Lock()
	defer f.u.mu.Unlock()
	return f.state()
}

// state is where a file stands. Called with mu held.
func (f *File) state() State {
	switch {
	case f.gone:
		return StateGone
	case f.lost:
		return StateBaseLost
	case f.top != nil && f.top.op != nil:
		return f.top.op.state()
	}
	return StateClean
}

// Extents are the ranges that may hold data; what lies between is holes.
func (f *File) Extents() []Extent {
	f.u.mu.Lock()
	g, size := f.top, f.base.Size
	f.u.mu.Unlock()
	if g == nil {
		if size == 0 {
			return nil
		}
		return []Extent{{0, size}}
	}
	var data []Extent
	for _, e := range g.content.Extents() {
		last := len(data) - 1
		switch {
		case e.Kind == spool.KindZero:
		case last >= 0 && data[last].Off+data[last].Len == e.Off:
			data[last].Len += e.Len
		default:
			data = append(data, Extent{e.Off, e.Len})
		}
	}
	return data
}

// info builds the overlay's entry. Called with mu held.
func (f *File) info() Info {
	i := Info{
		Key: f.key, Kind: KindFile, State: f.state(), Base: f.base, Writers: f.writers,
		Size: f.base.Size, ModTime: f.base.ModTime,
	}
	g := f.top
	if g == nil {
		i.Headers = f.headers.Clone()
		return i
	}
	i.Gen, i.Size, i.ModTime, i.Headers = g.id, g.content.Size(), g.modTime, f.u.stamped(g)
	if o := g.op; o != nil {
		i.Err, i.Base = o.err, o.base
	}
	return i
}
