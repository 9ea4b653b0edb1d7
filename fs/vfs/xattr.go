package vfs

import (
	"context"
	"errors"
	"slices"
	"strings"
	"syscall"

	"github.com/s3levelfs/s3levelfs/fs/vfs/attrs"
	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
)

// Extended attributes are headers: user.s3.<header> is a header of S3,
// user.s3levelfs.<fact> tells what the mount knows of the file (read-only, never
// listed, see facts.go), user.meta.<name> is the metadata x-amz-meta-<name> as it
// is, and every other user.<name> is the same, escaped so that any name and
// value fits. Other namespaces hold nothing.
const (
	xattrUser = "user."
	xattrS3   = "user.s3."
	xattrOwn  = "user.s3levelfs."
)

// headerField finds the header of a user.s3.* name; nil = none.
func headerField(h *store.Headers, name string) *string {
	switch strings.TrimPrefix(name, xattrS3) {
	case "content-type":
		return &h.ContentType
	case "cache-control":
		return &h.CacheControl
	case "content-disposition":
		return &h.ContentDisposition
	case "content-encoding":
		return &h.ContentEncoding
	case "content-language":
		return &h.ContentLanguage
	case "expires":
		return &h.Expires
	case "storage-class":
		return &h.StorageClass
	case "tags":
		return &h.Tags
	}
	return nil
}

// headerNames are the names that headerField knows, in order.
func headerNames() []string {
	return []string{
		xattrS3 + "cache-control", xattrS3 + "content-disposition", xattrS3 + "content-encoding",
		xattrS3 + "content-language", xattrS3 + "content-type", xattrS3 + "expires", xattrS3 + "storage-class", xattrS3 + "tags",
	}
}

// xattrNode finds what an operation on extended attributes is about. An open file
// without a name is judged by what is left of it.
func (v *FS) xattrNode(ctx context.Context, op string, r Ref) (node, error) {
	n, of, err := v.byRef(ctx, op, r)
	if of != nil {
		n = v.openNodeOf(of, r.Path)
	}
	return n, err
}

// xattrHeaders gives the headers that carry a node's attributes; there may be none.
func (v *FS) xattrHeaders(ctx context.Context, n *node) (store.Headers, error) {
	switch {
	case n.link:
		return store.Headers{}, nil
	case !n.dir:
		if n.info == nil && !n.target.Grants.Has(levels.Get) {
			return store.Headers{}, nil
		}
		return v.headers(ctx, n)
	case n.info != nil:
		return n.info.Headers, nil
	}
	facts, _, err := v.dirFacts(ctx, n, true)
	if err != nil || !facts.marker || facts.obj.Headers == nil {
		return store.Headers{}, err
	}
	return *facts.obj.Headers, nil
}

// GetXattr returns the value of an extended attribute; ENODATA where there is none.
// The caller answers ERANGE.
func (v *FS) GetXattr(ctx context.Context, r Ref, name string) ([]byte, error) {
	const op = "getxattr"
	if !strings.HasPrefix(name, xattrUser) {
		return nil, fail(op, r.Path, syscall.ENODATA) // without a look: ls -l asks for them on every file
	}
	n, err := v.xattrNode(ctx, op, r)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(name, xattrOwn) {
		fact, err := v.fact(ctx, &n, name)
		if err == nil && fact == "" {
			err = fail(op, r.Path, syscall.ENODATA)
		}
		return []byte(fact), err
	}
	h, err := v.xattrHeaders(ctx, &n)
	if err != nil {
		return nil, err
	}
	if value, ok := getHeader(h, name); ok {
		return value, nil
	}
	return nil, fail(op, r.Path, syscall.ENODATA)
}

// there: a header has a value.
func there(field string) bool { return field != "" && field != store.NoTags }

// getHeader reads an attribute that is a header.
func getHeader(h store.Headers, name string) ([]byte, bool) {
	if strings.HasPrefix(name, xattrS3) {
		if field := headerField(&h, name); field != nil {
			return []byte(*field), there(*field)
		}
	}
	return attrs.GetXattr(h, name)
}

