package vfs

import (
	"context"
	"errors"
	"syscall"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// Settle waits until the events of everything that this mount changed have been taken in.
func (v *FS) Settle(ctx context.Context) {
	_, _ = v.up.AwaitEvents(ctx, "")
}

// OpenLate is an open for reading that is held up between finding the file with its bytes, and getting it.
func (v *FS) OpenLate(ctx context.Context, path string, meanwhile func()) (*Handle, error) {
	n, err := v.find(ctx, "open", path)
	if err != nil {
		return nil, err
	}
	local := v.up.File(n.target.Key)
	meanwhile()
	of := v.share(&n, local)
	if of == nil {
		if local != nil {
			err = local.Release(ctx, false)
		}
		return nil, errors.Join(errMoved, err)
	}
	return newHandle(v, of, path, syscall.O_RDONLY), nil
}

// LookLate is a lookup that is held up between finding the file and telling its number.
func (v *FS) LookLate(ctx context.Context, path string, meanwhile func()) (Attr, error) {
	n, err := v.find(ctx, "lookup", path)
	if err != nil {
		return Attr{}, err
	}
	meanwhile()
	return v.attr(ctx, &n, true)
}

// SizeLate is the size that a handle's file has, asked for while meanwhile comes to pass.
func (h *Handle) SizeLate(meanwhile func()) (size int64) {
	h.of.view(func(s source) {
		meanwhile()
		meanwhile = func() {}
		size = s.length()
	})
	return size
}

// UnlinkLate is an unlink that is held up between finding the file and removing it.
func (v *FS) UnlinkLate(ctx context.Context, path string, meanwhile func()) error {
	n, err := v.find(ctx, "unlink", path)
	if err != nil {
		return err
	}
	meanwhile()
	if err := v.unlink(ctx, &n); !errors.Is(err, uploader.ErrSettled) {
		return err
	}
	return v.Unlink(ctx, path)
}

// RenameLate is a rename that is held up between finding both names and moving the file.
func (v *FS) RenameLate(ctx context.Context, from, to string, meanwhile func()) error {
	m, err := v.planMove(ctx, from, to, false)
	if err != nil {
		return err
	}
	meanwhile()
	if err := v.rename(ctx, m, false); !errors.Is(err, uploader.ErrSettled) {
		return err
	}
	return v.Rename(ctx, from, to, 0)
}

// ChmodLate is a chmod that is held up between finding the file and changing it.
func (v *FS) ChmodLate(ctx context.Context, path string, mode uint32, meanwhile func()) error {
	n, err := v.find(ctx, "setattr", path)
	if err != nil {
		return err
	}
	meanwhile()
	return v.change(ctx, &n, func(h *store.Headers) error { return v.encode(SetAttr{Mode: &mode}, h, &n) })
}
