package vfs

import (
	"context"
	"errors"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// What is made here gets the options of objects ([Config.Created]) as its first headers: they are seen, changed and removed like any. What
// exists keeps its own.

// encrypted are the headers of how a new object is encrypted. Directory markers and links get these alone: a bucket may
// refuse what is not encrypted.
func (v *FS) encrypted(key string, h *store.Headers) {
	o := v.cfg.Created(key)
	h.SSE, h.SSEKMSKeyID, h.BucketKey = o.SSE, o.SSEKMSKeyID, o.BucketKey
}

// follow gives a new file that is renamed before it is uploaded the options of its new name, where it has those of the old one: programs
// write under another name first.
func (v *FS) follow(ctx context.Context, m *move) error {
	if !m.from.pending() || m.from.info.Base.State == uploader.Present {
		return nil
	}
	src, dst := v.cfg.Created(m.from.target.Key), v.cfg.Created(m.to.target.Key)
	if src.Equal(dst) {
		return nil
	}
	h := m.from.info.Headers.Clone()
	replaceHeaders(&h, src, dst)
	return v.amend(ctx, m, h)
}

// amend changes the headers of a pending file that is about to be moved.
func (v *FS) amend(ctx context.Context, m *move, h store.Headers) error {
	f := v.up.File(m.from.target.Key)
	if f == nil {
		return nil // committed meanwhile: it is copied with the headers that it has
	}
	err := f.SetHeaders(h)
	if errors.Is(err, store.ErrNotExist) {
		err = nil // likewise
	}
	return wrap("rename", m.from.path, errors.Join(err, f.Release(ctx, false)))
}

// replaceHeaders sets those headers of h that are as in from to what they are in to.
func replaceHeaders(h *store.Headers, from, to store.Headers) {
	for _, f := range []struct {
		is       *string
		from, to string
	}{
		{&h.ContentType, from.ContentType, to.ContentType},
		{&h.ContentEncoding, from.ContentEncoding, to.ContentEncoding},
		{&h.ContentDisposition, from.ContentDisposition, to.ContentDisposition},
		{&h.ContentLanguage, from.ContentLanguage, to.ContentLanguage},
		{&h.CacheControl, from.CacheControl, to.CacheControl},
		{&h.Expires, from.Expires, to.Expires},
		{&h.StorageClass, from.StorageClass, to.StorageClass},
		{&h.Tags, from.Tags, to.Tags},
		{&h.ACL, from.ACL, to.ACL},
	} {
		if *f.is == f.from {
			*f.is = f.to
		}
	}
	if h.SSE == from.SSE && h.SSEKMSKeyID == from.SSEKMSKeyID {
		h.SSE, h.SSEKMSKeyID, h.BucketKey = to.SSE, to.SSEKMSKeyID, to.BucketKey
	}
	for name, value := range from.Metadata {
		if h.Metadata[name] == value {
			delete(h.Metadata, name)
		}
	}
	for name, value := range to.Metadata {
		if _, there := h.Metadata[name]; !there {
			if h.Metadata == nil {
				h.Metadata = map[string]string{}
			}
			h.Metadata[name] = value
		}
	}
}
