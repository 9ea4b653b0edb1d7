package vfs

import (
	"context"
	"errors"
	"io"
	"strings"
	"syscall"

	"github.com/s3levelfs/s3levelfs/cache"
	"github.com/s3levelfs/s3levelfs/fs/vfs/attrs"
	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
)

// maxLink is PATH_MAX less the final NUL, bytes.
const maxLink = 4095

// Symlink makes a symbolic link at path: an empty object whose headers hold the
// target.
func (v *FS) Symlink(ctx context.Context, target, path string) (Attr, error) {
	const op = "symlink"
	switch {
	case target == "":
		return Attr{}, fail(op, path, syscall.ENOENT)
	case len(target) > maxLink:
		return Attr{}, fail(op, path, syscall.ENAMETOOLONG)
	}
	t, err := v.makable(op, path)
	if err != nil {
		return Attr{}, err
	}
	h := store.Headers{ContentType: "application/x-symlink"}
	v.encrypted(t.Key, &h)
	p := attrs.Posix{Has: attrs.HasMode, Mode: attrs.TypeSymlink | 0o777, Link: target}
	if err := p.Encode(&h); err != nil {
		return Attr{}, notStorable(op, path, err)
	}
	if err := v.makeEmpty(ctx, op, path, t, h); err != nil {
		return Attr{}, err
	}
	return v.Lookup(ctx, path)
}

// makeEmpty makes a new empty file with the given headers.
func (v *FS) makeEmpty(ctx context.Context, op, path string, t levels.Target, h store.Headers) error {
	n, err := v.findTarget(ctx, op, path, t)
	switch {
	case err == nil:
		return fail(op, path, syscall.EEXIST)
	case !isAbsent(err):
		return err
	}
	handle, err := v.createWith(ctx, &n, syscall.O_WRONLY|syscall.O_EXCL, h)
	if err != nil {
		return err
	}
	return errors.Join(handle.Flush(ctx), handle.Release(ctx))
}

// Readlink gives the target of a symbolic link; EINVAL for everything else.
func (v *FS) Readlink(ctx context.Context, r Ref) (string, error) {
	const op = "readlink"
	n, err := v.xattrNode(ctx, op, r)
	if err != nil {
		return "", err
	}
	switch {
	case n.link:
		return n.target.Link, nil
	case n.dir:
		return "", fail(op, r.Path, syscall.EINVAL)
	}
	p, _, err := v.posix(ctx, &n, true)
	switch {
	case err != nil:
		return "", err
	case p.Link != "":
		return p.Link, nil
	case p.LinkInBody && n.obj != nil && n.obj.Size <= maxLink:
		return v.bodyLink(ctx, &n)
	}
	return "", fail(op, r.Path, syscall.EINVAL)
}

// bodyLink reads a target that another program keeps in the object's body.
func (v *FS) bodyLink(ctx context.Context, n *node) (string, error) {
	buf := make([]byte, n.obj.Size)
	obj := cache.Object{Key: n.obj.Key, ETag: n.obj.ETag, Size: n.obj.Size, ModTime: n.obj.LastModified}
	got, err := v.cache.ReadAt(ctx, obj, nil, buf, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", wrap("readlink", n.path, err)
	}
	return strings.TrimRight(string(buf[:got]), "\x00\n"), nil
}

// Link is refused: an object has one name.
func (v *FS) Link(_ context.Context, _, to string) error {
	return fail("link", to, syscall.EPERM)
}

// Mknod makes an empty regular file; devices, pipes and sockets are EPERM.
func (v *FS) Mknod(ctx context.Context, path string, mode uint32) (Attr, error) {
	const op = "mknod"
	if kind := mode & syscall.S_IFMT; kind != syscall.S_IFREG && kind != 0 {
		return Attr{}, fail(op, path, syscall.EPERM)
	}
	t, err := v.makable(op, path)
	if err != nil {
		return Attr{}, err
	}
	h, err := v.newHeaders(t, mode)
	if err != nil {
		return Attr{}, wrap(op, path, err)
	}
	if err := v.makeEmpty(ctx, op, path, t, h); err != nil {
		return Attr{}, err
	}
	return v.Lookup(ctx, path)
}
