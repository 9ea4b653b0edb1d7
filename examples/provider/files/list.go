package files

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"

	"github.com/s3levelfs/s3levelfs/store"
)

// List implements [store.Provider]: a walk through the directories that have what is wanted, in the order of the keys' bytes, in
// which the entries of a directory d come where d/ comes.
func (f *Files) List(ctx context.Context, prefix, after string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		w := walk{f: f, ctx: ctx, prefix: prefix, after: after, yield: yield}
		dir := prefix[:strings.LastIndexByte(prefix, '/')+1]
		if dir != "" {
			if _, err := nameOf(dir); err != nil {
				return // no key is there
			}
			if !w.object(dir) {
				return
			}
		}
		w.below(dir)
	}
}

// walk is one listing under way.
type walk struct {
	f             *Files
	ctx           context.Context //nolint:containedctx // of the call that the walk is
	prefix, after string
	yield         func(store.Object, error) bool
}

// below gives what is in a directory, "" or ending in a slash; false when nobody wants more.
func (w *walk) below(dir string) bool {
	if err := w.ctx.Err(); err != nil {
		w.yield(store.Object{}, err)
		return false
	}
	d, err := w.f.root.Open(path.Join(dataDir, dir))
	if err == nil {
		var entries []fs.DirEntry
		entries, err = d.ReadDir(-1)
		if err = errors.Join(err, d.Close()); err == nil {
			return w.entries(dir, entries)
		}
	}
	if errors.Is(told(err), fs.ErrNotExist) {
		return true // removed meanwhile
	}
	w.yield(store.Object{}, err)
	return false
}

func (w *walk) entries(dir string, entries []fs.DirEntry) bool {
	keys := make([]string, len(entries))
	for i, e := range entries {
		keys[i] = dir + e.Name()
		if e.IsDir() {
			keys[i] += "/"
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		isDir := strings.HasSuffix(key, "/")
		switch {
		case !strings.HasPrefix(key, w.prefix) && !(isDir && strings.HasPrefix(w.prefix, key)):
			continue
		case isDir && key < w.after && !strings.HasPrefix(w.after, key):
			continue // all that is below comes before
		}
		if !w.object(key) || isDir && !w.below(key) {
			return false
		}
	}
	return true
}

// object gives one key, if it is one and wanted.
func (w *walk) object(key string) bool {
	if !strings.HasPrefix(key, w.prefix) || key <= w.after {
		return true
	}
	o, err := w.f.Head(w.ctx, key)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, store.ErrInvalid):
		return true // removed meanwhile, a directory that is no object, or something that is no file
	case err != nil:
		w.yield(o, err)
		return false
	}
	o.Key, o.Headers = key, nil
	return w.yield(o, nil)
}
