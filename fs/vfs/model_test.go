package vfs_test

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/s3levelfs/s3levelfs/fs/vfs"
)

// modelNode is a file or a directory of the reference tree. Open handles keep
// pointing to their node after its name is gone, as POSIX wants it.
type modelNode struct {
	dir  bool
	data []byte
}

// modelHandle pairs a handle with what it should see.
type modelHandle struct {
	h    *vfs.Handle
	node *modelNode
}

// model drives an FS and a reference tree through the same operations and
// compares answers.
type model struct {
	env      *env
	tree     map[string]*modelNode // by path; the root of it is "public"
	open     []modelHandle
	fresh    int
	movedDir bool // since the last remount
	trace    []string
}

// note keeps what happened, to read a failure.
func (m *model) note(format string, args ...any) {
	m.trace = append(m.trace, fmt.Sprintf(format, args...))
}

func newModel(e *env) *model {
	return &model{env: e, tree: map[string]*modelNode{"public": {dir: true}}}
}

// pick draws one of the paths that ok admits; "" when there is none.
func (m *model) pick(t *rapid.T, label string, ok func(*modelNode) bool) string {
	var names []string
	for _, p := range slices.Sorted(maps.Keys(m.tree)) {
		if ok(m.tree[p]) {
			names = append(names, p)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return rapid.SampledFrom(names).Draw(t, label)
}

func isDir(n *modelNode) bool  { return n.dir }
func isFile(n *modelNode) bool { return !n.dir }

// place draws a path in an existing directory: often one that exists already.
func (m *model) place(t *rapid.T) string {
	dir := m.pick(t, "dir", isDir)
	return path.Join(dir, rapid.SampledFrom([]string{"a", "b", "c", "d e", "é+%2F"}).Draw(t, "name"))
}

func (m *model) hasChildren(dir string) bool {
	for p := range m.tree {
		if strings.HasPrefix(p, dir+"/") {
			return true
		}
	}
	return false
}

// bytes draws content of mixed sizes: empty, short, and above the spool's
// segment bound.
func drawBytes(t *rapid.T) []byte {
	n := rapid.SampledFrom([]int{0, 1, 7, 100, 4096, 70_000}).Draw(t, "n")
	b := make([]byte, n)
	seed := rapid.Byte().Draw(t, "seed")
	for i := range b {
		b[i] = seed + byte(i*7)
	}
	return b
}

// remount ends the mount in good order, or kills it, and begins another one on
// the same spool. Only closed files are promised to be there.
func (m *model) remount(t *rapid.T) {
	m.closeAll(t)
	crash := rapid.Bool().Draw(t, "crash")
	m.note("remount crash %v", crash)
	m.env.reopen(t, crash)
	if m.movedDir {
		// Until its keys are gone, the old name of a directory without a marker shows
		// after a crash: which of its files were removed one by one is not known then.
		m.env.drain(t)
		m.movedDir = false
	}
}

// drain waits until the bucket has it all and compares it with the tree.
func (m *model) drain(t *rapid.T) {
	m.closeAll(t)
	m.env.drain(t)
	want := map[string]string{}
	for p, n := range m.tree {
		if !n.dir {
			want[p] = string(n.data)
		}
	}
	got := map[string]string{}
	for key, data := range m.env.objects(t) {
		if !strings.HasSuffix(key, "/") {
			got[key] = data
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("bucket (-want +got): %s", short(diff))
	}
}

// foreign lets another application replace a settled file that nobody has open.
func (m *model) foreign(t *rapid.T) {
	m.drain(t)
	p := m.pick(t, "file", isFile)
	if p == "" {
		return
	}
	m.fresh++
	data := fmt.Appendf(nil, "foreign %d %s", m.fresh, p)
	m.env.put(t, p, data)
	m.note("foreign %q", p)
	m.env.age(t)
	m.tree[p].data = data
}

// check compares the whole tree: names, kinds, sizes and bytes.
func (m *model) check(t *rapid.T) {
	want, got := map[string]string{}, map[string]string{}
	for p, n := range m.tree {
		want[p] = describe(n.dir, int64(len(n.data)), n.data)
	}
	m.walk(t, "public", got)
	got["public"] = want["public"]
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("tree (-want +got): %s", short(diff))
	}
}

func (m *model) walk(t *rapid.T, dir string, into map[string]string) {
	entries, err := m.env.fs.ReadDir(t.Context(), dir)
	must(t, err)
	for _, e := range entries {
		p := path.Join(dir, e.Name)
		a, err := m.env.fs.Lookup(t.Context(), p)
		must(t, err)
		if a.Ino != e.Attr.Ino || a.Mode&syscall.S_IFMT != e.Attr.Mode&syscall.S_IFMT {
			t.Fatalf("%q: readdir says ino %d mode %o, lookup %d %o", p, e.Attr.Ino, e.Attr.Mode, a.Ino, a.Mode)
		}
		if a.Mode&syscall.S_IFMT == syscall.S_IFDIR {
			into[p] = describe(true, 0, nil)
			m.walk(t, p, into)
			continue
		}
		into[p] = describe(false, a.Size, readFile(t, m.env.fs, p))
	}
}

func describe(dir bool, size int64, data []byte) string {
	if dir {
		return "dir"
	}
	return fmt.Sprintf("file %d %x", size, data)
}

// short keeps a failure readable.
func short(s string) string {
	if len(s) > 2000 {
		return s[:2000] + "…"
	}
	return s
}

// TestModel runs random operations on the file system and on a tree in memory
// and compares every answer, the tree, and in the end the bucket.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := newModel(newEnv(rt, envConfig{}))
		defer func() {
			if rt.Failed() {
				rt.Logf("%s", strings.Join(m.trace, "\n"))
				rt.Logf("bucket %q, requests: %v", m.env.mem.Keys(), m.env.lastRequests())
			}
			m.env.close(rt)
		}()
		rt.Repeat(map[string]func(*rapid.T){
			"create": m.create, "open": m.openFile, "write": m.write, "read": m.readHandle,
			"close": m.closeHandle, "truncate": m.truncate, "unlink": m.unlink, "mkdir": m.mkdir,
			"rmdir": m.rmdir, "rename": m.rename, "remount": m.remount, "foreign": m.foreign,
			"tree": m.check,
		})
		m.drain(rt)
		m.check(rt)
	})
}
