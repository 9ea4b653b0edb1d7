package disk

import (
	"errors"
	"os"
	"slices"

	"go.uber.org/zap"
)

// errNoRoom is the error of a disk of which as much is free as must stay.
var errNoRoom = errors.New("no more than what is to stay free")

// makeRoom has the oldest segments go until n bytes in so many blocks more are allowed.
func (d *Store) makeRoom(n int64, blocks int) error {
	for d.exceeds(n, blocks) {
		if len(d.order) == 0 {
			return errNoRoom
		}
		d.evict(true)
	}
	for !d.diskHasRoom(n) {
		if len(d.order) == 0 {
			return errNoRoom
		}
		d.evict(false)
	}
	return nil
}

// exceeds tells whether n bytes in so many blocks are more than the store may take.
func (d *Store) exceeds(n int64, blocks int) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.bytes+n > d.limit || len(d.index)+blocks > d.cfg.MaxBlocks
}

// diskHasRoom tells whether n bytes more leave free what is to stay so.
func (d *Store) diskHasRoom(n int64) bool {
	free, total, err := d.cfg.DiskRoom(d.cfg.Dir)
	if err != nil {
		d.complain("the disk of the read cache does not tell what is free on it", err)
		return true
	}
	return n <= free-d.cfg.KeepFree(total)
}

// complain logs what is worth one line.
func (d *Store) complain(what string, err error) {
	if !d.complained[what] {
		d.complained[what] = true
		d.log.Warn(what, zap.String("dir", d.cfg.Dir), zap.Error(err))
	}
}

// evict removes the oldest segment. With carry, what of it is used is written again.
func (d *Store) evict(carry bool) {
	s := d.segs[d.order[0]]
	if s == d.active {
		d.mu.Lock()
		d.active = nil
		d.mu.Unlock()
		carry = false
	}
	if carry {
		d.carry(s)
	}
	d.remove(s)
}

// remove forgets a segment and its records.
func (d *Store) remove(s *segment) {
	d.mu.Lock()
	for i := range s.recs {
		if id := s.recs[i].id; d.index[id] == (place{s.seq, uint32(i)}) {
			delete(d.index, id)
			d.stats.Evicted++
		}
	}
	d.bytes -= s.cost()
	delete(d.segs, s.seq)
	d.order = slices.DeleteFunc(d.order, func(seq uint32) bool { return seq == s.seq })
	s.gone = true
	idle := s.readers == 0
	d.mu.Unlock()
	if err := os.Remove(s.path); err != nil {
		d.complain("a file of the read cache was not removed", err)
	}
	if idle {
		s.close()
	}
}

// carry writes the used records of a segment that goes once more, as far as the allowance goes, and those before others that were
// used last.
func (d *Store) carry(s *segment) {
	for _, group := range d.used(s) {
		records := make([]record, 0, len(group))
		for _, r := range group {
			buf := make([]byte, recordLen(int(r.length)))
			if !s.read([][]byte{buf}, int64(r.off)) {
				continue
			}
			h, ok := parseHead(buf)
			n := headLen(int(r.length)) + padding(int(r.length))
			if ok && h.length == int(r.length) && unitID(h.version, h.index, h.page) == r.id && dataIsGood(buf, buf[n:], 0) {
				records = append(records, record{id: r.id, header: buf[:n], data: buf[n:]})
			}
		}
		if len(records) == 0 {
			continue
		}
		n, err := d.append(records)
		d.mu.Lock()
		d.stats.Carried += int64(n)
		d.mu.Unlock()
		if err != nil {
			return // room is made, that is what matters; who writes next is told of the disk
		}
	}
}

// used finds the records of the oldest segment that were used since the oldest quarter of the log was written, in groups that are
// written at once.
func (d *Store) used(s *segment) (groups [][]rec) {
	d.mu.Lock()
	defer d.mu.Unlock()
	newest := d.order[len(d.order)-1]
	var hot []rec
	for i, r := range s.recs {
		if r.used > s.seq && r.used-s.seq >= (newest-s.seq)/4 && d.index[r.id] == (place{s.seq, uint32(i)}) {
			hot = append(hot, r)
		}
	}
	slices.SortStableFunc(hot, func(a, b rec) int { return int(b.used) - int(a.used) })
	n := slices.IndexFunc(hot, func(r rec) bool {
		d.allowance -= recordLen(int(r.length))
		return d.allowance < 0
	})
	d.allowance = max(d.allowance, 0)
	if n >= 0 {
		hot = hot[:n]
	}
	slices.SortFunc(hot, func(a, b rec) int { return int(a.off) - int(b.off) })
	bytes := int64(0)
	for i, r := range hot {
		if i == 0 || bytes+recordLen(int(r.length)) > minSegment/2 || len(groups[len(groups)-1]) == maxBatchBlocks ||
			(r.length == BlockSize) != (hot[i-1].length == BlockSize) {
			groups, bytes = append(groups, nil), 0
		}
		bytes += recordLen(int(r.length))
		groups[len(groups)-1] = append(groups[len(groups)-1], r)
	}
	return groups
}
