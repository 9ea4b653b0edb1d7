package spool

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"

	"github.com/s3levelfs/s3levelfs/internal/frame"
)

// genRecords is what the log says of the bytes of one generation.
type genRecords struct {
	create, synced, sealed *Record
}

// last is the record whose extents count.
func (g *genRecords) last() *Record {
	switch {
	case g.sealed != nil:
		return g.sealed
	case g.synced != nil:
		return g.synced
	}
	return g.create
}

// generations are those that have not ended, in the order of their first record.
type generations struct {
	order []string
	by    map[string]*genRecords
}

func foldGens(recs []Record) *generations {
	g := &generations{by: map[string]*genRecords{}}
	for i := range recs {
		r := &recs[i]
		switch {
		case r.Gen == "":
		case r.Type.ends():
			delete(g.by, r.Gen)
		case r.Type.lists():
			g.take(r)
		}
	}
	seen := map[string]bool{}
	g.order = slices.DeleteFunc(g.order, func(gen string) bool {
		dup := seen[gen]
		seen[gen] = true
		return dup || g.by[gen] == nil
	})
	return g
}

func (g *generations) take(r *Record) {
	known := g.by[r.Gen]
	if known == nil {
		known = &genRecords{}
		g.by[r.Gen] = known
		g.order = append(g.order, r.Gen)
	}
	switch r.Type {
	case TypeCreate:
		known.create = r
	case TypeSynced:
		known.synced = r
	default:
		known.sealed = r
	}
}

// listed gives the last list of extents of each generation.
func (g *generations) listed() []*Record {
	list := make([]*Record, 0, len(g.order))
	for _, gen := range g.order {
		list = append(list, g.by[gen].last())
	}
	return list
}

// rebuild checks the storage of sealed generations and puts unsealed ones together. rest is what else may have to be kept.
func (s *Spool) rebuild(gens *generations, rest *remains, rec *Recovery) error {
	if len(gens.order)+len(rest.gens.order) == 0 && !rest.strays {
		return nil
	}
	survey, err := s.survey(gens, rest)
	if err != nil {
		return err
	}
	for _, gen := range gens.order {
		g := gens.by[gen]
		r := g.last()
		if g.sealed != nil {
			if err := survey.check(r); err != nil {
				rec.Damaged = append(rec.Damaged, Damage{Gen: gen, Key: r.Key, Seq: r.Seq, Err: err})
			}
			continue
		}
		c, err := s.rebuildOne(survey, g, rec.SameBoot)
		switch {
		case errors.Is(err, ErrDamaged):
			rec.Damaged = append(rec.Damaged, Damage{Gen: gen, Key: r.Key, Seq: r.Seq, Err: err})
		case err != nil:
			return fmt.Errorf("rebuild %s: %w", gen, err)
		default:
			rec.Unsealed[gen] = c
		}
	}
	return s.salvage(survey, rest, rec)
}

// piece is a frame of a segment: bytes that an unsealed generation wrote.
type piece struct {
	st            *storage
	off, pos, len int64
	after         uint64 // Seq of the last record before it
}

// survey is what the storage files hold.
type survey struct {
	s     *Spool
	good  map[uint64][]Range    // by segment: runs of good frames
	sizes map[uint64]int64      // of data files
	files map[string][]*storage // data files by generation, oldest first
	parts map[string][]piece    // by unsealed generation, in order
	ids   []uint64
	rest  *remains // whose strays have parts, too; nil = nobody's
}

func (s *Spool) survey(gens *generations, rest *remains) (*survey, error) {
	v := &survey{
		s: s, good: map[uint64][]Range{}, sizes: map[uint64]int64{},
		files: map[string][]*storage{}, parts: map[string][]piece{}, rest: rest,
	}
	for gen, g := range gens.by {
		if g.sealed == nil {
			v.parts[gen] = nil
		}
	}
	for gen := range rest.gens.by {
		v.parts[gen] = nil
	}
	for id := range s.storages {
		v.ids = append(v.ids, id)
	}
	slices.Sort(v.ids)
	for _, id := range v.ids {
		st := s.storages[id]
		look := v.segment
		if st.kind == KindFile {
			look = v.dataFile
		}
		if err := s.with(st, func(f *os.File) error { return look(st, f) }); err != nil {
			return nil, err
		}
	}
	return v, nil
}

func (v *survey) dataFile(st *storage, f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	v.sizes[st.id] = info.Size()
	v.files[st.gen] = append(v.files[st.gen], st)
	return nil
}

// segment finds the good frames. One that is damaged costs only itself, as long as its length is right.
func (v *survey) segment(st *storage, f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	sc := frame.NewScanner(f, frame.FileHeaderSize, info.Size())
	for {
		for sc.Next() {
			v.frame(st, sc)
		}
		if !sc.Skip() {
			return sc.Err()
		}
	}
}

func (v *survey) frame(st *storage, sc *frame.Scanner) {
	runs := v.good[st.id]
	n := sc.End() - sc.Pos()
	if last := len(runs) - 1; last >= 0 && runs[last].Off+runs[last].Len == sc.Pos() {
		runs[last].Len += n
	} else {
		v.good[st.id] = append(runs, Range{Off: sc.Pos(), Len: n})
	}
	r := reader{b: sc.Payload()}
	gen := string(r.bytes(r.uvarint()))
	off, after := int64(r.uvarint()), r.uvarint()
	if _, wanted := v.parts[gen]; r.err != nil || off < 0 || len(r.b) == 0 || !wanted && !v.rest.stray(gen, after) {
		return
	}
	data := int64(len(r.b))
	v.parts[gen] = append(v.parts[gen], piece{st: st, off: off, len: data, pos: sc.End() - data, after: after})
}

// check tells whether all bytes that r lists are there.
func (v *survey) check(r *Record) error {
	for i := range r.Extents {
		x := &r.Extents[i]
		if !x.Kind.stored() {
			continue
		}
		st := v.s.storages[x.Storage]
		switch {
		case st == nil || st.kind != x.Kind:
			return fmt.Errorf("%w: %v %016x is missing", ErrDamaged, x.Kind, x.Storage)
		case x.Kind == KindFile && v.sizes[x.Storage] < x.Pos+x.Len:
			return damaged(st, fmt.Errorf("has %d bytes of %d", v.sizes[x.Storage], x.Pos+x.Len))
		case x.Kind == KindSegment && !inside(v.good[x.Storage], x.Pos, x.Len):
			return damaged(st, fmt.Errorf("frame at %d", x.Pos))
		}
	}
	return nil
}

func inside(runs []Range, pos, n int64) bool {
	i, found := slices.BinarySearchFunc(runs, pos, func(r Range, pos int64) int {
		return int(min(max(r.Off-pos, -1), 1))
	})
	if !found {
		i--
	}
	return i >= 0 && pos+n <= runs[i].Off+runs[i].Len
}

// allocated is the room that a file takes, in bytes.
func allocated(info os.FileInfo) int64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return min(st.Blocks*512, info.Size())
	}
	return info.Size()
}
