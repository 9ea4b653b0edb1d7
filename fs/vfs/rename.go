package vfs

import (
	"context"
	"errors"
	"maps"
	"strings"
	"syscall"
	"time"

	"github.com/s3levelfs/s3levelfs/fs/vfs/attrs"
	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// inheritAge is how young a file is that, moved over another one, is taken for its
// next version: it inherits the headers that it does not have itself.
const inheritAge = 60 * time.Second

// move is a rename under way.
type move struct {
	from, to node
	replaces bool // to exists
}

// Rename renames a file or directory. RenameNoReplace gives EEXIST where the
// target exists, RenameExchange and whiteouts EINVAL: two objects can not change
// places at once.
func (v *FS) Rename(ctx context.Context, from, to string, flags uint32) error {
	const op = "rename"
	if flags&^RenameNoReplace != 0 {
		return fail(op, from, syscall.EINVAL)
	}
	for {
		m, err := v.planMove(ctx, from, to, flags&RenameNoReplace != 0)
		switch {
		case err != nil:
			return err
		case from == to:
			return nil
		}
		if err = v.rename(ctx, m, flags&RenameNoReplace != 0); !errors.Is(err, uploader.ErrSettled) {
			return err
		}
	}
}

// rename moves what was found. ErrSettled: both ends have to be found again.
func (v *FS) rename(ctx context.Context, m *move, noReplace bool) error {
	if m.from.dir {
		return v.renameDir(ctx, m)
	}
	return v.renameFile(ctx, m, noReplace)
}

// planMove finds both ends and refuses what can not be, before anything is copied.
func (v *FS) planMove(ctx context.Context, from, to string, noReplace bool) (*move, error) {
	const op = "rename"
	src, err := v.find(ctx, op, from)
	if err != nil {
		return nil, err
	}
	if err := v.removable(op, &src); err != nil {
		return nil, err
	}
	if src.dir && v.policy.Encloses(src.target) { // as a directory with a mount in it; rename(2), EBUSY
		return nil, fail(op, from, syscall.EBUSY)
	}
	if strings.HasPrefix(to, from+"/") {
		return nil, fail(op, to, syscall.EINVAL)
	}
	t, err := v.makable(op, to)
	if err != nil {
		return nil, err
	}
	m := &move{from: src}
	m.to, err = v.findTarget(ctx, op, to, t)
	switch {
	case err == nil && noReplace:
		return nil, fail(op, to, syscall.EEXIST)
	case err == nil:
		m.replaces = true
	case isAbsent(err):
		m.to.dir = src.dir
		if err := v.roomFor(op, &m.to); err != nil {
			return nil, err
		}
	default:
		return nil, err
	}
	return m, v.movable(m)
}

// movable checks kinds and grants.
func (v *FS) movable(m *move) error {
	const op = "rename"
	if m.replaces && m.from.path != m.to.path {
		switch {
		case m.to.target.Kind != levels.Entry:
			return fail(op, m.to.path, syscall.EBUSY)
		case m.to.dir && !m.from.dir:
			return fail(op, m.to.path, syscall.EISDIR)
		case !m.to.dir && m.from.dir:
			return fail(op, m.to.path, syscall.ENOTDIR)
		}
	}
	// A stored source is copied, which reads it.
	if m.from.dir || m.from.obj != nil || m.from.info.Base.State == uploader.Present {
		return v.need(op, m.from.path, m.from.target, levels.Get)
	}
	return nil
}

// renameFile moves one file.
func (v *FS) renameFile(ctx context.Context, m *move, noReplace bool) error {
	const op = "rename"
	src, dst := m.from.target, m.to.target
	if err := v.prove(ctx, op, m.to.path, dst); err != nil {
		return err
	}
	toBase := uploader.Base{State: uploader.Absent}
	if !dst.Grants.Any(levels.List | levels.Get) {
		toBase.State = uploader.Unknown
	}
	if m.replaces {
		toBase = m.to.base()
	}
	readers := v.keeper(dst.Key)
	if err := readers.keep(ctx); err != nil {
		return wrap(op, m.to.path, err)
	}
	if err := v.inherit(ctx, m); err != nil {
		readers.done(false)
		return err
	}
	born := v.up.LastOp()
	defer v.crossings.begin(src.Key, dst.Key, born)()
	if err := readers.keep(ctx); err != nil { // who has come since; the next ones wait for the end
		return wrap(op, m.to.path, err)
	}
	err := v.up.Rename(ctx, src.Key, dst.Key, m.from.base(), toBase, noReplace)
	readers.done(err == nil)
	if err != nil {
		return v.renameFailed(m, err)
	}
	v.unlinked(dst.Key)
	v.renamed(src.Key, dst.Key, born)
	v.alive(src.Parent)
	v.alive(dst.Parent)
	v.listing.Removed(src.Key)
	v.blind.Remove(src.Key)
	v.touch(src.Parent)
	v.touch(dst.Parent)
	if of := v.opened(dst.Key); of != nil {
		v.localize(of, dst.Key)
	}
	return nil
}

// renameFailed gives the uploader's refusals their numbers.
func (v *FS) renameFailed(m *move, err error) error {
	if isVersionGone(err) {
		v.listing.Forget(m.from.target.Parent)
		v.listing.Forget(m.to.target.Parent)
		return errors.Join(fail("rename", m.from.path, syscall.ESTALE), err)
	}
	return refused("rename", m.to.path, err)
}

// inherit completes the headers of a young source that replaces a file: an
// editor that writes a new file and moves it over the old one means the same file. One that replaces nothing gets the options of its new name.
func (v *FS) inherit(ctx context.Context, m *move) error {
	if !m.replaces {
		return v.follow(ctx, m)
	}
	if !m.from.pending() || time.Since(m.from.info.ModTime) >= inheritAge ||
		!m.to.target.Grants.Has(levels.Get) {
		return nil
	}
	h := m.from.info.Headers.Clone()
	old, err := v.headers(ctx, &m.to)
	switch {
	case isVersionGone(err):
		return nil
	case err != nil:
		return err
	}
	replaceHeaders(&h, v.cfg.Created(m.from.target.Key), store.Headers{}) // of what is new: the file that is meant is not
	fillHeaders(&h, old)
	return v.amend(ctx, m, h)
}

// fillHeaders sets the headers of h that are not set to those of old. What
// describes the file itself (times, type and target of a link) stays; mode and
// owner are the writer's to set.
func fillHeaders(h *store.Headers, old store.Headers) {
	fill := func(to *string, from string) {
		if *to == "" {
			*to = from
		}
	}
	fill(&h.ContentType, old.ContentType)
	fill(&h.ContentEncoding, old.ContentEncoding)
	fill(&h.ContentDisposition, old.ContentDisposition)
	fill(&h.ContentLanguage, old.ContentLanguage)
	fill(&h.CacheControl, old.CacheControl)
	fill(&h.Expires, old.Expires)
	fill(&h.WebsiteRedirect, old.WebsiteRedirect)
	fill(&h.StorageClass, old.StorageClass)
	fill(&h.Tags, old.Tags)
	fill(&h.ACL, old.ACL)
	if h.SSE == "" {
		h.SSE, h.SSEKMSKeyID, h.BucketKey = old.SSE, old.SSEKMSKeyID, old.BucketKey
	}
	for _, name := range attrs.ListXattr(old) {
		if _, there := attrs.GetXattr(*h, name); there {
			continue
		}
		if value, ok := attrs.GetXattr(old, name); ok {
			_ = attrs.SetXattr(h, name, value) // what no longer fits is not inherited
		}
	}
}

// renameDir moves a directory: what is stored below it is listed once and
// copied, what is pending goes along.
func (v *FS) renameDir(ctx context.Context, m *move) error {
	const op = "rename"
	src, dst := m.from.target, m.to.target
	if m.replaces {
		if err := v.need(op, m.to.path, dst, levels.Delete); err != nil {
			return err
		}
		if err := v.vacant(ctx, op, &m.to); err != nil {
			return err
		}
	}
	if err := v.need(op, m.from.path, src, levels.List); err != nil {
		return err
	}
	if err := v.prove(ctx, op, m.to.path, dst); err != nil {
		return err
	}
	if m.replaces {
		if err := v.removeDir(ctx, op, &m.to); err != nil {
			return err
		}
	}
	from, to := src.DirPrefix(), dst.DirPrefix()
	before, born := v.pendingBelow(from), v.up.LastOp()
	if own, _ := v.up.Lookup(src.DirKey()); own.Marker {
		before[from] = 0
	}
	var entries []uploader.DirEntry
	for obj, err := range v.listing.Walk(ctx, from) {
		if err != nil {
			return wrap(op, m.from.path, err)
		}
		if len(obj.Key)-len(from)+len(to) > maxKey {
			return fail(op, m.to.path, syscall.ENAMETOOLONG)
		}
		if !v.removing(obj.Key) {
			entries = append(entries, uploader.DirEntry{Key: obj.Key, ETag: obj.ETag, Size: obj.Size})
		}
		delete(before, obj.Key)
	}
	// What is still pending is the uploader's to move; what was committed since the listing is told
	// by a HEAD.
	for key, size := range before {
		entries = append(entries, uploader.DirEntry{Key: key, Size: size})
	}
	if err := v.up.RenameDir(ctx, src.DirKey(), dst.DirKey(), entries); err != nil {
		return v.renameFailed(m, err)
	}
	v.movedDir(m, born)
	return nil
}

// pendingBelow gives the files and directories' markers that are pending below a directory, by key, with their sizes.
func (v *FS) pendingBelow(dir string) map[string]int64 {
	files := make(map[string]int64)
	for _, info := range v.up.Children(dir) {
		if info.Kind == uploader.KindFile && !settled(info) && info.State != uploader.StateMoving {
			files[info.Key] = info.Size
		}
		if info.Kind == uploader.KindDir && info.Marker {
			files[info.Key+"/"] = 0
		}
		if below := info.Key + "/"; v.up.Has(below) {
			maps.Copy(files, v.pendingBelow(below))
		}
	}
	return files
}

// movedDir tells the tables of a directory's new name.
func (v *FS) movedDir(m *move, born uint64) {
	src, dst := m.from.target, m.to.target
	from, to := src.DirPrefix(), dst.DirPrefix()
	v.alive(to)
	v.inodes.unname(to)
	v.renamed(from, to, born)
	v.dirGone(from)
	v.listing.NewDir(to)
	v.listing.Forget(to)
	for _, dir := range v.dirs.Keys() {
		if facts, ok := v.dirs.Peek(dir); ok && strings.HasPrefix(dir, from) {
			v.dirs.Add(to+dir[len(from):], facts)
			v.dirs.Remove(dir)
		}
	}
	v.touch(src.Parent)
	v.touch(dst.Parent)
}
