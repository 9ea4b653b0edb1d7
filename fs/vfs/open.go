package vfs

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"syscall"

	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/fs/vfs/attrs"
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

func (v *FS) openNode(ctx context.Context, n *node, flags uint32, accept func(Attr) error) (*Handle, error) {
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
		a.Ino, a.Gen = v.number(n, false)
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
// may have been committed meanwhile: then it is found again.
func (v *FS) openRead(ctx context.Context, n *node, flags uint32) (*Handle, error) {
	for range 3 {
		if !n.pending() {
			return newHandle(v, v.share(n, nil), n.path, flags), nil
		}
		if local := v.up.File(n.target.Key); local != nil {
			return newHandle(v, v.share(n, local), n.path, flags), nil
		}
		again, err := v.find(ctx, "open", n.path)
		if err != nil {
			return nil, err
		}
		if again.dir || again.link {
			return nil, fail("open", n.path, syscall.ESTALE)
		}
		*n = again
	}
	return nil, fail("open", n.path, syscall.ESTALE)
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
	v.number(n, false) // a version not seen before is a new generation, also when it is opened for writing
	if o.Base.State == uploader.Unknown {
		o.Base = n.base()
	}
	f, err := v.openFileOf(ctx, n, o)
	if err != nil {
		return nil, err
	}
	info := f.Info()
	if o.Truncate && !settled(info) {
		v.due.mark(t.Key)
		v.due.expect(t.Key, info.Gen)
	}
	if n.obj == nil || o.Truncate || !settled(info) {
		n.info, n.own = &info, true
	}
	var local *uploader.File
	if info.Gen != "" || n.obj == nil {
		local = f.Share()
	}
	of := v.share(n, local)
	of.addWriter(f)
	h := newHandle(v, of, n.path, flags)
	h.writer = f
	return h, nil
}

// openFileOf opens the uploader's file. One that was pending when it was found is held
// meanwhile, so that a commit in between does not make it a new one.
func (v *FS) openFileOf(ctx context.Context, n *node, o uploader.OpenOptions) (*uploader.File, error) {
	key := n.target.Key
	if n.pending() && !o.Truncate {
		held := v.up.File(key)
		if held == nil {
			again, err := v.find(ctx, "open", n.path)
			switch {
			case err != nil:
				return nil, err
			case again.dir || again.link || again.pending():
				return nil, fail("open", n.path, syscall.ESTALE)
			}
			*n = again
			o.Base = n.base()
			return v.openFileOf(ctx, n, o)
		}
		f, err := v.up.Open(ctx, key, o)
		return f, errors.Join(refused("open", n.path, err), held.Release(ctx, false))
	}
	f, err := v.up.Open(ctx, key, o)
	return f, refused("open", n.path, err)
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

// Create makes a file and opens it; without O_EXCL it opens one that is there.
func (v *FS) Create(ctx context.Context, path string, flags, mode uint32) (*Handle, Attr, error) {
	const op = "create"
	t, err := v.makable(op, path)
	if err != nil {
		return nil, Attr{}, err
	}
	n, err := v.findTarget(ctx, op, path, t)
	var h *Handle
	switch {
	case err == nil && flags&syscall.O_EXCL != 0:
		return nil, Attr{}, fail(op, path, syscall.EEXIST)
	case err == nil:
		h, err = v.openNode(ctx, &n, flags, nil)
	case isAbsent(err):
		h, err = v.createNew(ctx, &n, flags, mode)
	}
	if err != nil {
		return nil, Attr{}, err
	}
	n.until = v.fixedUntil()
	a, err := h.Stat(ctx)
	if err != nil {
		return nil, Attr{}, errors.Join(err, h.Release(ctx))
	}
	v.known(h.of)
	return h, a, nil
}

// createNew opens a file that is not there.
func (v *FS) createNew(ctx context.Context, n *node, flags, mode uint32) (*Handle, error) {
	headers, err := v.newHeaders(n.target, mode)
	if err != nil {
		return nil, wrap("create", n.path, err)
	}
	return v.createWith(ctx, n, flags, headers)
}

// createWith opens a new file with these headers. In a level that can not be listed
// nobody knows whether something is there already.
func (v *FS) createWith(ctx context.Context, n *node, flags uint32, h store.Headers) (*Handle, error) {
	if err := v.roomFor("create", n); err != nil {
		return nil, err
	}
	replaced, err := v.keepReaders(ctx, n.target.Key)
	if err != nil {
		return nil, wrap("create", n.path, err)
	}
	v.unlinked(n.target.Key) // who still reads a file of that name, which is gone, reads on without the name
	o := uploader.OpenOptions{Exclusive: flags&syscall.O_EXCL != 0, Truncate: true, Headers: h}
	if n.target.Grants.Any(levels.List | levels.Get) {
		o.Base.State = uploader.Absent
	}
	n.info, n.obj = nil, nil
	handle, err := v.openWrite(ctx, n, flags, o)
	replaced(err == nil)
	if err == nil {
		v.alive(n.target.Parent)
		v.touch(n.target.Parent)
	}
	return handle, err
}

// roomFor refuses a new name that this program may not write, and one below a
// file: a key and the same key with a slash never come from here.
func (v *FS) roomFor(op string, n *node) error {
	if n.target.Foreign {
		return fail(op, n.path, syscall.EINVAL)
	}
	if len(n.target.Key) > maxKey-1 && n.dir {
		return fail(op, n.path, syscall.ENAMETOOLONG)
	}
	above := strings.TrimSuffix(n.target.Parent, "/")
	parent, ok := v.up.Lookup(above)
	pending := ok && parent.Kind == uploader.KindFile
	if pending || v.inodes.live(above) != 0 && v.inodes.live(n.target.Parent) == 0 {
		return fail(op, n.path, syscall.ENOTDIR)
	}
	return nil
}

// newHeaders are those of a new file: its mode, where that is not the one that the
// level gives anyway. The uploader adds the type that name and content tell.
func (v *FS) newHeaders(t levels.Target, mode uint32) (store.Headers, error) {
	var h store.Headers
	if mode &= permMask; mode == t.Mode(false)&^v.cfg.Umask {
		return h, nil
	}
	p := attrs.Posix{Has: attrs.HasMode, Mode: attrs.TypeRegular | mode}
	return h, p.Encode(&h)
}

// known tells the inode table that the kernel holds the number of an open file.
func (v *FS) known(of *openFile) { v.inodes.keep(of.ino) }
