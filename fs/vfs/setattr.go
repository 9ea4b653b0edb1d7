package vfs

import (
	"context"
	"errors"
	"syscall"

	"github.com/s3levelfs/s3levelfs/fs/vfs/attrs"
	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// empty: nothing but perhaps the size is to be changed.
func (s SetAttr) empty() bool {
	return s.Mode == nil && s.UID == nil && s.GID == nil && s.Atime == nil && s.Mtime == nil
}

// SetAttr is chmod, chown, utimensat and truncate by path, or on an open file
// without a name.
func (v *FS) SetAttr(ctx context.Context, r Ref, s SetAttr) (Attr, error) {
	const op = "setattr"
	n, of, err := v.byRef(ctx, op, r)
	if err != nil {
		return Attr{}, err
	}
	if of != nil {
		return v.setGone(ctx, of, r.Path, s)
	}
	if err := v.writable(op, r.Path); err != nil {
		return Attr{}, err
	}
	if s.Size != nil {
		if err := v.truncate(ctx, &n, *s.Size); err != nil {
			return Attr{}, err
		}
		if n, err = v.find(ctx, op, r.Path); err != nil {
			return Attr{}, err
		}
	}
	if !s.empty() {
		if err := v.change(ctx, &n, func(h *store.Headers) error { return v.encode(s, h, &n) }); err != nil {
			return Attr{}, err
		}
		if of := v.opened(n.target.Key); of != nil && s.Mtime != nil && !n.dir {
			of.timed.Store(true)
		}
		if n, err = v.find(ctx, op, r.Path); err != nil {
			return Attr{}, err
		}
	}
	return v.attr(ctx, &n, true)
}

// truncate sets the size by path: a short write handle of its own.
func (v *FS) truncate(ctx context.Context, n *node, size int64) error {
	flags := uint32(syscall.O_WRONLY)
	if size == 0 {
		flags |= syscall.O_TRUNC
	}
	h, err := v.openNode(ctx, n, flags, nil)
	if err != nil {
		return err
	}
	if size != 0 {
		err = h.truncate(ctx, size)
	}
	if err == nil {
		err = h.Flush(ctx)
	}
	return errors.Join(err, h.Release(ctx))
}

// setGone changes an open file whose name is gone: nothing is kept of it but its size.
func (v *FS) setGone(ctx context.Context, of *openFile, path string, s SetAttr) (Attr, error) {
	src := of.source()
	local := src.local
	switch {
	case s.Size == nil:
	case src.kept != nil:
		if err := src.kept.Truncate(ctx, *s.Size); err != nil {
			return Attr{}, wrap("truncate", path, err)
		}
	default:
		if local == nil {
			return Attr{}, fail("truncate", path, syscall.ESTALE)
		}
		if err := local.Truncate(ctx, *s.Size); err != nil {
			return Attr{}, wrap("truncate", path, err)
		}
	}
	if local != nil && !s.empty() {
		h := local.Info().Headers.Clone()
		if err := v.encode(s, &h, &node{}); err != nil {
			return Attr{}, wrap("setattr", path, err)
		}
		of.timed.Store(s.Mtime != nil || of.timed.Load())
		if err := local.SetHeaders(h); err != nil {
			return Attr{}, wrap("setattr", path, err)
		}
	}
	return v.openAttr(ctx, of, path)
}

// SetAttr is ftruncate, fchmod, fchown and futimens.
func (h *Handle) SetAttr(ctx context.Context, s SetAttr) (Attr, error) {
	if s.Size != nil && h.Writable() {
		if err := h.truncate(ctx, *s.Size); err != nil {
			return Attr{}, err
		}
		s.Size = nil
	}
	if s.Size == nil && s.empty() {
		return h.Stat(ctx)
	}
	key := h.fs.keyOf(h.of)
	path, ok := h.fs.policy.PathOf(key)
	if key == "" || !ok {
		return h.fs.setGone(ctx, h.of, h.path, s)
	}
	if _, err := h.fs.SetAttr(ctx, Ref{Path: path, Ino: h.of.ino, Gen: h.of.gen}, s); err != nil {
		return Attr{}, err
	}
	return h.Stat(ctx)
}

// encode writes the changes into headers. Those of a file that is being written get
// the time of the last write, which the uploader leaves alone from now on.
func (v *FS) encode(s SetAttr, h *store.Headers, n *node) error {
	o := store.Object{Headers: h}
	if n.pending() {
		o.Size = n.info.Size
	} else if n.obj != nil {
		o.Size = n.obj.Size
	}
	p := attrs.Decode(o)
	if s.Mode != nil {
		p.Has |= attrs.HasMode
		p.Mode = *s.Mode & permMask
		switch {
		case n.dir:
			p.Mode |= attrs.TypeDir
		case p.IsSymlink():
			p.Mode |= attrs.TypeSymlink
		default:
			p.Mode |= attrs.TypeRegular
		}
	}
	if s.UID != nil {
		p.Has |= attrs.HasUID
		p.UID = *s.UID
	}
	if s.GID != nil {
		p.Has |= attrs.HasGID
		p.GID = *s.GID
	}
	if s.Atime != nil {
		p.Atime = *s.Atime
	}
	if s.Mtime != nil {
		p.Mtime = *s.Mtime
	} else if v.rewritten(n) || n.pending() && p.Mtime.IsZero() {
		p.Mtime = n.info.ModTime
	}
	return p.Encode(h)
}

// change rewrites a node's headers: in the pending generation where there is
// one, else by a self-copy that the uploader coalesces. The self-copy reads the
// object, so that it needs Get besides Put.
func (v *FS) change(ctx context.Context, n *node, edit func(*store.Headers) error) error {
	const op = "setattr"
	if n.link || n.target.Kind != levels.Entry {
		return fail(op, n.path, syscall.EPERM)
	}
	want := levels.Put
	if !n.pending() && !n.dir {
		want |= levels.Get
	}
	if err := v.need(op, n.path, n.target, want); err != nil {
		return err
	}
	if n.dir {
		return v.changeDir(ctx, n, edit)
	}
	err := v.changeFile(ctx, n, edit)
	if !errors.Is(err, uploader.ErrSettled) {
		return err
	}
	// Committed since it was found: what is stored now is changed.
	if *n, err = v.find(ctx, op, n.path); err != nil {
		return err
	}
	return v.change(ctx, n, edit)
}

// changeFile rewrites a file's headers. ErrSettled: it has to be found again.
func (v *FS) changeFile(ctx context.Context, n *node, edit func(*store.Headers) error) error {
	const op = "setattr"
	h, err := v.headers(ctx, n)
	if err != nil {
		return err
	}
	before := h.Clone()
	if err := edit(&h); err != nil {
		return notStorable(op, n.path, err)
	}
	if h.Equal(before) { // chown -R to the owner that all have already
		return nil
	}
	if n.pending() {
		f := v.up.File(n.target.Key)
		if f == nil {
			return uploader.ErrSettled
		}
		err := f.SetHeaders(h)
		if errors.Is(err, store.ErrNotExist) {
			err = uploader.ErrSettled
		}
		return wrap(op, n.path, errors.Join(err, f.Release(ctx, false)))
	}
	of := v.opened(n.target.Key)
	if of != nil {
		of.carry(n.target.Key, n.obj)
	}
	err = v.up.SetHeaders(ctx, n.target.Key, n.base(), h)
	if err != nil && of != nil {
		of.dropped()
	}
	return refused(op, n.path, err)
}

// changeDir rewrites the headers of a directory's marker, and makes one where there
// is none: what an implied directory should remember needs a place.
func (v *FS) changeDir(ctx context.Context, n *node, edit func(*store.Headers) error) error {
	const op = "setattr"
	facts, _, err := v.dirFacts(ctx, n, true)
	if err != nil {
		return err
	}
	var h store.Headers
	base := uploader.Base{State: uploader.Absent}
	switch {
	case n.marking():
		h, base = n.info.Headers.Clone(), n.info.Base
	case facts.marker:
		h = facts.obj.Headers.Clone()
		base = uploader.Base{ModTime: facts.obj.LastModified, Headers: facts.obj.Headers}
		if facts.obj.ETag != "" { // else the news of the marker's upload is still under way: a HEAD tells
			base.State, base.ETag = uploader.Present, facts.obj.ETag
		}
	}
	before, had := h.Clone(), facts.marker || n.marking()
	if err := edit(&h); err != nil {
		return notStorable(op, n.path, err)
	}
	if had && h.Equal(before) {
		return nil
	}
	if !had {
		err = v.up.Mkdir(ctx, n.target.DirKey(), h)
	} else {
		err = v.up.SetHeaders(ctx, n.target.DirPrefix(), base, h)
	}
	if err != nil {
		return refused(op, n.path, err)
	}
	v.dirs.Add(n.target.DirPrefix(), dirFacts{
		marker: true, until: v.fixedUntil(),
		obj: store.Object{Key: n.target.DirPrefix(), ETag: base.ETag, LastModified: base.ModTime, Headers: &h},
	})
	return nil
}

// notStorable gives what headers can not hold its number: the metadata has 2 KiB, some names are taken, others can be none.
func notStorable(op, path string, err error) error {
	for _, is := range []struct {
		err   error
		errno syscall.Errno
	}{{attrs.ErrMetadataTooLarge, syscall.ENOSPC}, {attrs.ErrReserved, syscall.EPERM}, {attrs.ErrNotHeader, syscall.EINVAL}} {
		if errors.Is(err, is.err) {
			return errors.Join(fail(op, path, is.errno), err)
		}
	}
	return wrap(op, path, err)
}
