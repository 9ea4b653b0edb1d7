package listing_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/s3levelfs/s3levelfs/fs/vfs/listing"
)

// model is the bucket, and the directories that are shown without a key: those
// that we emptied must be, until something is put into them; those that we ever
// removed something from may be, after others removed the rest.
type model struct {
	b         *bucket
	x         *listing.Index
	dirty     bool // somebody else wrote: the next answers may be old for a TTL
	must, may map[string]bool
	gone      map[string]bool // removed here, and nothing put there by us since: not kept again
}

var modelDirs = []string{"p/", "p/a/", "p/a/b/", "p/c/", "p/c/d/"}

func (m *model) key(t *rapid.T) string {
	return rapid.SampledFrom(modelDirs).Draw(t, "dir") + rapid.SampledFrom([]string{"a", "f", "g", "c-1"}).Draw(t, "name")
}

func (m *model) put(t *rapid.T) {
	key := m.key(t)
	m.x.Stored(m.b.put(key))
	m.made(key)
}

func (m *model) made(key string) {
	for _, set := range []map[string]bool{m.must, m.gone} {
		maps.DeleteFunc(set, func(d string, _ bool) bool { return strings.HasPrefix(key, d) })
	}
}

// took notes that we removed something in the directories that key lies in.
func (m *model) took(key string) {
	up := key[:strings.LastIndex(key[:len(key)-1], "/")+1]
	again := false
	for d := range m.gone {
		again = again || strings.HasPrefix(up, d)
	}
	for _, d := range modelDirs {
		if strings.HasPrefix(key, d) && key != d {
			m.must[d], m.may[d] = m.must[d] || !again && !m.there(d), true
		}
	}
}

func (m *model) remove(t *rapid.T) {
	key := m.key(t)
	if _, there := m.b.keys[key]; !there {
		return
	}
	m.settle()
	for _, d := range modelDirs { // seen, as a program's unlink sees it
		readRapid(t, m.x, d)
	}
	m.b.remove(key)
	m.x.Removed(key)
	m.took(key)
}

func (m *model) mkdir(t *rapid.T) {
	dir := rapid.SampledFrom(modelDirs[1:]).Draw(t, "dir")
	m.settle()
	if m.there(dir) {
		return
	}
	m.x.NewDir(dir)
	m.x.Stored(m.b.put(dir))
	m.made(dir)
}

func (m *model) rmdir(t *rapid.T) {
	dir := rapid.SampledFrom(modelDirs[1:]).Draw(t, "dir")
	m.settle()
	if !m.there(dir) || len(m.children(dir)) > 0 {
		return
	}
	up := dir[:strings.LastIndex(dir[:len(dir)-1], "/")+1]
	readRapid(t, m.x, up)
	m.b.remove(dir)
	m.x.DirRemoved(dir)
	for _, set := range []map[string]bool{m.must, m.may} {
		maps.DeleteFunc(set, func(d string, _ bool) bool { return strings.HasPrefix(d, dir) })
	}
	m.gone[dir] = true
	m.took(dir)
}

func (m *model) foreign(t *rapid.T) {
	m.dirty = true
	if key := m.key(t); rapid.Bool().Draw(t, "put") {
		m.b.put(key)
	} else {
		m.b.remove(key)
	}
}

func (m *model) settle() {
	if m.dirty {
		time.Sleep(ttl)
		m.dirty = false
	}
}

// there: a key lies below, or it was emptied by us.
func (m *model) there(dir string) bool {
	for k := range m.b.keys {
		if strings.HasPrefix(k, dir) {
			return true
		}
	}
	for d, s := range m.must {
		if s && strings.HasPrefix(d, dir) {
			return true
		}
	}
	return false
}

// children are the names that must be shown, and with others also those that may be.
func (m *model) children(dir string, others ...string) []string {
	names := map[string]bool{}
	keys := slices.AppendSeq(others, maps.Keys(m.b.keys))
	for d, s := range m.must {
		if s {
			keys = append(keys, d)
		}
	}
	for _, k := range keys {
		rest, in := strings.CutPrefix(k, dir)
		if name, _, deep := strings.Cut(rest, "/"); in && rest != "" {
			if deep {
				name += "/"
			}
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func readRapid(t *rapid.T, x *listing.Index, dir string) []string {
	entries, fresh, err := x.ReadDir(t.Context(), dir)
	if err != nil || fresh.Stale {
		t.Fatalf("%q: %v, stale %v", dir, err, fresh.Stale)
	}
	return strings.Fields(strings.ReplaceAll(show(entries), "*", ""))
}

func (m *model) check(t *rapid.T) {
	m.settle()
	for _, dir := range modelDirs {
		must, may := m.children(dir), m.children(dir, slices.Collect(maps.Keys(m.may))...)
		got := readRapid(t, m.x, dir)
		if rapid.Bool().Draw(t, "by name") {
			got = nil
			for _, name := range []string{"a", "b", "c", "c-1", "d", "f", "g"} {
				entries, _, err := m.x.Lookup(t.Context(), dir, name)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, strings.Fields(strings.ReplaceAll(show(entries), "*", ""))...)
			}
		}
		for _, name := range may {
			if shown := slices.Contains(got, name); !shown && slices.Contains(must, name) {
				t.Fatalf("%q: %q, want %q", dir, got, must)
			}
		}
		for _, name := range got {
			if !slices.Contains(may, name) {
				t.Fatalf("%q: %q, want at most %q", dir, got, may)
			}
		}
	}
}

// noDeadline hides T.Deadline, which a synctest bubble does not have.
type noDeadline struct{ testing.TB }

func TestModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(noDeadline{t}, func(t *rapid.T) {
			b := newBucket("p/a/b/f", "p/f")
			x := listing.New(b, listing.Config{TTL: ttl, MaxEntries: rapid.SampledFrom([]int{0, 4, 12}).Draw(t, "memory")})
			defer x.Close()
			m := &model{b: b, x: x, must: map[string]bool{}, may: map[string]bool{}, gone: map[string]bool{}}
			t.Repeat(map[string]func(*rapid.T){
				"put": m.put, "remove": m.remove, "mkdir": m.mkdir, "rmdir": m.rmdir, "foreign": m.foreign,
				"later": func(*rapid.T) { time.Sleep(ttl) },
				"":      m.check,
			})
		})
	})
}
