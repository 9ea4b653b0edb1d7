package vfs

import (
	"cmp"
	"context"
	"errors"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/s3levelfs/s3levelfs/fs/vfs/listing"
	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// ReadDir lists a directory, by name in byte order. Where attributes come from
// headers it fetches those that are not known, in parallel, so that the lookups of
// an ls -l that follow send nothing.
func (v *FS) ReadDir(ctx context.Context, path string) ([]DirEntry, error) {
	const op = "readdir"
	n, err := v.find(ctx, op, path)
	if err != nil {
		return nil, err
	}
	if !n.dir {
		return nil, fail(op, path, syscall.ENOTDIR)
	}
	if err := v.need(op, path, n.target, levels.List); err != nil {
		return nil, err
	}
	nodes, err := v.children(ctx, op, &n)
	if err != nil {
		return nil, err
	}
	if err := v.prefetch(ctx, nodes); err != nil {
		return nil, wrap(op, path, err)
	}
	entries := make([]DirEntry, 0, len(nodes))
	for name, child := range nodes {
		a, full, err := v.describe(ctx, child, false)
		if err != nil {
			return nil, err
		}
		if child.dir || child.obj == nil || child.pending() {
			a.Ino, a.Gen = v.inodes.peek(child.ikey(), "")
		} else {
			a.Ino, a.Gen = v.inodes.peek(child.ikey(), versionOf(child.obj))
		}
		entries = append(entries, DirEntry{Name: name, Attr: a, Full: full})
	}
	slices.SortFunc(entries, func(a, b DirEntry) int { return cmp.Compare(a.Name, b.Name) })
	return entries, nil
}

// element gathers what is there under one key element: at most a file and a
// directory.
type element struct {
	file, dir *node
}

// children gives the directory's entries by name: the policy's own, the listing's,
// and what is pending over both.
func (v *FS) children(ctx context.Context, op string, n *node) (map[string]*node, error) {
	out := make(map[string]*node)
	dir := n.target.DirPrefix()
	if n.target.Kind != levels.Synthetic {
		// What is pending is asked first: a commit in between is in the listing then.
		pending, err := v.pendingIn(ctx, dir)
		if err != nil {
			return nil, wrap(op, n.path, err)
		}
		entries, fresh, err := v.listing.ReadDir(ctx, dir)
		if err == nil && v.anyEnded(dir, entries) {
			v.listing.Forget(dir)
			entries, fresh, err = v.listing.ReadDir(ctx, dir)
		}
		if err != nil {
			return nil, wrap(op, n.path, err)
		}
		v.merge(n, pending, entries, fresh.Until, out)
	}
	for _, e := range v.policy.Entries(n.target) {
		child := &node{path: path.Join(n.path, e.Name), target: e.Target, until: v.fixedUntil()}
		child.link = e.Target.Kind == levels.Symlink
		child.dir = !child.link
		out[e.Name] = child
	}
	return out, nil
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

// merge lays the pending entries over the listed ones and gives them names.
func (v *FS) merge(parent *node, pending []uploader.Info, entries []listing.Entry, until time.Time, out map[string]*node) {
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
		switch info.Kind {
		case uploader.KindFile:
			e.file = &node{info: &info, until: v.fixedUntil()}
			if e.file.moving() {
				e.file.obj = sourceOf(&info)
			}
			if v.overDir(&info) {
				e.dir = nil
			}
		case uploader.KindDir:
			e.dir = &node{dir: true, info: &info, until: v.fixedUntil()}
			if info.Over { // a file of the name is being removed
				e.file = nil
			}
		case uploader.KindTombstone:
			if fileGone(&info) {
				e.file = nil
			}
			if v.hidden(&info, info.Key+"/") {
				e.dir = nil
			}
		case uploader.KindAttr:
			if e.file != nil {
				e.file.info = &info
			}
			if v.overDir(&info) {
				e.dir = nil
			}
		}
	}
	for name, e := range elements {
		v.name(parent, name, e, out)
	}
}

// name puts the nodes of one key element under their names. What no path can
// carry is left out.
func (v *FS) name(parent *node, elem string, e *element, out map[string]*node) {
	shown := levels.Escape(elem)
	if e.dir != nil {
		v.place(parent, shown, e.dir, out)
		shown = levels.Beside(shown)
	}
	if e.file != nil {
		v.place(parent, shown, e.file, out)
	}
}

func (v *FS) place(parent *node, name string, n *node, out map[string]*node) {
	p := path.Join(parent.path, name)
	t, err := v.policy.Resolve(p)
	if err != nil {
		return // longer than names may be, or in the place of protected/me
	}
	n.path, n.target = p, t
	if t.Kind != levels.Entry {
		n.dir, n.until = true, v.fixedUntil()
	}
	out[name] = n
}

// prefetch asks for the headers that an ls -l would ask for one by one.
func (v *FS) prefetch(ctx context.Context, nodes map[string]*node) error {
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
