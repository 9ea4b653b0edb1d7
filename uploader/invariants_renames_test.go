package uploader_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/s3levelfs/s3levelfs/uploader"
)

// The renames of a wild run.

func (w *wild) renames(from, to string, fresh bool) {
	if from == to || !w.exists(from) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	src, dst := w.base(from, fresh), w.base(to, fresh)
	w.replaced(to)
	w.mu.Lock()
	data, ok := w.names[from]
	if ok && w.acked[data] != "" {
		w.moved[data] = true
	}
	w.names[to] = data
	w.mu.Unlock()
	if err := w.u.Rename(ctx, from, to, src, dst, false); err == nil {
		delete(w.names, from)
		if w.exists(from) && !w.foreignNow(from) || !w.exists(to) {
			w.violated("after the rename %q exists %v, %q exists %v", from, w.exists(from), to, w.exists(to))
		}
	}
}

func (w *wild) foreignNow(k string) bool {
	b := w.stored(k)
	w.mu.Lock()
	defer w.mu.Unlock()
	_, theirs := w.foreign[k+" "+b.ETag]
	return theirs
}

func (w *wild) renameDir() {
	if w.exists(key("g/e")) || w.exists(key("g/f")) { // not onto a directory with entries
		return
	}
	var entries []uploader.DirEntry
	for k, o := range w.mem.Objects() {
		if strings.HasPrefix(k, key("d/")) && !strings.HasSuffix(k, "/") {
			b := w.base(k, true)
			entries = append(entries, uploader.DirEntry{Key: k, ETag: b.ETag, Size: int64(len(o.Data))})
		}
	}
	slices.SortFunc(entries, func(a, b uploader.DirEntry) int { return strings.Compare(a.Key, b.Key) })
	for _, k := range []string{"g/e", "g/f"} {
		w.replaced(key(k))
	}
	w.mu.Lock()
	for k, data := range maps.Clone(w.names) {
		if name, ok := strings.CutPrefix(k, key("d/")); ok {
			w.names[key("g/"+name)] = data
		}
	}
	w.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	_ = w.u.RenameDir(ctx, key("d"), key("g"), entries)
}

// exists is what the mount shows.
func (w *wild) exists(k string) bool {
	if i, ok := w.u.Lookup(k); ok {
		return i.Kind != uploader.KindTombstone
	}
	_, ok := w.mem.Object(k)
	return ok
}
