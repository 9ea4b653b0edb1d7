package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gofrs/flock"
	"go.uber.org/zap"
)

// ErrLocked says that another process has the directory.
var ErrLocked = errors.New("another process uses it")

const (
	lockName   = "lock"
	recentName = "recent"
)

// Open takes the directory over, with what it holds: blocks of another format and what is damaged are removed. Errors: ErrLocked,
// or what the file system says.
func Open(cfg Config) (_ *Store, err error) {
	cfg, err = cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("read cache on disk: %w", err)
	}
	if err := os.Chmod(cfg.Dir, 0o700); err != nil { //nolint:gosec // a directory
		return nil, fmt.Errorf("read cache on disk: %w", err)
	}
	lock := flock.New(filepath.Join(cfg.Dir, lockName), flock.SetPermissions(0o600))
	got, err := lock.TryLock()
	if err == nil && !got {
		err = ErrLocked
	}
	if err != nil {
		return nil, fmt.Errorf("read cache in %s: %w", cfg.Dir, err)
	}
	d := &Store{
		cfg: cfg, log: cfg.Log, lock: lock, limit: cfg.Size - cfg.segmentSize() - maxBatch/2,
		allowance: 2 * cfg.segmentSize(), direct: true,
		index: map[uint64]place{}, segs: map[uint32]*segment{}, complained: map[string]bool{},
		queue: queue{moved: make(chan struct{}), more: make(chan struct{}, 1)},
	}
	if err := d.load(); err != nil {
		_ = lock.Unlock()
		return nil, fmt.Errorf("read cache in %s: %w", cfg.Dir, err)
	}
	d.writer.Go(d.run)
	return d, nil
}

// load reads what the directory holds, and makes it fit.
func (d *Store) load() error {
	seqs, err := segmentsIn(d.cfg.Dir)
	if err != nil {
		return err
	}
	for _, seq := range seqs {
		d.newest = max(d.newest, seq)
		s, err := openSegment(packPath(d.cfg.Dir, seq), seq)
		if err != nil || len(s.recs) == 0 || seq == math.MaxUint32 {
			d.log.Debug("segment of the read cache removed", zap.Uint32("segment", seq), zap.Error(err))
			if s != nil {
				s.close()
			}
			if err := os.Remove(packPath(d.cfg.Dir, seq)); err != nil {
				return err
			}
			continue
		}
		d.segs[seq] = s
		d.order = append(d.order, seq)
		d.bytes += s.cost()
		for i, r := range s.recs {
			d.index[r.id] = place{seq, uint32(i)}
		}
	}
	if d.newest >= math.MaxUint32/2 { // it takes 64 billion segments
		d.newest = 0
		for len(d.order) > 0 {
			d.evict(false)
		}
	}
	d.readRecent()
	for len(d.order) > 0 && (d.bytes > d.limit || len(d.index) > d.cfg.MaxBlocks) {
		d.evict(false)
	}
	d.resume()
	return nil
}

// resume goes on with the last segment where that is less than half full, so that many short mounts do not make many files, and
// gives those an index that a kill has left without.
func (d *Store) resume() {
	for i, seq := range d.order {
		s := d.segs[seq]
		last := i == len(d.order)-1
		switch {
		case last && s.size <= d.cfg.segmentSize()/2:
			if err := s.unseal(); err == nil {
				d.active = s
			}
		case !s.indexed:
			if err := errors.Join(s.unseal(), d.seal(s)); err != nil {
				d.log.Debug("segment of the read cache not sealed", zap.Error(err))
			}
		}
	}
}

// segmentsIn lists the sequence numbers of the segments in a directory, the oldest first.
func segmentsIn(dir string) ([]uint32, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var seqs []uint32
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), packExt)
		seq, err := strconv.ParseUint(name, 16, 32)
		if ok && err == nil && packPath("", uint32(seq)) == e.Name() {
			seqs = append(seqs, uint32(seq))
		}
	}
	slices.Sort(seqs)
	return seqs, nil
}

// usage is what the segments in a directory take, in bytes.
func usage(dir string) (bytes int64) {
	seqs, err := segmentsIn(dir)
	if err != nil {
		return 0 // there is none, or it cannot be used anyway
	}
	for _, seq := range seqs {
		if info, err := os.Lstat(packPath(dir, seq)); err == nil {
			bytes += info.Size()
		}
	}
	return bytes
}

// Remove empties the directory of a store that is not wanted any more; one that another process uses stays.
func Remove(dir string) error {
	lock := flock.New(filepath.Join(dir, lockName), flock.SetPermissions(0o600))
	got, err := lock.TryLock()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || !got {
		return errors.Join(err, lock.Close())
	}
	seqs, err := segmentsIn(dir)
	for _, seq := range seqs {
		err = errors.Join(err, os.Remove(packPath(dir, seq)))
	}
	if rerr := os.Remove(filepath.Join(dir, recentName)); !errors.Is(rerr, fs.ErrNotExist) {
		err = errors.Join(err, rerr)
	}
	return errors.Join(err, lock.Unlock())
}

// Close writes what is waiting and ends. Nothing is there from then on.
func (d *Store) Close() {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return
	}
	d.closed = true
	close(d.queue.moved)
	d.queue.moved = make(chan struct{})
	d.wake()
	d.mu.Unlock()
	d.writer.Wait()
	if d.active != nil {
		if err := d.seal(d.active); err != nil {
			d.log.Debug("segment of the read cache not sealed", zap.Error(err))
		}
	}
	if err := d.writeRecent(); err != nil {
		d.log.Debug("the order of use of the read cache was not written", zap.Error(err))
	}
	d.mu.Lock()
	for _, s := range d.segs {
		s.gone = true
		if s.readers == 0 {
			s.close()
		}
	}
	d.mu.Unlock()
	if err := d.lock.Unlock(); err != nil {
		d.log.Warn("lock of the read cache not given back", zap.Error(err))
	}
}
