package vfs

import (
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/s3levelfs/s3levelfs/cache"
	"github.com/s3levelfs/s3levelfs/fs/vfs/attrs"
	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// baseReader reads what a delta builds on through the cache.
type baseReader struct{ cache *cache.Cache }

// NewBase is what the uploader reads base bytes through ([uploader.Config].Base).
func NewBase(c *cache.Cache) uploader.BaseReader { return baseReader{c} }

// ReadBase fills p with bytes of the pinned version.
func (b baseReader) ReadBase(ctx context.Context, key, etag string, size int64, p []byte, off int64) error {
	_, err := b.cache.ReadAt(ctx, cache.Object{Key: key, ETag: etag, Size: size}, nil, p, off)
	return lostBase(err)
}

// FetchBase does so without keeping them.
func (b baseReader) FetchBase(ctx context.Context, key, etag string, size int64, p []byte, off int64) error {
	_, err := b.cache.ReadOnce(ctx, cache.Object{Key: key, ETag: etag, Size: size}, p, off)
	return lostBase(err)
}

func lostBase(err error) error {
	if errors.Is(err, store.ErrNotExist) {
		return errors.Join(store.ErrChanged, err)
	}
	return err
}

// Keep has the cache keep what was just uploaded, if it is small ([uploader.Config].Stored).
func Keep(c *cache.Cache) func(key, etag string, content *io.SectionReader) {
	return func(key, etag string, content *io.SectionReader) {
		_ = c.Add(cache.Object{Key: key, ETag: etag, Size: content.Size()}, content) // or it is fetched when it is wanted
	}
}

// WriteLevels are the policy's levels as the uploader wants them.
func WriteLevels(p *levels.Policy) []uploader.Level {
	var out []uploader.Level
	for _, l := range p.LevelPrefixes() {
		out = append(out, uploader.Level{
			Prefix: l.Prefix,
			CanPut: l.Grants.Has(levels.Put), CanGet: l.Grants.Has(levels.Get),
			CanList: l.Grants.Has(levels.List), CanDelete: l.Grants.Has(levels.Delete),
		})
	}
	return out
}

// OwnKeys tells the keys of the identity's own prefixes, for attrs.Config.Own.
func OwnKeys(p *levels.Policy) func(key string) bool {
	var own []string
	for _, l := range p.LevelPrefixes() {
		if l.Level.Own() {
			own = append(own, l.Prefix)
		}
	}
	return func(key string) bool {
		for _, prefix := range own {
			if strings.HasPrefix(key, prefix) {
				return true
			}
		}
		return false
	}
}

// Stamp records the time of the last write, for uploader.Config.Stamp. Headers that have no
// room for it stay as they are: the store's own date does then.
func Stamp(h *store.Headers, mod time.Time) {
	p := attrs.Decode(store.Object{Headers: h})
	link := p.Link
	p = attrs.Posix{Mtime: mod, Link: link}
	_ = p.Encode(h)
}
