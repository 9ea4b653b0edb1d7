package disk

import (
	"math"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

const (
	recentMagic = "s3lv-use"
	recentHead  = 8 + 4
	recentEntry = 4 + 4 + 4
	// carrySeq is in the place of a sequence number, which it never is: what may be carried, in KiB, follows.
	carrySeq = math.MaxUint32
)

// writeRecent writes down what was used after it was written: magic, version; sequence number, place and time of the last use of each
// record, and what may be carried; crc. A process that has just begun would carry little else, and what is used would go with each restart.
func (d *Store) writeRecent() error {
	b := le.AppendUint32([]byte(recentMagic), formatVersion)
	d.mu.Lock()
	for seq, s := range d.segs {
		for i, r := range s.recs {
			if r.used > seq {
				b = le.AppendUint32(le.AppendUint32(le.AppendUint32(b, seq), uint32(i)), r.used)
			}
		}
	}
	d.mu.Unlock()
	b = le.AppendUint32(le.AppendUint32(le.AppendUint32(b, carrySeq), uint32(min(d.allowance>>10, math.MaxUint32))), 0)
	return renameio.WriteFile(filepath.Join(d.cfg.Dir, recentName), le.AppendUint32(b, crcOf(b)), 0o600)
}

// readRecent takes over what writeRecent has left, and removes it: after a kill it would be old.
func (d *Store) readRecent() {
	path := filepath.Join(d.cfg.Dir, recentName)
	b, err := os.ReadFile(path)
	_ = os.Remove(path)
	n := len(b) - 4
	if err != nil || n < recentHead || string(b[:8]) != recentMagic || le.Uint32(b[8:]) != formatVersion || crcOf(b[:n]) != le.Uint32(b[n:]) {
		return
	}
	for e := b[recentHead:n]; len(e) >= recentEntry; e = e[recentEntry:] {
		if le.Uint32(e) == carrySeq {
			d.allowance = min(int64(le.Uint32(e[4:]))<<10, d.limit/2)
		}
		if s := d.segs[le.Uint32(e)]; s != nil && le.Uint32(e[4:]) < uint32(len(s.recs)) {
			s.recs[le.Uint32(e[4:])].used = min(le.Uint32(e[8:]), d.newest)
		}
	}
}
