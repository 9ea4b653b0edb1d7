package uploader

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"sync"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// pinChunk is how much of a base is fetched at once, in bytes.
const pinChunk = 2 << 20

// pinBuffers are what is fetched goes through. Each is pinChunk long.
var pinBuffers = sync.Pool{New: func() any { return new([pinChunk]byte) }}

// pinGap is the longest piece of ours, in bytes, that is fetched along between two holes.
const pinGap = 1 << 20

// baseFunc reads the holes of a generation. self is the operation on whose behalf, nil for a reader.
func (u *Uploader) baseFunc(ctx context.Context, g *generation, self *op) spool.BaseFunc {
	return func(p []byte, off int64) error {
		ctx, cancel := context.WithTimeout(ctx, requestTime)
		defer cancel()
		return u.fromBase(ctx, g, self, func(src source) error {
			if src.key == "" || u.cfg.Base == nil {
				return ErrBaseLost
			}
			read := u.cfg.Base.ReadBase
			if self != nil {
				read = u.cfg.Base.FetchBase
			}
			return read(ctx, src.key, src.etag, src.size, p, off)
		})
	}
}

// readStored reads a file that has no bytes of ours.
func (u *Uploader) readStored(ctx context.Context, key string, b Base, p []byte, off int64) (int, error) {
	n := int(min(int64(len(p)), b.Size-off))
	if n <= 0 {
		return 0, io.EOF
	}
	g := &generation{src: source{key: key, etag: b.ETag, size: b.Size}}
	if err := u.baseFunc(ctx, g, nil)(p[:n], off); err != nil {
		return 0, err
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// fill fetches what a generation has not of its own.
func (u *Uploader) fill(ctx context.Context, g *generation, content *spool.Content) error {
	return u.fillRanges(ctx, g, content, content.Missing)
}

// fillRanges fetches what is listed, until nothing is, several pieces at a time.
func (u *Uploader) fillRanges(ctx context.Context, g *generation, content *spool.Content, list func() []spool.Range) error {
	u.mu.Lock()
	self := g.op
	u.mu.Unlock()
	for missing := list(); len(missing) > 0; missing = list() {
		group, gctx := errgroup.WithContext(ctx)
		group.SetLimit(u.cfg.FileParts)
		read := u.baseFunc(gctx, g, self)
		for piece := range pieces(missing) {
			if gctx.Err() != nil {
				break
			}
			group.Go(func() error {
				buf, _ := pinBuffers.Get().(*[pinChunk]byte)
				defer pinBuffers.Put(buf)
				if err := read(buf[:piece.Len], piece.Off); err != nil {
					return err
				}
				return content.FillBase(piece.Off, buf[:piece.Len])
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// pieces are what is fetched at once: holes that lie close together are one request, what is ours in between stays.
func pieces(missing []spool.Range) iter.Seq[spool.Range] {
	return func(yield func(spool.Range) bool) {
		for i := 0; i < len(missing); {
			off, end := missing[i].Off, missing[i].Off+missing[i].Len
			for i++; i < len(missing) && missing[i].Off-end <= pinGap && missing[i].Off-off < pinChunk; i++ {
				end = missing[i].Off + missing[i].Len
			}
			for off < end {
				next := min(off/pinChunk*pinChunk+pinChunk, end) // cut where the cache's blocks end
				if !yield(spool.Range{Off: off, Len: next - off}) {
					return
				}
				off = next
			}
		}
	}
}

// pin makes the generation of an operation whole, and those above it in the stack that need the
// same base: its commit is the end of that base (I6).
func (u *Uploader) pin(ctx context.Context, o *op) error {
	for need := u.needBase(o); len(need) > 0; need = u.needBase(o) { // anew: another may be opened on one that is not whole yet
		g := need[0]
		u.mu.Lock()
		g.refs++
		content := g.content
		u.mu.Unlock()
		err := u.pinOne(ctx, g, content)
		u.mu.Lock()
		u.fold.unref(g)
		u.follow()
		u.mu.Unlock()
		switch {
		case errors.Is(err, ErrBaseLost):
			if err := u.loseBase(g, err); err != nil {
				return err
			}
			if g == o.gen {
				return nil
			}
		case err != nil:
			return fmt.Errorf("fetch the base of %q: %w", o.key, err)
		}
	}
	return nil
}

// pinOne makes one generation whole, or has the store copy what it is too large to be fetched for.
func (u *Uploader) pinOne(ctx context.Context, g *generation, content *spool.Content) error {
	u.mu.Lock()
	o := g.op
	copies := o != nil && u.copies(o)
	u.mu.Unlock()
	var err error
	if copies {
		err = u.pinByCopies(ctx, o, content)
	} else {
		err = u.fill(ctx, g, content)
	}
	if err != nil {
		return err
	}
	return u.logPin(g, content)
}

// needBase lists the generations that read from what the operation is about to replace, but for those that go on with
// what it leaves.
func (u *Uploader) needBase(o *op) []*generation {
	u.mu.Lock()
	defer u.mu.Unlock()
	var need []*generation
	if !u.pinned(o) {
		need = append(need, o.gen)
	}
	copies := u.copies(o)
	for _, g := range u.readersOf(o) {
		if g.content != nil && !g.content.Whole() && !(copies && g.src == o.gen.src) {
			need = append(need, g)
		}
	}
	return need
}

// readersOf lists the other generations whose holes are read from what the commit of o ends: the version at its key,
// and those at old names whose deletes wait for it.
func (u *Uploader) readersOf(o *op) []*generation {
	ends := func(key string) bool {
		return key == o.key || slices.ContainsFunc(u.fold.waiting[o.gen.id], func(d *op) bool { return d.key == key })
	}
	var gs []*generation
	for _, x := range u.fold.queues[o.key] {
		if x.kind == opPut && x.gen != o.gen && x.gen.src.key != "" && ends(x.gen.src.key) {
			gs = append(gs, x.gen)
		}
	}
	return gs
}

// logPin makes the fetched bytes part of the log's state of a sealed generation.
func (u *Uploader) logPin(g *generation, content *spool.Content) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if g.op == nil {
		return nil
	}
	if !g.op.is(flagSealed) {
		u.unblock(g.op.key)
		return nil
	}
	r := g.op.record(spool.TypePin)
	r.Size, r.Extents = content.Size(), content.Extents()
	if err := u.commit(r); err != nil {
		return err
	}
	u.unblock(g.op.key)
	return nil
}

// loseBase takes a delta whose base is gone out of the way of its key: it stays in the
// spool, never reaches the bucket, and is counted.
func (u *Uploader) loseBase(g *generation, cause error) error {
	u.mu.Lock()
	content := g.content
	u.mu.Unlock()
	if content == nil {
		return nil
	}
	content.Seal()
	u.mu.Lock()
	defer u.mu.Unlock()
	o := g.op
	if o == nil {
		return nil
	}
	r := o.record(spool.TypeQuarantine)
	r.Size, r.Extents = content.Size(), content.Extents()
	r.Flags |= flagBaseLost
	if err := u.commit(r); err != nil {
		return err
	}
	if f := g.file; f != nil && f.top == g {
		f.lost = true
		u.forgetFile(f)
	}
	u.events.add(Event{Kind: BaseLost, Key: o.key, Gen: g.id, Err: cause})
	u.log.Error("the base of a changed file is gone: its changes stay in the spool",
		zap.String("key", o.key), zap.String("gen", g.id), zap.Error(cause))
	return nil
}
