package spool

import (
	"cmp"
	"fmt"
	"os"
	"slices"

	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/internal/frame"
)

// A segment lives as long as anything in it, so one small file that waits for days would keep all that was written
// around it. Compaction copies what is live in segments that are mostly dead to the active one, and a checkpoint of the log, which
// names the copies, lets the old ones go. Until that is in its place the log names the old bytes and keeps them: whenever a
// crash comes, there is one list of extents, and what it names is there.

// compactShare is the part of a segment's size that has to be gained, all together, for a compaction to be worth its
// checkpoint.
const compactShare = 4

// victim is a segment that may be compacted.
type victim struct {
	st   *storage
	live int64 // bytes of it that contents need, frames not counted
	used int   // contents that name it
}

// Compact copies what is live in segments that are mostly dead, and tells how many bytes the next Checkpoint gives back: 0 =
// there is no need for one. frozen are the contents that are sealed, by the log, too, and that nobody is about to log
// an older list of: the snapshot of that Checkpoint lists them as they are then. others are the rest; a segment that
// one of them needs, or somebody unknown, stays. It may run beside everything else.
func (s *Spool) Compact(frozen, others []*Content) (gain int64, err error) {
	if s.closed.Load() {
		return 0, ErrClosed
	}
	if !s.worthALook() {
		return 0, nil
	}
	for _, v := range s.victims(frozen, others) {
		moved, err := s.empty(v, frozen)
		if err != nil {
			return gain, fmt.Errorf("compact segment %016x: %w", v.st.id, err)
		}
		if moved {
			gain += v.st.bytes.Load() - v.live
		}
	}
	return gain, nil
}

// worthALook: there is as much in segments as a compaction has to gain.
func (s *Spool) worthALook() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	sum := int64(0)
	for _, st := range s.storages {
		if st.kind == KindSegment {
			sum += st.bytes.Load()
		}
	}
	return sum >= s.cfg.SegmentSize/compactShare
}

// victims lists the segments that are mostly dead, the deadest first, if they are worth it all together, and no more than
// fill one new segment.
func (s *Spool) victims(frozen, others []*Content) []*victim {
	all := s.measure(slices.Concat(frozen, others))
	active := s.segments.retireDead(s, func(st *storage) bool {
		v := all[st]
		return st.bytes.Load() >= s.cfg.SegmentSize/compactShare && (v == nil || 2*v.live <= st.bytes.Load())
	})
	s.explain(all, frozen, others)
	var list []*victim
	gain, live := int64(0), int64(0)
	for st, v := range all {
		if st != active && 2*v.live <= st.bytes.Load() && !st.damaged.Load() {
			list = append(list, v)
		}
	}
	slices.SortFunc(list, func(a, b *victim) int { return cmp.Or(cmp.Compare(a.live, b.live), cmp.Compare(a.st.id, b.st.id)) })
	for i, v := range list {
		if live += v.live; live > s.cfg.SegmentSize {
			list = list[:i]
			break
		}
		gain += v.st.bytes.Load() - v.live
	}
	if gain < s.cfg.SegmentSize/compactShare {
		return nil
	}
	return list
}

// measure counts what contents need of each segment.
func (s *Spool) measure(contents []*Content) map[*storage]*victim {
	all := map[*storage]*victim{}
	for _, c := range contents {
		c.mu.RLock()
		for st := range c.m.uses {
			if st.kind != KindSegment {
				continue
			}
			if all[st] == nil {
				all[st] = &victim{st: st}
			}
			all[st].used++
		}
		for x := range c.m.within(0, c.m.size) {
			if x.kind == KindSegment {
				all[x.st].live += x.len // what two share counts twice, and is copied twice
			}
		}
		c.mu.RUnlock()
	}
	return all
}

// explain takes those out that would stay all the same: others need them, or the log would go on to name them.
func (s *Spool) explain(all map[*storage]*victim, frozen, others []*Content) {
	for _, c := range others {
		c.mu.RLock()
		for st := range c.m.uses {
			delete(all, st)
		}
		c.mu.RUnlock()
	}
	type use struct {
		gen string
		st  *storage
	}
	known := map[use]bool{}
	for _, c := range frozen {
		c.mu.RLock()
		for st := range c.m.uses {
			known[use{c.gen, st}] = c.sealed
		}
		c.mu.RUnlock()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	named := map[*storage]int{}
	for gen, list := range s.named {
		for _, st := range list {
			if named[st]++; !known[use{gen, st}] {
				delete(all, st)
			}
		}
	}
	for st, v := range all {
		if st.refs.Load() != int64(v.used+named[st]) {
			delete(all, st)
		}
	}
}

// empty copies all that contents have in a segment. false: it stays, its bytes are not what they were.
func (s *Spool) empty(v *victim, contents []*Content) (bool, error) {
	v.st.refs.Add(1)
	defer s.unref(v.st)
	good, err := s.goodRuns(v.st)
	if err != nil {
		return false, err
	}
	for _, c := range contents {
		for _, x := range c.extentsIn(v.st) {
			if !inside(good, x.pos, x.len) {
				v.st.damaged.Store(true) // not tried again
				s.cfg.Log.Error("bytes in the spool are damaged, they are left where they are",
					zap.String("gen", c.gen), zap.Uint64("segment", v.st.id), zap.Int64("position", x.pos))
				return false, nil
			}
		}
	}
	for _, c := range contents {
		if err := c.leave(v.st); err != nil {
			return false, err
		}
	}
	return true, nil
}

// goodRuns reads a segment and lists its good frames.
func (s *Spool) goodRuns(st *storage) ([]Range, error) {
	v := &survey{s: s, good: map[uint64][]Range{}}
	err := s.with(st, func(f *os.File) error { return v.segment(st, f) })
	return v.good[st.id], err
}

// extentsIn lists what a content has in a segment.
func (c *Content) extentsIn(st *storage) []extent {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.m.uses[st] == 0 {
		return nil
	}
	var list []extent
	for x := range c.m.within(0, c.m.size) {
		if x.st == st {
			list = append(list, x)
		}
	}
	return list
}

// leave copies what a sealed content has in a segment to the active one.
func (c *Content) leave(st *storage) error {
	var copies []extent
	defer func() {
		for _, x := range copies {
			c.s.unref(x.st) // the map has its own
		}
	}()
	var buf []byte
	for _, x := range c.extentsIn(st) {
		buf = slices.Grow(buf[:0], int(x.len))[:x.len]
		if err := c.s.read(st, buf, x.pos); err != nil {
			return err
		}
		to, pos, err := c.s.segments.copy(c.s, c.gen, x.off, buf)
		if err != nil {
			return err
		}
		copies = append(copies, extent{off: x.off, len: x.len, pos: pos, st: to, kind: KindSegment})
	}
	c.io.Lock()
	defer c.io.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.released || !c.sealed {
		return nil
	}
	for _, x := range copies {
		c.m.set(x) // sealed: the range is what it was
	}
	return nil
}

// copy is append for bytes that are in the spool already: they go when the copy is named, so no limit counts them.
func (g *segments) copy(s *Spool, gen string, off int64, p []byte) (*storage, int64, error) {
	return g.appendFrame(s, gen, off, p, func(st *storage, n int64) error {
		s.usage.Add(n)
		st.bytes.Add(n)
		return nil
	})
}

// retireDead ends the active segment if it is dead enough, and tells which it is else.
func (g *segments) retireDead(s *Spool, dead func(*storage) bool) (active *storage) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.active != nil && g.size > frame.FileHeaderSize && dead(g.active) {
		g.retire(s)
	}
	return g.active
}
