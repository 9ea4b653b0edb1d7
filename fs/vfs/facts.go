package vfs

import (
	"cmp"
	"context"
	"strings"

	"github.com/s3levelfs/s3levelfs/cache"
	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
)

// fact tells what the mount knows of a file; "" = nothing. It is asked for by its name alone, so that those that cost a
// request (version-id: a HEAD; sse, where the headers are not known: a HEAD) cost it only where they are wanted.
func (v *FS) fact(ctx context.Context, n *node, name string) (string, error) {
	switch fact := strings.TrimPrefix(name, xattrOwn); fact {
	case "key":
		return n.key(), nil
	case "level":
		return cmp.Or(n.target.Place, n.target.Level.String()), nil
	case "identity":
		return v.policy.Identity().ID, nil
	case "state":
		return v.stateOf(n), nil
	case "error":
		return v.trouble(ctx, n)
	case "conflict":
		return v.conflictOf(n), nil
	case "verified":
		if n.obj != nil && !n.dir {
			return v.cache.Verified(cache.Object{Key: n.obj.Key, ETag: n.obj.ETag, Size: n.obj.Size}), nil
		}
	case "etag":
		switch {
		case n.obj != nil:
			return n.obj.ETag, nil
		case n.info != nil:
			return n.info.Base.ETag, nil
		}
	case "storage-class":
		return storageClass(n), nil
	case "version-id":
		return v.versionID(ctx, n)
	case "sse":
		return v.encryption(ctx, n)
	case "url":
		return v.url(ctx, n)
	}
	return "", nil
}

func storageClass(n *node) string {
	switch {
	case n.obj != nil && n.obj.StorageClass != "":
		return n.obj.StorageClass
	case n.pending() && n.info.Headers.StorageClass != "":
		return n.info.Headers.StorageClass
	case !n.dir:
		return store.ClassStandard
	}
	return ""
}

// versionID is that of the stored version, in a bucket with versions: neither listings nor what is kept of headers tell it.
func (v *FS) versionID(ctx context.Context, n *node) (string, error) {
	if n.obj == nil || n.dir || n.pending() || !n.target.Grants.Has(levels.Get) {
		return "", nil
	}
	o, err := v.store.Head(ctx, n.obj.Key, store.Cond{IfMatch: n.obj.ETag})
	return o.VersionID, wrap("getxattr", n.path, err)
}

// encryption is how the stored object is encrypted: AES256, or aws:kms and the key; of what is pending, what will be asked for.
func (v *FS) encryption(ctx context.Context, n *node) (string, error) {
	if n.dir {
		return "", nil
	}
	h, err := v.xattrHeaders(ctx, n)
	return strings.TrimSpace(h.SSE + " " + h.SSEKMSKeyID), err
}

// url is one by which anybody can read the stored version of a file for a while. It is made when it is asked for, and sends no request.
func (v *FS) url(ctx context.Context, n *node) (string, error) {
	if v.presign == nil || n.dir || n.link || n.obj == nil || n.moving() || !n.target.Grants.Has(levels.Get) {
		return "", nil
	}
	url, err := v.presign.PresignGet(ctx, n.obj.Key, v.cfg.URLExpires)
	return url, wrap("getxattr", n.path, err)
}

// trouble is what is wrong with a file, and where nothing is known of it, why its headers can not be had: such as for want of the key that
// it is encrypted with.
func (v *FS) trouble(ctx context.Context, n *node) (string, error) {
	if text := v.errorOf(n); text != "" || n.dir || n.link || n.obj == nil || n.info != nil || !n.target.Grants.Has(levels.Get) {
		return text, nil
	}
	_, err := v.headers(ctx, n)
	switch {
	case err == nil, isCancelled(err):
		return "", err
	}
	return err.Error(), nil
}
