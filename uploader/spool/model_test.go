package spool_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// genModel is a generation as plain bytes with a mask.
type genModel struct {
	gen    string
	c      *spool.Content
	data   []byte
	base   []bool // not ours
	sealed bool
}

func (m *genModel) resize(n int) {
	if n < len(m.data) {
		m.data, m.base = m.data[:n], m.base[:n]
		return
	}
	m.data = append(m.data, make([]byte, n-len(m.data))...)
	m.base = append(m.base, make([]bool, n-len(m.base))...)
}

func (m *genModel) missing() []spool.Range {
	var list []spool.Range
	for i, b := range m.base {
		switch n := len(list); {
		case !b:
		case n > 0 && list[n-1].Off+list[n-1].Len == int64(i):
			list[n-1].Len++
		default:
			list = append(list, spool.Range{Off: int64(i), Len: 1})
		}
	}
	return list
}

// machine drives a spool and the model side by side.
type machine struct {
	dir  string
	s    *spool.Spool
	gens []*genModel
	n    int
}

const maxFile = 9000 // crosses blocks of the file system

func modelConfig(dir string) spool.Config {
	c := config(dir)
	c.InlineMax, c.SegmentSize, c.MaxOpen = 300, 1500, 2
	return c
}

func (m *machine) pick(t *rapid.T, sealed bool) *genModel {
	list := slices.DeleteFunc(slices.Clone(m.gens), func(g *genModel) bool { return g.sealed != sealed })
	if len(list) == 0 {
		t.Skip("no such generation")
	}
	return rapid.SampledFrom(list).Draw(t, "generation")
}

func (m *machine) add(t *rapid.T, g *genModel) {
	if len(m.gens) > 6 {
		t.Skip("enough generations")
	}
	m.n++
	g.gen = fmt.Sprintf("gen/%d", m.n)
	m.gens = append(m.gens, g)
}

func (m *machine) Create(t *rapid.T) {
	g := &genModel{}
	m.add(t, g)
	size := rapid.SampledFrom([]int{0, 0, 1, 500, 5000}).Draw(t, "base size")
	check(t, m.s.Append(&spool.Record{Type: spool.TypeCreate, Gen: g.gen, Size: int64(size)}))
	g.c = m.s.NewContent(g.gen, int64(size))
	g.data, g.base = baseBytes(0, int64(size)), slices.Repeat([]bool{true}, size)
}

func (m *machine) Clone(t *rapid.T) {
	below := m.pick(t, rapid.Bool().Draw(t, "of a sealed one"))
	g := &genModel{data: bytes.Clone(below.data), base: slices.Clone(below.base)}
	m.add(t, g)
	g.c = below.c.Clone(g.gen)
	check(t, m.s.Append(&spool.Record{Type: spool.TypeCreate, Gen: g.gen, Size: g.c.Size(), Extents: g.c.Extents()}))
}

func (m *machine) Write(t *rapid.T) {
	g := m.pick(t, false)
	off := rapid.IntRange(0, maxFile).Draw(t, "off")
	if rapid.Bool().Draw(t, "append") {
		off = len(g.data)
	}
	n := rapid.SampledFrom([]int{1, 17, 100, 299, 301, 2000}).Draw(t, "len")
	p := pattern(rapid.Byte().Draw(t, "seed"), n)
	write(t, g.c, p, int64(off))
	g.resize(max(len(g.data), off+n))
	copy(g.data[off:], p)
	clear(g.base[off : off+n])
}

func (m *machine) Truncate(t *rapid.T) {
	g := m.pick(t, false)
	n := rapid.IntRange(0, maxFile).Draw(t, "size")
	check(t, g.c.Truncate(int64(n)))
	g.resize(n)
}

func (m *machine) Allocate(t *rapid.T) {
	g := m.pick(t, false)
	off, n := rapid.IntRange(0, maxFile).Draw(t, "off"), rapid.IntRange(1, 500).Draw(t, "len")
	check(t, g.c.Allocate(int64(off), int64(n)))
	g.resize(max(len(g.data), off+n))
}

func (m *machine) Punch(t *rapid.T) {
	g := m.pick(t, false)
	off, n := rapid.IntRange(0, maxFile).Draw(t, "off"), rapid.IntRange(1, maxFile).Draw(t, "len")
	check(t, g.c.PunchHole(int64(off), int64(n)))
	for i := off; i < min(off+n, len(g.data)); i++ {
		g.data[i], g.base[i] = 0, false
	}
}

func (m *machine) Fill(t *rapid.T) {
	g := m.pick(t, rapid.Bool().Draw(t, "a sealed one"))
	off, n := rapid.IntRange(0, maxFile).Draw(t, "off"), rapid.IntRange(1, 3000).Draw(t, "len")
	check(t, g.c.FillBase(int64(off), baseBytes(int64(off), int64(n))))
	for i := off; i < min(off+n, len(g.base)); i++ {
		g.base[i] = false
	}
	if g.sealed {
		check(t, m.s.Append(&spool.Record{Type: spool.TypePin, Gen: g.gen, Size: g.c.Size(), Extents: g.c.Extents()}))
	}
}

func (m *machine) Seal(t *rapid.T) {
	g := m.pick(t, false)
	seal(t, m.s, g.c)
	g.sealed = true
}

