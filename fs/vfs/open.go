package vfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// changes tells whether open(2)'s flags ask for a write handle.
func changes(flags uint32) bool {
	return flags&syscall.O_ACCMODE != syscall.O_RDONLY || flags&syscall.O_TRUNC != 0
}

// wanted are the grants that an open with flags needs.
func wanted(flags uint32) levels.Perm {
	want := levels.None
	if flags&syscall.O_ACCMODE != syscall.O_WRONLY {
		want |= levels.Get
	}
	if changes(flags) {
		want |= levels.Put
	}
	return want
}

// Open opens an existing file with open(2)'s flags; O_CREAT and O_EXCL
// mean nothing here. The version is that of a listing at most Config.MetadataTTL
// old. A directory gives EISDIR, a symlink ELOOP.
func (v *FS) Open(ctx context.Context, path string, flags uint32) (*Handle, error) {
	return v.OpenIf(ctx, path, flags, nil)
}

// OpenIf is Open where accept, if not nil, agrees to what O_TRUNC is about to empty; its error is
// the open's, and nothing is changed then. Of what it is told, number, generation and type are right.
func (v *FS) OpenIf(ctx context.Context, path string, flags uint32, accept func(Attr) error) (*Handle, error) {
	return steady(ctx, v, path, func() (*Handle, error) {
		n, err := v.find(ctx, "open", path)
		if err != nil {
			return nil, err
		}
		return v.openNode(ctx, &n, flags, accept)
	}, func(h *Handle) {
		if err := h.Release(context.WithoutCancel(ctx)); err != nil {
			v.log.Debug("handle of a renamed file", zap.String("path", path), zap.Error(err))
		}
	})
}

// errMoved: this mount has changed what a name stands for while it was being opened. ESTALE is for those who do not
// find it again: there the kernel's lock of the directory keeps changes away.
var errMoved = fmt.Errorf("changed by this mount meanwhile: %w", syscall.ESTALE)

// openNode opens what was found, and finds it again as often as this mount changes it meanwhile.
func (v *FS) openNode(ctx context.Context, n *node, flags uint32, accept func(Attr) error) (*Handle, error) {
	for {
		h, err := v.openFound(ctx, n, flags, accept)
		if !errors.Is(err, errMoved) {
			return h, err
		}
		if _, err := v.crossings.wait(ctx, n.target.Key); err != nil {
			return nil, wrap("open", n.path, err)
		}
		if *n, err = v.find(ctx, "open", n.path); err != nil {
			return nil, err
		}
	}
}

func (v *FS) openFound(ctx context.Context, n *node, flags uint32, accept func(Attr) error) (*Handle, error) {
	const op = "open"
	switch {
	case n.dir:
		return nil, fail(op, n.path, syscall.EISDIR)
	case n.link:
		return nil, fail(op, n.path, syscall.ELOOP)
	}
	if err := v.need(op, n.path, n.target, v.readsOwn(n, wanted(flags))); err != nil {
		return nil, err
	}
	if !changes(flags) {
		return v.openRead(ctx, n, flags)
	}
	if err := v.writable(op, n.path); err != nil {
		return nil, err
	}
	// Without O_TRUNC the new bytes go over old ones, which have to be read.
	if flags&syscall.O_TRUNC == 0 && !n.pending() {
		if err := v.need(op, n.path, n.target, levels.Get); err != nil {
			return nil, err
		}
	}
	o := uploader.OpenOptions{Truncate: flags&syscall.O_TRUNC != 0}
	if o.Truncate && accept != nil {
		a, _, err := v.describe(ctx, n, true)
		if err != nil {
			return nil, err
		}
		var stale bool
		if a.Ino, a.Gen, stale = v.number(n, false); stale {
			return nil, errMoved
		}
		if err := accept(a); err != nil {
			return nil, err
		}
	}
	return v.openWrite(ctx, n, flags, o)
}

// readsOwn drops Get from what an open needs where the bytes are this mount's
// own and not yet sent: reading them sends no request.
func (v *FS) readsOwn(n *node, want levels.Perm) levels.Perm {
	if n.pending() && n.info.Base.State != uploader.Present {
		return want &^ levels.Get
	}
	return want
}

// openRead makes a read-only handle. A file that was pending when it was found
// may have been committed meanwhile.
func (v *FS) openRead(ctx context.Context, n *node, flags uint32) (*Handle, error) {
	var local *uploader.File
	if n.pending() {
		if local = v.up.File(n.target.Key); local == nil {
			return nil, errMoved
		}
	}
	of := v.share(n, local)
	switch {
	case of == nil && local != nil:
		return nil, errors.Join(errMoved, local.Release(context.WithoutCancel(ctx), false))
	case of == nil:
		return nil, errMoved
	}
	h := newHandle(v, of, n.path, flags)
	h.dir, h.name = sibling(n)
	return h, nil
}

// openWrite makes a handle that can write: the level's right is proved, the
// headers of what is stored are known (they survive), and every other handle of the
// same file sees the writes from now on.
func (v *FS) openWrite(ctx context.Context, n *node, flags uint32, o uploader.OpenOptions) (*Handle, error) {
	const op = "open"
	t := n.target
	if err := v.prove(ctx, op, n.path, t); err != nil {
		return nil, err
	}
	if n.obj != nil && !n.pending() && t.Grants.Has(levels.Get) {
		h, err := v.headers(ctx, n)
		if err != nil {
			return nil, err
		}
		obj := *n.obj
		obj.Headers = &h
		n.obj = &obj
	}
	if _, _, stale := v.number(n, false); stale { // a version not seen before is a new generation, also when it is opened for writing
		return nil, errMoved
	}
	if o.Base.State == uploader.Unknown {
		o.Base = n.base()
	}
	f, err := v.up.Open(ctx, t.Key, o)
	switch {
	case errors.Is(err, uploader.ErrSettled):
		return nil, errMoved
	case err != nil:
		return nil, refused(op, n.path, err)
	}
	info := f.Info()
	if n.obj == nil || o.Truncate || !settled(info) {
		n.info, n.own = &info, true
	}
	var local *uploader.File
	if info.Gen != "" || n.obj == nil {
		local = f.Share()
	}
	of := v.share(n, local)
	if of == nil {
		if local != nil {
			err = local.Release(ctx, false)
		}
		return nil, errors.Join(errMoved, wrap(op, n.path, errors.Join(err, f.Release(ctx, true))))
	}
	of.addWriter(f)
	h := newHandle(v, of, n.path, flags)
	h.writer = f
	return h, nil
}

// refused gives the uploader's refusals their numbers.
func refused(op, path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrExist):
		return fail(op, path, syscall.EEXIST)
	case errors.Is(err, fs.ErrPermission):
		return fail(op, path, syscall.EACCES)
	}
	return wrap(op, path, err)
}

// prove has the level's right to write probed before its first byte moves.
func (v *FS) prove(ctx context.Context, op, path string, t levels.Target) error {
	return refused(op, path, v.up.Prove(ctx, t.Prefix))
}

// headers of a file: those of the pending generation, those that are known of the
// stored version, or what one HEAD says.
func (v *FS) headers(ctx context.Context, n *node) (store.Headers, error) {
	if n.info != nil {
		return n.info.Headers.Clone(), nil
	}
	if n.obj.Headers != nil {
		return n.obj.Headers.Clone(), nil
	}
	if h, _, fresh, _ := v.attrs.Get(*n.obj); fresh {
		return h.Clone(), nil
	}
	h, _, err := v.fetchHeaders(ctx, n)
	return h.Clone(), err
}
