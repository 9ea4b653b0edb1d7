package vfs

import (
	"context"
	"syscall"

	"github.com/s3levelfs/s3levelfs/fs/vfs/attrs"
	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
)

// Mkdir makes a directory: an empty object with a slash at its end, as the S3
// console and Amplify's StorageBrowser make them.
func (v *FS) Mkdir(ctx context.Context, path string, mode uint32) (Attr, error) {
	const op = "mkdir"
	t, err := v.makable(op, path)
	if err != nil {
		return Attr{}, err
	}
	n, err := v.findTarget(ctx, op, path, t)
	switch {
	case err == nil:
		return Attr{}, fail(op, path, syscall.EEXIST)
	case !isAbsent(err):
		return Attr{}, err
	}
	n.dir = true
	if err := v.roomFor(op, &n); err != nil {
		return Attr{}, err
	}
	if err := v.prove(ctx, op, path, t); err != nil {
		return Attr{}, err
	}
	h, err := v.dirHeaders(t, mode)
	if err != nil {
		return Attr{}, wrap(op, path, err)
	}
	if err := v.up.Mkdir(ctx, t.Key, h); err != nil {
		return Attr{}, refused(op, path, err)
	}
	dir := t.DirPrefix()
	v.alive(dir)
	v.listing.NewDir(dir)
	v.touch(t.Parent)
	v.settleDir(dir, store.Object{Key: dir, Headers: &h, LastModified: v.now()})
	n.until = v.fixedUntil()
	return v.attr(ctx, &n, false)
}

// dirHeaders are those of a new marker: its mode, where that is not the one that the
// level gives anyway.
func (v *FS) dirHeaders(t levels.Target, mode uint32) (store.Headers, error) {
	h := store.Headers{}
	v.encrypted(t.DirPrefix(), &h)
	if mode &= permMask; mode == t.Mode(true)&^v.cfg.Umask {
		return h, nil
	}
	p := attrs.Posix{Has: attrs.HasMode, Mode: attrs.TypeDir | mode}
	return h, p.Encode(&h)
}
