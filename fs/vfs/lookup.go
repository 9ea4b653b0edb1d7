package vfs

import (
	"context"
	"strings"
	"time"
)

// Lookup resolves path (relative to the mount, "" = the root). Where
// nothing is there the error carries ENOENT, and the attributes' TTL says how
// long that may be believed.
func (v *FS) Lookup(ctx context.Context, path string) (Attr, error) {
	return steady(ctx, v, path, func() (Attr, error) { return v.lookup(ctx, path) }, func(Attr) {})
}

func (v *FS) lookup(ctx context.Context, path string) (Attr, error) {
	n, err := v.find(ctx, "lookup", path)
	if err != nil {
		if isAbsent(err) {
			return Attr{TTL: max(0, time.Until(n.until))}, err
		}
		return Attr{}, err
	}
	return v.attr(ctx, &n, true)
}

// Stat answers stat(2) by path, or of an open file without a name by number.
func (v *FS) Stat(ctx context.Context, r Ref) (Attr, error) {
	return steady(ctx, v, r.Path, func() (Attr, error) { return v.stat(ctx, r) }, func(Attr) {})
}

func (v *FS) stat(ctx context.Context, r Ref) (Attr, error) {
	n, of, err := v.byRef(ctx, "stat", r)
	if err != nil {
		return Attr{}, err
	}
	if of != nil {
		return v.openAttr(ctx, of, r.Path)
	}
	return v.attr(ctx, &n, true)
}

// byRef finds what a Ref means: the node at its path, or the open file that has
// the number but no name any more.
func (v *FS) byRef(ctx context.Context, op string, r Ref) (node, *openFile, error) {
	if of := v.nameless(r); of != nil {
		return node{path: r.Path}, of, nil
	}
	n, err := v.find(ctx, op, r.Path)
	return n, nil, err
}

// Now gives the path that a file has now, "" if it has none.
func (v *FS) Now(ino, gen uint64) string {
	key, ok := v.inodes.keyOf(ino, gen)
	if !ok || strings.HasPrefix(key, "\x00") { // the latter have no key
		return ""
	}
	path, _ := v.policy.PathOf(key)
	return path
}

// nameless finds the open file of a Ref whose name is gone.
func (v *FS) nameless(r Ref) *openFile {
	if r.Ino == 0 || r.Ino == RootIno {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, of := range v.gone[r.Ino] {
		if r.Gen == 0 || r.Gen == of.gen {
			return of
		}
	}
	return nil
}