func (m *machine) Drop(t *rapid.T) {
	g := m.pick(t, rapid.Bool().Draw(t, "a sealed one"))
	check(t, m.s.Append(&spool.Record{Type: spool.TypeDrop, Gen: g.gen}))
	g.c.Release()
	m.gens = slices.DeleteFunc(m.gens, func(o *genModel) bool { return o == g })
}

func (m *machine) Sync(t *rapid.T) { check(t, m.s.Sync(context.Background())) }

func (m *machine) Checkpoint(t *rapid.T) {
	var recs []*spool.Record
	for _, g := range m.gens {
		typ := spool.TypeSeal
		if !g.sealed {
			typ = spool.TypeCreate
		}
		recs = append(recs, &spool.Record{Type: typ, Gen: g.gen, Size: g.c.Size(), Extents: g.c.Extents()})
	}
	check(t, m.s.Checkpoint(recs))
}

// Compact moves what is live out of segments that are mostly dead; finish: the checkpoint that follows is made.
func (m *machine) compact(t *rapid.T, finish bool) {
	var frozen, others []*spool.Content
	for _, g := range m.gens {
		if g.sealed {
			frozen = append(frozen, g.c)
		} else {
			others = append(others, g.c)
		}
	}
	gain, err := m.s.Compact(frozen, others)
	check(t, err)
	if gain > 0 && finish {
		m.Checkpoint(t)
	}
}

func (m *machine) Compact(t *rapid.T) { m.compact(t, rapid.Bool().Draw(t, "with its checkpoint")) }

// Reopen is a restart, in the same boot or another: what was sealed is there again.
func (m *machine) Reopen(t *rapid.T) {
	for _, g := range m.gens {
		if !g.sealed {
			seal(t, m.s, g.c)
			g.sealed = true
		}
	}
	check(t, m.s.Close())
	c := modelConfig(m.dir)
	c.BootID = rapid.SampledFrom([]string{"boot-1", "boot-2"}).Draw(t, "boot")
	var rec *spool.Recovery
	m.s, rec = open(t, c)
	if len(rec.Damaged) > 0 || len(rec.Unsealed) > 0 || rec.Lost > 0 || rec.Cut > 0 {
		t.Fatalf("recovery: %+v", rec)
	}
	for _, g := range m.gens {
		r := lastList(t, rec, g.gen)
		var err error
		if g.c, err = m.s.Adopt(g.gen, r.Size, r.Extents); err != nil {
			t.Fatal(err)
		}
	}
	check(t, m.s.Recovered())
}

func lastList(t fatal, rec *spool.Recovery, gen string) (found spool.Record) {
	t.Helper()
	for _, r := range rec.Records {
		if r.Gen == gen && (r.Type == spool.TypeSeal || r.Type == spool.TypePin) {
			found = r
		}
	}
	if found.Gen == "" {
		t.Fatalf("%s is not in the log", gen)
	}
	return found
}

// Check is what rapid asserts after each action.
func (m *machine) Check(t *rapid.T) {
	for _, g := range m.gens {
		same(t, g.gen, read(t, g.c, readBase), g.data)
		missing := g.missing()
		if got := g.c.Missing(); !slices.Equal(got, missing) {
			t.Fatalf("%s: missing: %s", g.gen, cmp.Diff(missing, got))
		}
		if g.c.Whole() != (len(missing) == 0) || g.c.Sealed() != g.sealed {
			t.Fatalf("%s: whole %v, sealed %v", g.gen, g.c.Whole(), g.c.Sealed())
		}
		end := int64(0)
		var last spool.Extent
		for i, x := range g.c.Extents() {
			if x.Off != end || x.Len <= 0 {
				t.Fatalf("%s: extents are not total at %d: %+v", g.gen, end, x)
			}
			if i > 0 && last.Kind == x.Kind && last.Storage == x.Storage && last.Pos+last.Len == x.Pos {
				t.Fatalf("%s: extents are not joined at %d: %+v, %+v", g.gen, end, last, x)
			}
			end, last = x.Off+x.Len, x
		}
	}
	if used, logged := m.s.Usage(); used < 0 || logged <= 0 {
		t.Fatalf("usage %d, log %d", used, logged)
	}
}

func TestContentModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &machine{dir: fastDir(t)}
		m.s, _ = open(rt, modelConfig(m.dir))
		defer func() { check(rt, m.s.Close()) }()
		actions := rapid.StateMachineActions(m)
		actions["WriteMore"] = m.Write // most of what happens
		actions["WriteStill"] = m.Write
		rt.Repeat(actions)

		// When everything has ended nothing is left but the active segment, and nothing at all after a restart.
		for _, g := range m.gens {
			check(rt, m.s.Append(&spool.Record{Type: spool.TypeCommit, Gen: g.gen}))
			g.c.Release()
		}
		check(rt, m.s.Sync(context.Background()))
		if files := storageFiles(rt, m.dir); len(files) > 1 {
			rt.Fatalf("left: %v", files)
		}
		if used, _ := m.s.Usage(); used > modelConfig("").SegmentSize {
			rt.Fatalf("usage %d", used)
		}
		check(rt, m.s.Close())
		m.s, _ = open(rt, modelConfig(m.dir))
		check(rt, m.s.Recovered())
		used, _ := m.s.Usage()
		if files := storageFiles(rt, m.dir); len(files) > 0 || used != 0 {
			rt.Fatalf("left after a restart: %v, usage %d", files, used)
		}
	})
}
