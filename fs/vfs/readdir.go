package vfs

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/s3levelfs/s3levelfs/fs/vfs/listing"
	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// ReadDir lists a directory, by name in byte order. Of a large one OpenDir takes less memory.
func (v *FS) ReadDir(ctx context.Context, path string) ([]DirEntry, error) {
	d, err := v.OpenDir(ctx, path)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	entries := []DirEntry{}
	for {
		some, err := d.Next(ctx)
		if err != nil {
			return nil, err
		}
		if len(some) == 0 {
			break
		}
		entries = append(entries, some...)
	}
	slices.SortFunc(entries, func(a, b DirEntry) int { return cmp.Compare(a.Name, b.Name) })
	return entries, nil
}

// element gathers what is there under one key element: at most a file and a
// directory.
type element struct {
	file, dir *node
}

// pendingIn is the overlay of a directory; what had been committed below it by then is
// known to the listing when it returns.
func (v *FS) pendingIn(ctx context.Context, dir string) ([]uploader.Info, error) {
	pending := v.up.Children(dir)
	name, whole := strings.CutSuffix(dir, "/")
	if !whole {
		name = "" // a level's prefix that cuts names: everything
	}
	_, err := v.up.AwaitEvents(ctx, name)
	return slices.DeleteFunc(pending, settled), err
}

// named is an entry of a directory under the name that it is shown by.
type named struct {
	name string
	*node
}

// listed gives the listed entries names, where nothing is pending.
func (v *FS) listed(parent *node, entries []listing.Entry, until time.Time) []named {
	dir := parent.target.DirPrefix()
	out := make([]named, 0, len(entries))
	nodes := make([]node, len(entries))
	var dirs map[string]struct{}
	for i := range entries {
		if e := &entries[i]; e.Dir && !v.isGone(dir+e.Name+"/") {
			if dirs == nil {
				dirs = make(map[string]struct{})
			}
			dirs[e.Name] = struct{}{}
			nodes[i] = node{dir: true, until: until}
			out = v.place(parent, levels.Escape(e.Name), &nodes[i], out)
		}
	}
	for i := range entries {
		e := &entries[i]
		if e.Dir {
			continue
		}
		shown := levels.Escape(e.Name)
		if _, pair := dirs[e.Name]; pair {
			shown = levels.Beside(shown)
		}
		nodes[i] = node{obj: &e.Object, until: until}
		out = v.place(parent, shown, &nodes[i], out)
	}
	return out
}

// merge lays the pending entries over the listed ones and gives them names.
func (v *FS) merge(parent *node, pending []uploader.Info, entries []listing.Entry, until time.Time) (out []named) {
	if len(pending) == 0 {
		return v.listed(parent, entries, until)
	}
	dir := parent.target.DirPrefix()
	elements := make(map[string]*element, len(entries))
	at := func(name string) *element {
		e := elements[name]
		if e == nil {
			e = &element{}
			elements[name] = e
		}
		return e
	}
	for i := range entries {
		if e := &entries[i]; e.Dir {
			if !v.isGone(dir + e.Name + "/") {
				at(e.Name).dir = &node{dir: true, until: until}
			}
		} else {
			at(e.Name).file = &node{obj: &e.Object, until: until}
		}
	}
	for _, info := range pending {
		name := info.Key[len(dir):]
		e := at(name)
		if fileGone(&info) {
			e.file = nil
		}
		if v.hidden(&info, info.Key+"/") {
			e.dir = nil
		}
		switch info.Kind {
		case uploader.KindFile:
			e.file = &node{info: &info, until: v.fixedUntil()}
			if e.file.moving() {
				e.file.obj = sourceOf(&info)
			}
		case uploader.KindDir:
			e.dir = &node{dir: true, info: &info, until: v.fixedUntil()}
		case uploader.KindAttr:
			if e.file != nil {
				e.file.info = &info
			}
		case uploader.KindTombstone:
		}
	}
	for name, e := range elements {
		out = v.name(parent, name, e, out)
	}
	return out
}

// name puts the nodes of one key element under their names. What no path can
// carry is left out.
func (v *FS) name(parent *node, elem string, e *element, out []named) []named {
	shown := levels.Escape(elem)
	if e.dir != nil {
		out = v.place(parent, shown, e.dir, out)
		shown = levels.Beside(shown)
	}
	if e.file != nil {
		out = v.place(parent, shown, e.file, out)
	}
	return out
}

func (v *FS) place(parent *node, name string, n *node, out []named) []named {
	p := name
	if parent.path != "" {
		p = parent.path + "/" + name
	}
	t, err := v.policy.Resolve(p)
	if err != nil {
		return out // longer than names may be, or in the place of protected/me
	}
	n.path, n.target = p, t
	if t.Kind != levels.Entry {
		n.dir, n.until = true, v.fixedUntil()
	}
	return append(out, named{name, n})
}

// prefetch asks for the headers that an ls -l would ask for one by one.
func (v *FS) prefetch(ctx context.Context, nodes []named) error {
	var objects []store.Object
	for _, n := range nodes {
		if n.dir || n.link || n.obj == nil || n.info != nil {
			continue
		}
		if v.exact(n.target) || n.obj.Size == 0 && n.target.Grants.Has(levels.Get) {
			if _, _, fresh, _ := v.attrs.Get(*n.obj); !fresh {
				objects = append(objects, *n.obj)
			}
		}
	}
	err := v.attrs.Prefetch(ctx, objects)
	if errors.Is(err, store.ErrTransient) || errors.Is(err, store.ErrPermission) {
		return nil // the names are right; a stat of the file says what is wrong
	}
	return err
}
