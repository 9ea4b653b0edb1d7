package disk

// dropStep is how many units are dropped at a time, so that readers are not held up.
const dropStep = 4096

// Drop forgets for good what there is of the bytes [from, to) of a version of size bytes: they have turned out to be wrong. It
// returns when nothing of them can be read any more, here or by a later process.
func (d *Store) Drop(v Version, size, from, to int64) {
	to = min(to, size)
	for _, unit := range []int64{BlockSize, PageSize} {
		for first, last := from/unit, (to+unit-1)/unit; first < last; first += dropStep {
			d.dropUnits(v, first, min(first+dropStep, last), unit == PageSize)
		}
	}
}

func (d *Store) dropUnits(v Version, first, last int64, page bool) {
	where := map[*segment][]int64{}
	var left []waiting
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return
	}
	for i := first; i < last; i++ {
		id := unitID(v, i, page)
		p, ok := d.index[id]
		if !ok {
			continue
		}
		s := d.segs[p.seq]
		if where[s] == nil {
			s.readers++
		}
		where[s] = append(where[s], int64(s.recs[p.n].off))
		delete(d.index, id)
	}
	hit := func(b waiting) bool { return b.Version == v && b.Page == page && b.Index >= first && b.Index < last }
	kept := d.queue.blocks[:0:0]
	for _, b := range d.queue.blocks {
		if hit(b) {
			left = append(left, b)
			d.queue.bytes -= int64(len(b.Data))
		} else {
			kept = append(kept, b)
		}
	}
	d.queue.blocks = kept
	for _, b := range d.queue.batch {
		if hit(b) {
			if d.queue.barred == nil {
				d.queue.barred = map[uint64]bool{}
			}
			d.queue.barred[unitID(v, b.Index, page)] = true
		}
	}
	d.mu.Unlock()
	for _, b := range left {
		b.Done()
	}
	for s, offs := range where {
		spoil(s, offs)
		d.endRead(s, 0, 0)
	}
}

// spoil makes records at these places unreadable for whoever finds them by the segment's index or by its headers. Where the disk
// refuses that they may come back with a later process, as all may that was not known to be wrong.
func spoil(s *segment, offs []int64) {
	for _, off := range offs {
		_, _ = s.file.WriteAt(make([]byte, 4), off) // instead of the mark that a record begins with
	}
}
