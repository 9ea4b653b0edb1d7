package uploader

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// A change of a large object does not fetch what it leaves alone: the store copies those parts into the upload, from
// the version that the file was opened on. A generation whose holes are all copied is pinned, though it is not whole.

// copies: the holes of an operation's generation are copied by the store, as far as they are parts of their own.
// Called with mu held.
func (u *Uploader) copies(o *op) bool {
	g := o.gen
	if o.kind != opPut || g == nil || g.content == nil || g.src.key == "" || g.src.etag == "" || o.is(flagAbandoned) || g.fetched ||
		g.src.size <= max(u.cfg.PinBase, u.limits.MinPart) || g.content.Size() <= min(u.cfg.PartSize, u.limits.MaxPut) {
		return false
	}
	for _, k := range []string{g.src.key, o.key} {
		if l := u.levelOf(k); l != nil && (!l.CanGet || l.noCond) {
			return false
		}
	}
	return !u.blocks(g)
}

// proveCopies finds out whether the store keeps conditions before it is trusted with one: a process before this one did
// so where there is an upload.
func (u *Uploader) proveCopies(ctx context.Context, o *op) error {
	u.mu.Lock()
	l, begun := u.levelOf(o.key), o.upload != nil
	u.mu.Unlock()
	if l == nil || begun {
		return nil
	}
	if err := u.Prove(ctx, l.Prefix); err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if l.state == levelProved {
		return nil
	}
	return &store.Error{Op: "probe", Key: l.Prefix, Kind: store.ErrTransient, Err: l.err}
}

// blocks: something waits at an old name of the generation for its bytes to leave the version there: renames in a circle
// would wait for themselves. So these bytes are fetched. Called with mu held.
func (u *Uploader) blocks(g *generation) bool {
	return slices.ContainsFunc(u.fold.waiting[g.id], func(d *op) bool { return d.key == g.src.key && u.behind(d) != nil })
}

// uploadLayout is how an operation's generation is cut, by the upload that it has already where that will do. Called
// with mu held.
func (u *Uploader) uploadLayout(o *op, size int64) layout {
	if m := o.upload; m != nil && m.reach(u.limits.MaxParts) >= size {
		return m.layout // of a process with other settings, perhaps
	}
	return u.layoutOf(o.gen, size)
}

// holes tells what is missing of a generation: which parts can be copied and are not yet, and what has to be fetched
// because it shares a part with bytes of ours. Called with mu held.
func (u *Uploader) holes(o *op) (parts []int, edges []spool.Range) {
	size := o.gen.content.Size()
	l := u.uploadLayout(o, size)
	below := u.bequest(o)
	for _, m := range o.gen.content.Missing() {
		for i := l.index(m.Off); i <= l.index(m.Off+m.Len-1); i++ {
			r := l.within(i, size)
			from, to := max(r.Off, m.Off), min(r.Off+r.Len, m.Off+m.Len)
			switch {
			case to-from < r.Len:
				edges = append(edges, spool.Range{Off: from, Len: to - from})
			case !o.hasPart(i, r.Len) && (below == nil || !o.inherits(below, i, r)):
				parts = append(parts, i)
			}
		}
	}
	return parts, edges
}

// hasPart: the part is in the store as the generation has it. Called with mu held.
func (o *op) hasPart(i int, n int64) bool {
	m, t := o.upload, o.gen.track
	return m != nil && m.stored(i) && m.parts[i].Size == n && (o.is(flagSealed) || t == nil || !t.dirty(i))
}

// pinned: what is missing of the generation is in its upload. Called with mu held.
func (u *Uploader) pinned(o *op) bool {
	if o.gen.content == nil || o.gen.whole() {
		return true
	}
	if !u.copies(o) {
		return false
	}
	parts, edges := u.holes(o)
	return len(parts)+len(edges) == 0
}

// pinByCopies fetches the edges and has the store copy the rest.
func (u *Uploader) pinByCopies(ctx context.Context, o *op, content *spool.Content) error {
	if err := u.proveCopies(ctx, o); err != nil {
		return err
	}
	u.mu.Lock()
	copies := u.copies(o)
	u.mu.Unlock()
	if !copies { // conditions are ignored
		return u.fill(ctx, o.gen, content)
	}
	edges := func() []spool.Range {
		u.mu.Lock()
		defer u.mu.Unlock()
		_, e := u.holes(o)
		return e
	}
	if err := u.fillRanges(ctx, o.gen, content, edges); err != nil {
		return err
	}
	u.mu.Lock()
	parts, _ := u.holes(o)
	l := u.uploadLayout(o, content.Size())
	sealed := o.is(flagSealed)
	u.mu.Unlock()
	if len(parts) == 0 || !sealed && (o.gen.track == nil || o.gen.track.layout != l) {
		return nil // of an open one with other parts: when it is closed
	}
	m, err := u.openUpload(ctx, o, l, u.openHeaders(o))
	if err != nil {
		return err
	}
	err = u.eachPart(ctx, parts, func(ctx context.Context, i int) error { return u.pinPart(ctx, o, m, i, content) })
	if errors.Is(err, store.ErrNoUpload) {
		u.forgetUpload(o, m)
	}
	return err
}

