package vfs

import (
	"context"
	"errors"
	"syscall"
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
