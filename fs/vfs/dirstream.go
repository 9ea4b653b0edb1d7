package vfs

import (
	"context"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/s3levelfs/s3levelfs/fs/vfs/listing"
	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// DirStream gives the entries of a directory as they become known, without "." and "..": the first ones after one page of the
// store's answer. What is there all the while comes once. It is for one goroutine at a time.
type DirStream struct {
	v      *FS
	op     string
	parent node
	list   *listing.Stream // nil: the policy alone says what is there
	ended  bool
	usage  usage

	fixed   []named                    // the policy's own entries
	pending map[string][]uploader.Info // by key element, those that have not been given
	names   []string                   // their elements, sorted
	held    []listing.Entry            // files of which it is not known whether a directory has their name
}

// OpenDir begins to list a directory; Close must follow. What is pending is taken as it is now.
func (v *FS) OpenDir(ctx context.Context, path string) (*DirStream, error) {
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
	d := &DirStream{v: v, op: op, parent: n, pending: make(map[string][]uploader.Info)}
	d.fixed = v.fixedEntries(&n)
	if n.target.Kind == levels.Synthetic {
		return d, nil
	}
	dir := n.target.DirPrefix()
	// What is pending is asked first: a commit in between is in the listing then.
	pending, err := v.pendingIn(ctx, dir)
	if err != nil {
		return nil, wrap(op, path, err)
	}
	for _, info := range pending {
		name := info.Key[len(dir):]
		if d.pending[name] == nil {
			d.names = append(d.names, name)
		}
		d.pending[name] = append(d.pending[name], info)
	}
	slices.Sort(d.names)
	if d.list, err = v.listing.Open(ctx, dir); err != nil {
		v.used(Use{Kind: UseList, Key: dir, Err: err})
		return nil, wrap(op, path, err)
	}
	return d, nil
}

// fixedEntries are those that the policy makes.
func (v *FS) fixedEntries(n *node) (out []named) {
	for _, e := range v.policy.Entries(n.path) {
		child := &node{path: path.Join(n.path, e.Name), target: e.Target, until: v.fixedUntil()}
		child.link = e.Target.Kind == levels.Symlink
		child.dir = !child.link
		out = append(out, named{e.Name, child})
	}
	return out
}

// Close ends the stream.
func (d *DirStream) Close() {
	if d.list == nil {
		return
	}
	d.list.Close()
	if used, err := d.usage.outcome(); used {
		d.v.used(Use{Kind: UseList, Key: d.parent.target.DirPrefix(), Err: err})
	}
}

// Next gives some entries more, in no order that callers may rely on, none at the end. Where attributes come from
// headers it fetches those that are not known, in parallel, so that the lookups of an ls -l that follow send nothing.
func (d *DirStream) Next(ctx context.Context) ([]DirEntry, error) {
	for !d.ended {
		m := d.v.mark()
		nodes, err := d.nodes(ctx)
		d.usage.note(err)
		if err != nil {
			return nil, wrap(d.op, d.parent.path, err)
		}
		if len(nodes) == 0 {
			continue
		}
		if err := d.v.prefetch(ctx, nodes); err != nil {
			return nil, wrap(d.op, d.parent.path, err)
		}
		return d.v.dirEntries(ctx, nodes, m)
	}
	return nil, nil
}

func (v *FS) dirEntries(ctx context.Context, nodes []named, m *mark) ([]DirEntry, error) {
	entries := make([]DirEntry, len(nodes))
	for i := range nodes {
		child := nodes[i].node
		a, full, err := v.describe(ctx, child, false)
		if err != nil {
			return nil, err
		}
		version := ""
		if !child.dir && child.obj != nil && !child.pending() {
			version = a.Version
		}
		a.Ino, a.Gen = v.inodes.peek(child.ikey(), version)
		entries[i] = DirEntry{Name: nodes[i].name, Attr: a, Full: full, found: m.sight(child, full)}
	}
	slices.SortFunc(entries, func(a, b DirEntry) int { return strings.Compare(a.Name, b.Name) })
	return entries, nil
}

// nodes gives the nodes of a part of the listing, with what is pending over them. The policy's own come at the end and
// hide what has their names.
func (d *DirStream) nodes(ctx context.Context) ([]named, error) {
	if d.list == nil {
		d.ended = true
		return d.fixed, nil
	}
	entries, err := d.list.Next(ctx)
	if err != nil {
		return nil, err
	}
	d.ended = len(entries) == 0
	if entries, err = d.v.dropEnded(ctx, d.parent.target.DirPrefix(), entries); err != nil {
		return nil, err
	}
	ready := d.release(entries)
	out := d.v.merge(&d.parent, d.take(ready), ready, d.list.Fresh().Until)
	if len(d.fixed) > 0 {
		out = slices.DeleteFunc(out, func(n named) bool {
			return slices.ContainsFunc(d.fixed, func(own named) bool { return own.name == n.name })
		})
	}
	if d.ended {
		out = append(out, d.fixed...)
	}
	return out, nil
}

// release gives the entries whose names are settled: a file is held until the listing has passed the place of a directory of its
// name, which a few others ("name-1", "name.txt") may lie in front of. What is held are prefixes of one name.
func (d *DirStream) release(entries []listing.Entry) []listing.Entry {
	ready := make([]listing.Entry, 0, len(entries)+len(d.held))
	for _, e := range entries {
		key := e.Name
		if e.Dir {
			key += "/"
		}
		for n := len(d.held); n > 0 && d.held[n-1].Name+"/" <= key; n-- {
			ready = append(ready, d.held[n-1])
			d.held = d.held[:n-1]
		}
		if e.Dir {
			ready = append(ready, e)
		} else {
			d.held = append(d.held, e)
		}
	}
	if d.ended {
		ready = append(ready, d.held...)
		d.held = nil
	}
	return ready
}

// take gives what is pending of the names that are ready, and of those that the listing has passed.
func (d *DirStream) take(ready []listing.Entry) (infos []uploader.Info) {
	if len(d.pending) == 0 {
		return nil
	}
	passed := ""
	for i := range ready {
		name := ready[i].Name
		infos = append(infos, d.pending[name]...)
		delete(d.pending, name)
		passed = max(passed, name)
	}
	for len(d.names) > 0 && (d.ended || d.names[0]+"/" < passed && !d.holds(d.names[0])) {
		infos = append(infos, d.pending[d.names[0]]...)
		delete(d.pending, d.names[0])
		d.names = d.names[1:]
	}
	return infos
}

func (d *DirStream) holds(name string) bool {
	return slices.ContainsFunc(d.held, func(e listing.Entry) bool { return e.Name == name })
}
