package vfs_test

import (
	"maps"
	"slices"
	"strings"
	"syscall"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/s3levelfs/s3levelfs/fs/vfs"
)

// The operations of the model.

func (m *model) create(t *rapid.T) {
	p := m.place(t)
	excl := rapid.Bool().Draw(t, "excl")
	flags := uint32(syscall.O_RDWR | syscall.O_CREAT)
	if excl {
		flags |= syscall.O_EXCL
	} else {
		flags |= syscall.O_TRUNC
	}
	old := m.tree[p]
	h, _, err := m.env.fs.Create(t.Context(), p, flags, 0o644)
	m.note("create %q excl %v: %v", p, excl, err)
	switch {
	case old != nil && old.dir && excl, old != nil && excl:
		wantErrno(t, err, syscall.EEXIST)
		return
	case old != nil && old.dir:
		wantErrno(t, err, syscall.EISDIR)
		return
	}
	must(t, err)
	n := old
	if n == nil {
		n = &modelNode{}
		m.tree[p] = n
	}
	n.data = nil
	m.open = append(m.open, modelHandle{h, n})
}

func (m *model) openFile(t *rapid.T) {
	p := m.pick(t, "file", isFile)
	if p == "" {
		return
	}
	h, err := m.env.fs.Open(t.Context(), p, rapid.SampledFrom([]uint32{syscall.O_RDONLY, syscall.O_RDWR}).Draw(t, "flags"))
	must(t, err)
	m.open = append(m.open, modelHandle{h, m.tree[p]})
	m.note("open %q as %d", p, len(m.open)-1)
}

func (m *model) handle(t *rapid.T) (modelHandle, int) {
	if len(m.open) == 0 {
		return modelHandle{}, -1
	}
	i := rapid.IntRange(0, len(m.open)-1).Draw(t, "handle")
	return m.open[i], i
}

func (m *model) write(t *rapid.T) {
	mh, i := m.handle(t)
	if i < 0 || !mh.h.Writable() {
		return
	}
	off := rapid.SampledFrom([]int{0, 1, 50, 5000}).Draw(t, "off")
	b := drawBytes(t)
	n, err := mh.h.WriteAt(t.Context(), b, int64(off))
	m.note("write handle %d at %d: %d %v", i, off, n, err)
	must(t, err)
	if n != len(b) {
		t.Fatalf("short write: %d of %d", n, len(b))
	}
	if n == 0 {
		return
	}
	if need := off + n; need > len(mh.node.data) {
		mh.node.data = append(mh.node.data, make([]byte, need-len(mh.node.data))...)
	}
	copy(mh.node.data[off:], b)
}

func (m *model) readHandle(t *rapid.T) {
	mh, i := m.handle(t)
	if i < 0 || !mh.h.Readable() {
		return
	}
	got := readHandle(t, mh.h)
	m.note("read handle %d", i)
	if diff := cmp.Diff(string(mh.node.data), string(got)); diff != "" {
		t.Fatalf("handle %d reads (-want +got): %s", i, short(diff))
	}
}

func (m *model) closeHandle(t *rapid.T) {
	mh, i := m.handle(t)
	if i < 0 {
		return
	}
	m.note("close %d", i)
	must(t, mh.h.Flush(t.Context()))
	must(t, mh.h.Release(t.Context()))
	m.open = slices.Delete(m.open, i, i+1)
}

func (m *model) closeAll(t *rapid.T) {
	for _, mh := range m.open {
		must(t, mh.h.Flush(t.Context()))
		must(t, mh.h.Release(t.Context()))
	}
	m.open = nil
}

func (m *model) truncate(t *rapid.T) {
	p := m.pick(t, "file", isFile)
	if p == "" {
		return
	}
	size := int64(rapid.SampledFrom([]int{0, 3, 100, 9000}).Draw(t, "size"))
	a, err := m.env.fs.SetAttr(t.Context(), vfs.Ref{Path: p}, vfs.SetAttr{Size: &size})
	m.note("truncate %q %d: %v", p, size, err)
	must(t, err)
	if a.Size != size {
		t.Fatalf("truncate %q: size %d, want %d", p, a.Size, size)
	}
	n := m.tree[p]
	if int(size) <= len(n.data) {
		n.data = n.data[:size:size]
	} else {
		n.data = append(n.data, make([]byte, int(size)-len(n.data))...)
	}
}

func (m *model) unlink(t *rapid.T) {
	p := m.place(t)
	err := m.env.fs.Unlink(t.Context(), p)
	m.note("unlink %q: %v", p, err)
	switch n := m.tree[p]; {
	case n == nil:
		wantErrno(t, err, syscall.ENOENT)
	case n.dir:
		wantErrno(t, err, syscall.EISDIR)
	default:
		must(t, err)
		delete(m.tree, p)
	}
}

func (m *model) mkdir(t *rapid.T) {
	p := m.place(t)
	_, err := m.env.fs.Mkdir(t.Context(), p, 0o755)
	m.note("mkdir %q: %v", p, err)
	if m.tree[p] != nil {
		wantErrno(t, err, syscall.EEXIST)
		return
	}
	must(t, err)
	m.tree[p] = &modelNode{dir: true}
}

func (m *model) rmdir(t *rapid.T) {
	p := m.place(t)
	err := m.env.fs.Rmdir(t.Context(), p)
	m.note("rmdir %q: %v", p, err)
	switch n := m.tree[p]; {
	case n == nil:
		wantErrno(t, err, syscall.ENOENT)
	case !n.dir:
		wantErrno(t, err, syscall.ENOTDIR)
	case m.hasChildren(p):
		wantErrno(t, err, syscall.ENOTEMPTY)
	default:
		must(t, err)
		delete(m.tree, p)
	}
}

func (m *model) rename(t *rapid.T) {
	from, to := m.place(t), m.place(t)
	noReplace := rapid.Bool().Draw(t, "noreplace")
	var flags uint32
	if noReplace {
		flags = vfs.RenameNoReplace
	}
	err := m.env.fs.Rename(t.Context(), from, to, flags)
	m.note("rename %q %q %d: %v", from, to, flags, err)
	src, dst := m.tree[from], m.tree[to]
	switch {
	case src == nil:
		wantErrno(t, err, syscall.ENOENT)
	case strings.HasPrefix(to, from+"/"):
		wantErrno(t, err, syscall.EINVAL)
	case dst != nil && noReplace:
		wantErrno(t, err, syscall.EEXIST)
	case from == to:
		must(t, err)
	case dst != nil && dst.dir && !src.dir:
		wantErrno(t, err, syscall.EISDIR)
	case dst != nil && !dst.dir && src.dir:
		wantErrno(t, err, syscall.ENOTDIR)
	case dst != nil && dst.dir && m.hasChildren(to):
		wantErrno(t, err, syscall.ENOTEMPTY)
	default:
		must(t, err)
		m.move(from, to)
		m.movedDir = m.movedDir || src.dir
	}
}

func (m *model) move(from, to string) {
	for _, p := range slices.Sorted(maps.Keys(m.tree)) {
		if p == from || strings.HasPrefix(p, from+"/") {
			n := m.tree[p]
			delete(m.tree, p)
			m.tree[to+p[len(from):]] = n
		}
	}
}
