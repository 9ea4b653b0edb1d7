package spool

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"
)

// A log that is damaged, or of which a power loss has taken the end, names less than the spool has. Nothing of that is removed because
// nobody can tell what it was: it is quarantined, with the names and extents that intact records give, else by what segments and data
// files say of themselves. Only a generation that an intact record ends is not kept.

// remains is what may have to be kept though no trusted record names it.
type remains struct {
	gens   *generations      // that records which are not trusted name
	keys   map[string]string // by generation: the last key that they give
	known  map[string]bool   // generations that trusted records name, or that have ended
	strays bool              // records are missing: bytes that nobody names are kept
	after  uint64            // those in segments that were written after this record
	why    string
}

// rest tells what the untrusted part of a log leaves to be kept.
func (scan *logScan) rest(rec *Recovery, trusted *generations) *remains {
	p := &remains{keys: map[string]string{}, known: map[string]bool{}, after: scan.lastSeq}
	lost := scan.records[len(rec.Records):]
	p.strays = rec.Cut > 0 || scan.boot == ""
	p.why = "the log of the spool is damaged"
	if !p.strays {
		p.why = "it was written shortly before a power loss"
	}
	if scan.snapshot {
		p.after = 0
	}
	for i := range rec.Records {
		p.known[rec.Records[i].Gen] = true
	}
	ended := map[string]bool{}
	for i := range lost {
		if r := &lost[i]; r.Type.ends() {
			ended[r.Gen] = true
		}
	}
	all := slices.DeleteFunc(slices.Concat(lost, scan.behind.records), func(r Record) bool {
		return r.Gen == "" || p.known[r.Gen] || ended[r.Gen] || scan.behind.ended[r.Gen]
	})
	for i := range all {
		if r := &all[i]; r.Key != "" {
			p.keys[r.Gen] = r.Key
		}
	}
	p.gens = foldGens(all)
	for _, more := range []map[string]bool{ended, scan.behind.ended} {
		for gen := range more {
			p.known[gen] = true
		}
	}
	for gen := range trusted.by {
		p.known[gen] = true
	}
	return p
}

// stray reports whether a frame of a segment, written after a record, is of a generation that nobody names.
func (p *remains) stray(gen string, after uint64) bool {
	return p != nil && p.strays && after > p.after && gen != "" && !p.known[gen]
}

// holds: a record names bytes in the spool.
func (p *remains) holds(r *Record) bool {
	return slices.ContainsFunc(r.Extents, func(x Extent) bool { return x.Kind.stored() })
}

// quarantine makes the record that keeps a generation.
func (p *remains) quarantine(gen string, size int64, extents []Extent) *Record {
	return &Record{Type: TypeQuarantine, Gen: gen, Key: p.keys[gen], Size: size, Extents: extents, Text: p.why, Time: time.Now()}
}

// salvage lists what is kept of the remains.
func (s *Spool) salvage(v *survey, rest *remains, rec *Recovery) error {
	for _, gen := range rest.gens.order {
		r, err := s.salvageOne(v, rest, gen, rec.SameBoot)
		if err != nil {
			return fmt.Errorf("salvage %s: %w", gen, err)
		}
		s.keep(rec, r)
	}
	if !rest.strays {
		return nil
	}
	for _, gen := range v.strays() {
		r, err := s.salvageStray(v, rest, gen)
		if err != nil {
			return fmt.Errorf("salvage %s: %w", gen, err)
		}
		s.keep(rec, r)
	}
	return nil
}

func (s *Spool) keep(rec *Recovery, r *Record) {
	if r == nil {
		return
	}
	s.cfg.Log.Warn("what no trusted record names stays in the spool and is not uploaded",
		zap.String("gen", r.Gen), zap.String("key", r.Key), zap.Int64("size", r.Size), zap.String("why", r.Text))
	rec.Salvaged = append(rec.Salvaged, *r)
}

// salvageOne looks what is there of a generation that untrusted records name; nil: nothing.
func (s *Spool) salvageOne(v *survey, rest *remains, gen string, sameBoot bool) (*Record, error) {
	g := rest.gens.by[gen]
	if g.sealed != nil {
		if v.check(g.sealed) == nil {
			if !rest.holds(g.sealed) {
				return nil, nil
			}
			r := rest.quarantine(gen, g.sealed.Size, g.sealed.Extents)
			r.Sums = g.sealed.Sums
			return r, nil
		}
		g = &genRecords{create: g.create, synced: g.synced}
	}
	if g.last() == nil { // its bytes are damaged, too: what its files say of themselves
		return s.salvageStray(v, rest, gen)
	}
	c, err := s.rebuildOne(v, g, sameBoot)
	switch {
	case errors.Is(err, ErrDamaged):
		return s.salvageStray(v, rest, gen)
	case err != nil:
		return nil, err
	}
	return rest.taken(c), nil
}

// salvageStray puts together what segments and data files have of a generation of which no record is left; nil: nothing. What of it
// may have been of a base, or a hole, is not known.
func (s *Spool) salvageStray(v *survey, rest *remains, gen string) (*Record, error) {
	size := int64(0)
	if own := v.ownFile(gen); own != nil {
		size = v.sizes[own.id]
	}
	for _, p := range v.parts[gen] {
		size = max(size, p.off+p.len)
	}
	c, err := s.rebuildOne(v, &genRecords{create: &Record{Gen: gen, Size: size}}, true)
	if errors.Is(err, ErrDamaged) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return rest.taken(c), nil
}

// taken makes the record of what was put together, unless there are no bytes in it.
func (p *remains) taken(c *Content) *Record {
	defer c.Release() // the log will name it
	r := p.quarantine(c.gen, c.m.size, c.extents())
	if !p.holds(r) {
		return nil
	}
	return r
}

// strays lists the generations with bytes that no record names.
func (v *survey) strays() []string {
	var gens []string
	for gen := range v.parts {
		if v.rest.gens.by[gen] == nil && !v.rest.known[gen] {
			gens = append(gens, gen)
		}
	}
	for gen := range v.files {
		if v.rest.gens.by[gen] == nil && !v.rest.known[gen] {
			gens = append(gens, gen)
		}
	}
	slices.Sort(gens)
	return slices.Compact(gens)
}