// pinPart has one part copied. That of a generation which is still open counts if it stays a hole meanwhile.
func (u *Uploader) pinPart(ctx context.Context, o *op, m *multipart, i int, content *spool.Content) error {
	t := o.gen.track
	u.mu.Lock()
	open := !o.is(flagSealed)
	u.mu.Unlock()
	var seen uint64
	if open {
		var ok bool
		if seen, ok = t.look(i); !ok {
			return nil
		}
	}
	r := m.within(i, content.Size())
	if !content.OfBase(r.Off, r.Len) {
		return nil
	}
	part, err := u.copyPart(ctx, o, m, i, r)
	if err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.fold.ops[o.id] != o || o.upload != m {
		return errAbandoned
	}
	if open && !t.uploaded(i, seen) {
		return nil
	}
	return u.commit(o.partRecord(m, part))
}

// copyPart has the store copy a part of the base.
func (u *Uploader) copyPart(ctx context.Context, o *op, m *multipart, i int, r store.Range) (part store.Part, err error) {
	err = u.fromBase(ctx, o.gen, o, func(src source) error {
		_, err := u.try(ctx, r.Len, func(ctx context.Context) (err error) {
			part, err = u.store.CopyPart(ctx, o.key, m.id, int32(i+1), src.key, src.etag, r)
			return err
		})
		return err
	})
	part.Number, part.Size = int32(i+1), r.Len
	return part, err
}

// fromBase does something with the version that the holes of a generation are read from. Where that has gone because a
// generation below was committed meanwhile, whose bytes there are the same, it goes on with what that left. self is the
// operation on whose behalf it is done, nil for a reader.
func (u *Uploader) fromBase(ctx context.Context, g *generation, self *op, do func(source) error) error {
	for {
		u.mu.Lock()
		src := g.src
		u.mu.Unlock()
		err := do(src)
		gone := errors.Is(err, store.ErrChanged) || errors.Is(err, store.ErrNotExist) && !errors.Is(err, store.ErrNoBucket)
		if !gone {
			return err
		}
		again, werr := u.awaitSource(ctx, g, src, self)
		switch {
		case werr != nil:
			return werr
		case !again:
			return fmt.Errorf("%w: %w", ErrBaseLost, err)
		}
	}
}

// awaitSource waits while a commit is on its way that may be the end of a base. again: the generation has another now.
func (u *Uploader) awaitSource(ctx context.Context, g *generation, src source, self *op) (again bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	u.mu.Lock()
	defer u.mu.Unlock()
	for g.src == src {
		commits := func(x *op) bool {
			return x != self && x.kind == opPut && x.gen.src == src && (x.unsure || x.running && x.is(flagStarted))
		}
		if !slices.ContainsFunc(u.fold.queues[src.key], commits) {
			return false, nil
		}
		if err := u.waitChange(ctx); err != nil {
			return false, err
		}
	}
	return true, nil
}

// rebaseHoles gives the generations whose holes were read from the base of o what its commit has left in place of it. They
// are o's own and those that were opened on it, under whatever name: there all of them have the same bytes.
func (f *fold) rebaseHoles(o *op, at Base) {
	old := o.gen.src
	if old.key == "" || at.State != Present {
		return
	}
	left := source{key: o.key, etag: at.ETag, size: at.Size}
	for _, g := range slices.Collect(maps.Keys(f.readers[old])) {
		if g.op != nil {
			f.reads(g, left)
		}
	}
	f.reads(o.gen, left)
}

// reads says where the holes of a generation are read from.
func (f *fold) reads(g *generation, src source) {
	f.readsNoMore(g)
	g.src = src
	if f.readers[src] == nil {
		f.readers[src] = map[*generation]bool{}
	}
	f.readers[src][g] = true
}

func (f *fold) readsNoMore(g *generation) {
	all := f.readers[g.src]
	delete(all, g)
	if len(all) == 0 {
		delete(f.readers, g.src)
	}
}
