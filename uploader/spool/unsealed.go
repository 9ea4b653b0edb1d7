package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// blockSize is the granularity, in bytes, in which data files are searched for zeros.
const blockSize = 4096

// rebuildOne puts an unsealed generation together:
//
//   - the extents of its last SYNCED record, else what its CREATE record started with;
//   - after a SYNCED record in another boot nothing else: what was written later may be there in part;
//   - else the frames written since, and what the own data file holds. The data file tells data from holes by
//     blocks only. So above a SYNCED record, whose result may be uploaded, it fills only what was zeros; without
//     one, where the result is for the user to look at, it wins, less the zeros at the ends of each run
//     of data.
func (s *Spool) rebuildOne(v *survey, g *genRecords, sameBoot bool) (*Content, error) {
	r := g.last()
	c := &Content{s: s, gen: r.Gen, m: newExtentMap(s.unref), sealed: true}
	if err := s.fillMap(&c.m, r.Size, v.clipOwn(r)); err != nil {
		c.Release()
		return nil, err
	}
	if err := v.check(&Record{Extents: c.extents()}); err != nil {
		c.Release()
		return nil, err
	}
	if g.synced != nil && !sameBoot {
		return c, nil
	}
	own := v.ownFile(r.Gen)
	if own != nil {
		c.m.resize(v.sizes[own.id]) // it is as long as the content
	}
	for _, p := range v.parts[r.Gen] {
		if p.after < r.Seq {
			continue
		}
		x := extent{off: p.off, len: p.len, kind: KindSegment, st: p.st, pos: p.pos}
		if own != nil { // the bytes were moved there, and may have been rewritten
			x.kind, x.st, x.pos = KindFile, own, p.off
			x.len = min(p.len, c.m.size-p.off)
		}
		if x.len > 0 {
			c.put(x)
		}
	}
	for _, st := range v.files[r.Gen] {
		if err := c.overlay(st, g.synced != nil); err != nil {
			c.Release()
			return nil, err
		}
	}
	return c, nil
}

func (v *survey) ownFile(gen string) *storage {
	list := v.files[gen]
	if len(list) == 0 {
		return nil
	}
	return list[len(list)-1]
}

// clipOwn gives the extents that r lists. What it says of the generation's own data file and is behind that
// file's end was truncated after r: zeros now.
func (v *survey) clipOwn(r *Record) []Extent {
	if len(r.Extents) == 0 && r.Size > 0 {
		return []Extent{{Len: r.Size, Kind: KindBase}}
	}
	var list []Extent
	for _, x := range r.Extents {
		st := v.s.storages[x.Storage]
		if x.Kind != KindFile || st == nil || st.gen != r.Gen {
			list = append(list, x)
			continue
		}
		there := min(max(v.sizes[st.id]-x.Pos, 0), x.Len)
		if there > 0 {
			list = append(list, Extent{Off: x.Off, Len: there, Kind: KindFile, Storage: x.Storage, Pos: x.Pos})
		}
		if there < x.Len {
			list = append(list, Extent{Off: x.Off + there, Len: x.Len - there, Kind: KindZero})
		}
	}
	return list
}

// overlay puts what a data file holds over the map.
func (c *Content) overlay(st *storage, onlyZeros bool) error {
	return c.s.with(st, func(f *os.File) error {
		runs, err := dataRuns(f, c.m.size)
		if err != nil {
			return err
		}
		for _, run := range runs {
			inner, err := trimZeros(f, run)
			if err != nil {
				return err
			}
			for _, x := range slices.Collect(c.m.within(run.Off, run.Off+run.Len)) {
				switch {
				case x.kind == KindZero:
				case onlyZeros || inner.Len == 0 || x.end() <= inner.Off || x.off >= inner.Off+inner.Len:
					continue
				default:
					x = x.clip(inner.Off, inner.Off+inner.Len)
				}
				c.m.set(extent{off: x.off, len: x.len, kind: KindFile, st: st, pos: x.off})
			}
		}
		return nil
	})
}

// dataRuns lists the parts of the first size bytes of f that are not holes.
func dataRuns(f *os.File, size int64) ([]Range, error) {
	var runs []Range
	for off := int64(0); off < size; {
		from, err := unix.Seek(int(f.Fd()), off, unix.SEEK_DATA)
		if errors.Is(err, syscall.ENXIO) || (err == nil && from >= size) {
			return runs, nil
		}
		if err != nil {
			return nil, fmt.Errorf("seek data: %w", err)
		}
		if off, err = unix.Seek(int(f.Fd()), from, unix.SEEK_HOLE); err != nil {
			return nil, fmt.Errorf("seek hole: %w", err)
		}
		runs = append(runs, Range{Off: from, Len: min(off, size) - from})
	}
	return runs, nil
}

// trimZeros narrows run by the zeros at its ends: a file system gives room by blocks, some by larger ones.
func trimZeros(f *os.File, run Range) (Range, error) {
	buf := make([]byte, blockSize)
	for run.Len > 0 {
		b, err := readPart(f, buf[:min(blockSize, run.Len)], run.Off)
		if err != nil {
			return run, err
		}
		lead := slices.IndexFunc(b, nonZero)
		if lead >= 0 {
			run.Off, run.Len = run.Off+int64(lead), run.Len-int64(lead)
			break
		}
		run.Off, run.Len = run.Off+int64(len(b)), run.Len-int64(len(b))
	}
	for run.Len > 0 {
		n := min(blockSize, run.Len)
		b, err := readPart(f, buf[:n], run.Off+run.Len-n)
		if err != nil {
			return run, err
		}
		left := len(bytes.TrimRight(b, "\x00"))
		run.Len -= int64(len(b) - left)
		if left > 0 {
			break
		}
	}
	return run, nil
}

// readPart fills b; what is behind the end of the file is zeros.
func readPart(f *os.File, b []byte, off int64) ([]byte, error) {
	n, err := f.ReadAt(b, off)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	clear(b[n:])
	return b, nil
}

func nonZero(b byte) bool { return b != 0 }