// ListXattr lists the names that GetXattr knows for a file, in order.
func (v *FS) ListXattr(ctx context.Context, r Ref) ([]string, error) {
	n, err := v.xattrNode(ctx, "listxattr", r)
	if err != nil {
		return nil, err
	}
	h, err := v.xattrHeaders(ctx, &n)
	if err != nil {
		return nil, err
	}
	names := attrs.ListXattr(h)
	for _, name := range headerNames() {
		if there(*headerField(&h, name)) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// SetXattr sets an extended attribute under XATTR_CREATE (EEXIST) and
// XATTR_REPLACE (ENODATA).
func (v *FS) SetXattr(ctx context.Context, r Ref, name string, value []byte, flags uint32) error {
	const op = "setxattr"
	if err := v.storable(op, r.Path, name); err != nil {
		return err
	}
	return v.changeXattr(ctx, op, r, func(h *store.Headers) error {
		_, there := getHeader(*h, name)
		switch {
		case there && flags&XattrCreate != 0:
			return syscall.EEXIST
		case !there && flags&XattrReplace != 0:
			return syscall.ENODATA
		}
		if strings.HasPrefix(name, xattrS3) {
			return setHeader(h, name, string(value))
		}
		return attrs.SetXattr(h, name, value)
	})
}

// setHeader sets one header of S3: EINVAL for a value that it can not have, ENOSPC where there is no room.
func setHeader(h *store.Headers, name, value string) error {
	if value == "" {
		return syscall.EINVAL // that would remove it
	}
	var alone store.Headers // the others are as somebody has stored them
	*headerField(&alone, name) = value
	if headerField(&alone, name) == &alone.Tags {
		tags, err := store.ParseTags(value)
		if err != nil {
			return errors.Join(syscall.EINVAL, err)
		}
		value = tags
	}
	next := h.Clone()
	*headerField(&next, name) = value
	if err := next.Validate(); errors.Is(err, store.ErrHeadersTooLarge) {
		return errors.Join(syscall.ENOSPC, err)
	}
	if err := alone.Validate(); err != nil {
		return errors.Join(syscall.EINVAL, err)
	}
	if next.StorageClass == store.ClassStandard {
		next.StorageClass = ""
	}
	*h = next
	return nil
}

// RemoveXattr removes an extended attribute; ENODATA where there is none.
func (v *FS) RemoveXattr(ctx context.Context, r Ref, name string) error {
	const op = "removexattr"
	if err := v.storable(op, r.Path, name); err != nil {
		return err
	}
	return v.changeXattr(ctx, op, r, func(h *store.Headers) error {
		if strings.HasPrefix(name, xattrS3) {
			field := headerField(h, name)
			if !there(*field) {
				return syscall.ENODATA
			}
			if *field = ""; field == &h.Tags {
				*field = store.NoTags // "" would leave them
			}
			return nil
		}
		if !attrs.RemoveXattr(h, name) {
			return syscall.ENODATA
		}
		return nil
	})
}

// storable refuses names that no header can hold.
func (v *FS) storable(op, path, name string) error {
	switch {
	case !strings.HasPrefix(name, xattrUser), name == xattrUser:
		return fail(op, path, syscall.ENOTSUP)
	case strings.HasPrefix(name, xattrOwn):
		return fail(op, path, syscall.EPERM) // facts
	case strings.HasPrefix(name, xattrS3) && headerField(&store.Headers{}, name) == nil:
		return fail(op, path, syscall.ENOTSUP)
	}
	return v.writable(op, path)
}

// changeXattr edits the headers that hold the attributes of a file.
func (v *FS) changeXattr(ctx context.Context, op string, r Ref, edit func(*store.Headers) error) error {
	n, of, err := v.byRef(ctx, op, r)
	if err != nil {
		return err
	}
	if of != nil {
		return fail(op, r.Path, syscall.ESTALE) // nothing is kept of a file without a name
	}
	return v.change(ctx, &n, edit)
}
