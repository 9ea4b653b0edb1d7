package uploader

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"slices"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// The checksum that goes with a part is taken when its bytes are written, not when they are sent: what the disk has
// changed in between is refused by the store, and nothing is read twice. It is known of what was written from the part's beginning to its
// end, one write behind the other; of the rest the provider computes it from what it sends. The record of a seal has those of what lies in data
// files, which have no frames with checksums of their own: a process after this one compares before it sends.

// ErrDamaged: the spool's disk gives other bytes than were written to it.
var ErrDamaged = errors.New("the bytes in the spool are not those that were written: its disk has changed them")

// add takes in the bytes of a write that has ended. alone: no other write to the part was under way meanwhile. at
// is where they begin in the part.
func (p *tracked) add(b []byte, at int64, alone bool) {
	switch {
	case !alone:
		p.summed = 0
	case at == 0:
		p.sum, p.summed = crc32.ChecksumIEEE(b), int64(len(b))
	case at == p.summed:
		p.sum, p.summed = crc32.Update(p.sum, crc32.IEEETable, b), at+int64(len(b))
	case at < p.summed:
		p.summed = 0
	} // behind a gap: what is before it stays as it is
}

// count is how many parts were touched.
func (t *tracker) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.parts)
}

// sumOf is the checksum of the first n bytes of a part, if all of them are known.
func (t *tracker) sumOf(i int, n int64) (sum uint32, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n == 0 || i >= len(t.parts) || t.parts[i].under > 0 || t.parts[i].summed != n {
		return 0, false
	}
	return t.parts[i].sum, true
}

// untouched: the bytes [off, off+n) are those of the generation below.
func (t *tracker) untouched(off, n int64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cut < off+n {
		return false
	}
	for i := t.layout.index(off); i < len(t.parts) && i <= t.layout.index(off+n-1); i++ {
		if p := &t.parts[i]; p.writes > 0 && p.low < off+n {
			return false
		}
	}
	return true
}

// sumsAt lists the sums that the record of a generation's seal tells, by offset. extents are where its bytes are. Called with
// Uploader.mu held.
func (g *generation) sumsAt(extents []spool.Extent) []spool.Sum {
	t, size := g.track, g.content.Size()
	if t == nil || !slices.ContainsFunc(extents, func(x spool.Extent) bool { return x.Kind == spool.KindFile }) {
		return nil // what is in segments has checksums there
	}
	var sums []spool.Sum
	below := g.sums
	keep := func(until int64) { // those of the generation below, as far as they are in front of it
		for ; len(below) > 0 && below[0].Off < until; below = below[1:] {
			if s := below[0]; s.Off+s.Len <= min(until, size) && t.untouched(s.Off, s.Len) {
				sums = append(sums, s)
			}
		}
	}
	for i := range min(t.count(), t.layout.count(size)) {
		r := t.layout.within(i, size)
		if sum, ok := t.sumOf(i, r.Len); ok {
			keep(r.Off)
			for len(below) > 0 && below[0].Off < r.Off+r.Len {
				below = below[1:]
			}
			sums = append(sums, spool.Sum{Off: r.Off, Len: r.Len, CRC: sum})
		}
	}
	keep(size)
	return sums
}

// intact compares what is to be sent of a generation that a process before has written with the log's checksums.
func (u *Uploader) intact(g *generation, content *spool.Content, r store.Range) error {
	u.mu.Lock()
	sums := g.sums // a pin of it, which another operation on the same base asks for, logs them anew
	u.mu.Unlock()
	if g.track != nil || len(sums) == 0 { // the store is told what was written
		return nil
	}
	err := content.Check(sums, r.Off, r.Len)
	if errors.Is(err, spool.ErrDamaged) {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}

// withSum gives the checksum of part i, as long as it is n bytes, to the request that sends it. l is how it is cut.
func withSum(ctx context.Context, g *generation, l layout, i int, n int64) context.Context {
	if g.track == nil || g.track.layout != l {
		return ctx
	}
	if sum, ok := g.track.sumOf(i, n); ok {
		return store.WithCRC32(ctx, sum)
	}
	return ctx
}

// blame says whose fault it is that the store got other bytes than it was told: the line's, which may do better the next
// time, or the disk's.
func blame(ctx context.Context, err error, content *spool.Content, r store.Range) error {
	e, ok := errors.AsType[*store.Error](err)
	want, known := store.CRC32Of(ctx)
	if !ok || !known || e.Code != "BadDigest" && e.Code != "XAmzContentChecksumMismatch" {
		return err
	}
	h := crc32.NewIEEE()
	if _, rerr := io.Copy(h, io.NewSectionReader(content.Section(noBase), r.Off, r.Len)); rerr != nil {
		return errors.Join(err, rerr)
	}
	if h.Sum32() == want {
		return err
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}
