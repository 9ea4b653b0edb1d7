package disk

import (
	"cmp"
	"errors"
	"os"
	"slices"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// pause is how long nothing is written after the disk has refused.
const pause = 30 * time.Second

// record is what is to be written of a unit.
type record struct {
	id     uint64
	header []byte
	data   []byte
}

// keep writes a batch, without what is there already.
func (d *Store) keep(batch []waiting) {
	records := make([]record, 0, len(batch))
	for _, b := range d.unknown(batch) {
		records = append(records, record{
			id: unitID(b.Version, b.Index, b.Page), header: b.header, data: b.Data,
		})
	}
	if len(records) == 0 {
		return
	}
	// Whole blocks behind the others: those lie behind each other then, and are written at once.
	slices.SortStableFunc(records, func(a, b record) int { return cmp.Compare(len(a.data)/BlockSize, len(b.data)/BlockSize) })
	n := slices.IndexFunc(records, func(r record) bool { return len(r.data) == BlockSize })
	if n < 0 {
		n = len(records)
	}
	for _, group := range [][]record{records[:n], records[n:]} {
		if len(group) > 0 {
			n, err := d.write(group)
			d.account(group, n, err)
		}
	}
}

// account counts records, of which the first n were written.
func (d *Store) account(records []record, n int, err error) {
	if err != nil {
		d.failed(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil {
		d.stats.Full = ""
	}
	d.stats.Dropped += int64(len(records) - n)
	d.stats.Written += int64(n)
	for _, r := range records[:n] {
		d.stats.Wrote += int64(len(r.data))
	}
}

// unknown leaves out of a batch what is there already. That was fetched again, so it counts as used.
func (d *Store) unknown(batch []waiting) []waiting {
	d.mu.Lock()
	defer d.mu.Unlock()
	blocks := make([]waiting, 0, len(batch))
	for _, b := range batch {
		if _, known := d.find(b.Version, b.Index, b.Page, len(b.Data)); known != nil {
			known.used = d.order[len(d.order)-1]
		} else {
			blocks = append(blocks, b)
		}
	}
	return blocks
}

// errPaused is the error of what is not tried.
var errPaused = errors.New("the disk has refused a moment ago")

// write makes room and appends records, all of whole blocks or none. It returns how many were written.
func (d *Store) write(records []record) (n int, err error) {
	if time.Now().Before(d.pausedTill) {
		return 0, errPaused
	}
	bytes := int64(2 * (alignment + fileHeader + footerTail)) // of two segments at most: a batch is less than one
	for _, r := range records {
		bytes += int64(len(r.header) + len(r.data) + footerEntry)
	}
	if err := d.makeRoom(bytes, len(records)); err != nil {
		return 0, err
	}
	d.allowance = min(d.allowance+bytes, d.limit/2)
	return d.append(records)
}

// failed notes that the disk has refused: nothing is written for a while. Each reason is logged once.
func (d *Store) failed(err error) {
	if errors.Is(err, errPaused) {
		return
	}
	d.pausedTill = time.Now().Add(pause)
	reason := "its disk fails"
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || errors.Is(err, errNoRoom) {
		reason = "its disk is full"
	}
	d.mu.Lock()
	d.stats.Full = reason
	d.mu.Unlock()
	if !d.complained[reason] {
		d.complained[reason] = true
		d.log.Warn("the read cache on disk keeps nothing new: "+reason, zap.String("dir", d.cfg.Dir), zap.Error(err))
	}
}

// append writes records, all of whole blocks or none, behind the active segment's and, where that is full, into a new one: segments are
// filled, however the records come. It returns how many were written.
func (d *Store) append(records []record) (n int, err error) {
	for n < len(records) {
		fit := d.fitting(records[n:])
		if fit == 0 && d.active != nil {
			if err := d.seal(d.active); err != nil {
				return n, err
			}
			continue
		}
		if d.active == nil {
			if err := d.begin(); err != nil {
				return n, err
			}
			fit = max(d.fitting(records[n:]), 1)
		}
		if err := d.appendTo(d.active, records[n:n+fit]); err != nil {
			return n, err
		}
		n += fit
	}
	return n, nil
}

// fitting is how many of the records, from the first on, the active segment has room for.
func (d *Store) fitting(records []record) (n int) {
	if d.active == nil {
		return 0
	}
	end := placeFor(d.active.size, len(records[0].data))
	for _, r := range records {
		if end += int64(len(r.header) + len(r.data)); end > d.cfg.segmentSize() {
			break
		}
		n++
	}
	return n
}

// appendTo writes records behind those of a segment, and enters them into the index.
func (d *Store) appendTo(s *segment, records []record) error {
	parts := make([][]byte, 0, 2*len(records))
	for _, r := range records {
		parts = append(parts, r.header, r.data)
	}
	off := placeFor(s.size, len(records[0].data))
	if err := d.writeAt(s, parts, off, len(records[0].data) == BlockSize); err != nil {
		if terr := s.unseal(); terr != nil {
			// What is behind the records could be taken for some after a crash, which their checksums allow: it is right.
			d.log.Debug("segment not cut", zap.Error(terr))
		}
		return err
	}
	spoil(s, d.enter(s, records, off))
	return nil
}

// writeAt writes whole blocks past the kernel's page cache as long as the disk keeps pace: that costs a third of the CPU time, and no page that
// somebody else needs. While many wait, the page cache takes what the disk does not.
func (d *Store) writeAt(s *segment, parts [][]byte, off int64, whole bool) error {
	d.mu.Lock()
	behind := d.queue.bytes > d.cfg.Queue/4*3
	d.mu.Unlock()
	if !whole || behind || !d.direct {
		return s.write(parts, off)
	}
	if s.raw == nil {
		f, err := os.OpenFile(s.path, os.O_WRONLY|unix.O_DIRECT|unix.O_NOFOLLOW, 0)
		if err != nil {
			d.direct = false // not on this file system
			return s.write(parts, off)
		}
		s.raw = f
	}
	err := s.writeBy(int(s.raw.Fd()), slices.Clone(parts), off)
	if errors.Is(err, unix.EINVAL) { // another alignment is asked for
		d.direct = false
		return s.write(parts, off)
	}
	if err == nil {
		d.mu.Lock()
		d.stats.Direct += int64(len(parts)) / 2
		d.mu.Unlock()
	}
	return err
}

// enter makes records that were written known, but for those that were dropped meanwhile: it tells where these are.
func (d *Store) enter(s *segment, records []record, off int64) (dropped []int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := s.cost()
	for _, r := range records {
		at := uint32(len(s.recs))
		s.recs = append(s.recs, rec{id: r.id, off: uint32(off), length: uint32(len(r.data)), used: s.seq})
		if d.queue.barred[r.id] {
			dropped = append(dropped, off)
		} else {
			d.index[r.id] = place{s.seq, at}
		}
		off += int64(len(r.header) + len(r.data))
	}
	s.size = off
	d.bytes += s.cost() - before
	return dropped
}

// begin makes the next active segment.
func (d *Store) begin() error {
	s, err := newSegment(d.cfg.Dir, d.newest+1)
	if err != nil {
		return err
	}
	d.newest++
	d.mu.Lock()
	defer d.mu.Unlock()
	d.segs[s.seq] = s
	d.order = append(d.order, s.seq)
	d.active = s
	d.bytes += s.cost()
	return nil
}

// seal ends a segment. One whose index cannot be written is read header by header next time.
func (d *Store) seal(s *segment) error {
	d.mu.Lock()
	if s == d.active {
		d.active = nil
	}
	footer := appendFooter(make([]byte, 0, footerLen(len(s.recs))), s.recs, s.size)
	d.mu.Unlock()
	s.endRaw()
	return s.write([][]byte{footer}, s.size)
}
