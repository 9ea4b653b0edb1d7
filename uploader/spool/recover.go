package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/internal/frame"
)

// Recovery is what a spool held when it was opened.
type Recovery struct {
	Records  []Record            // in order, those that can be trusted
	Salvaged []Record            // QUARANTINE, as the log has them now: what only records name that can not be trusted, or none at all
	Unsealed map[string]*Content // by generation: created, neither sealed nor ended. They are sealed: adopt or Release them
	Damaged  []Damage            // trusted generations whose bytes did not survive
	SameBoot bool                // the process ended, not the kernel
	Cut      int64               // bytes of a torn or damaged tail that were cut off the log
	Lost     int                 // good records behind the last SYNC that another boot must not trust
}

// Damage is a trusted generation whose bytes are missing. Its files, as far as they are there, stay until a
// record ends the generation.
type Damage struct {
	Gen string
	Key string // of the record that listed its extents
	Seq uint64 // of that record
	Err error  // wraps ErrDamaged
}

// recover reads what is on the disk, cuts the log to what can be trusted, and rebuilds what was unsealed.
func (s *Spool) recover() (*Recovery, error) {
	if err := checkOwner(s.cfg.Dir, s.cfg.Owner); err != nil {
		return nil, err
	}
	if err := s.inventory(); err != nil {
		return nil, err
	}
	if err := s.openLog(); err != nil {
		return nil, err
	}
	scan, err := s.scanLog()
	if err != nil {
		return nil, err
	}
	rec := s.trusted(scan)
	gens := foldGens(rec.Records)
	s.log.mu.Lock()
	s.note(gens.listed())
	s.log.mu.Unlock()
	rest := scan.rest(rec, gens)
	if err := s.rebuild(gens, rest, rec); err != nil {
		return nil, err
	}
	if err := s.cutLog(scan, rec); err != nil {
		return nil, err
	}
	return rec, nil
}

// inventory lists the storage files, and removes what a crash left of files in the making.
func (s *Spool) inventory() error {
	for _, pattern := range []string{"." + logName + ".*", filepath.Join(dataDir, unfinished+"*"), filepath.Join(segmentDir, ".*")} {
		leftovers, err := filepath.Glob(filepath.Join(s.cfg.Dir, pattern))
		if err != nil {
			return err
		}
		for _, path := range leftovers {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	for _, dir := range []string{segmentDir, dataDir} {
		entries, err := os.ReadDir(filepath.Join(s.cfg.Dir, dir))
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := s.found(dir, e); err != nil {
				return err
			}
		}
	}
	return nil
}

// found takes one file into the table. What has a foreign name is left alone.
func (s *Spool) found(dir string, e os.DirEntry) error {
	path := filepath.Join(s.cfg.Dir, dir, e.Name())
	id, gen, ok := parseName(e.Name())
	if !ok || !e.Type().IsRegular() {
		s.cfg.Log.Warn("not a file of the spool", zap.String("path", path))
		return nil
	}
	info, err := e.Info()
	if err != nil {
		return err
	}
	st := &storage{id: id, kind: KindFile, path: path, gen: gen}
	used := allocated(info)
	if strings.HasSuffix(e.Name(), segmentExt) && dir == segmentDir {
		st.kind = KindSegment
		used = max(info.Size()-frame.FileHeaderSize, 0)
	}
	st.bytes.Store(used)
	s.usage.Add(used)
	st.refs.Store(1) // until Recovered
	s.inherited = append(s.inherited, st)
	s.storages[id] = st
	s.nextID.Store(max(s.nextID.Load(), id))
	return nil
}

// logScan is what a log says of itself.
type logScan struct {
	records []Record
	ends    []int64 // offset behind each record
	boot    string  // of the last BOOT frame
	synced  int64   // what the last SYNC frame names
	end     int64   // behind the last good batch
	lastSeq uint64  // the highest in front of end
	lastID  uint64  // of storage, the same
	last    uint64  // number of the last record, 0 behind a BOOT: older ones may follow that
	damage  error   // what makes no sense behind end; nil = nothing, or it is torn

	behind   *unproved // what is intact behind end
	snapshot bool      // the damage is in what the log began with: storage that it named may be older than its last record
}

// scanLog reads whole batches up to the first frame that is torn, damaged or makes no sense.
func (s *Spool) scanLog() (*logScan, error) {
	scan, err := scanRecords(s.log.file)
	if err != nil {
		return nil, err
	}
	if scan.damage != nil {
		s.cfg.Log.Warn("log is damaged", zap.Int64("offset", scan.end), zap.Error(scan.damage))
	}
	s.nextID.Store(max(s.nextID.Load(), scan.lastID, scan.behind.lastID))
	s.log.lastSeq.Store(max(scan.lastSeq, scan.behind.lastSeq, s.log.lastSeq.Load()))
	return scan, nil
}

func scanRecords(file *frame.File) (*logScan, error) {
	scan := &logScan{synced: frame.FileHeaderSize, end: frame.FileHeaderSize}
	sc := file.Scan()
	var batch []Record
	highest, last := uint64(0), uint64(0)
	for sc.Next() {
		r, more, err := decodeRecord(sc.Type(), sc.Payload())
		if err != nil {
			scan.damage = err
			break
		}
		highest, last = max(highest, r.Seq), r.Seq
		for _, x := range r.Extents { // also of files that are gone: numbers are not used twice
			scan.lastID = max(scan.lastID, x.Storage)
		}
		switch r.Type {
		case TypeBoot:
			scan.boot, last = r.Text, 0
		case TypeSync:
			if r.Size >= scan.synced && r.Size <= sc.Pos() {
				scan.synced = r.Size
			}
		default:
			batch = append(batch, r)
		}
		if more {
			continue
		}
		scan.end, scan.last, scan.lastSeq = sc.End(), last, highest
		for _, r := range batch {
			scan.records = append(scan.records, r)
			scan.ends = append(scan.ends, scan.end)
		}
		batch = batch[:0]
	}
	if err := sc.Err(); err != nil {
		return nil, err
	}
	scan.snapshot = scan.synced == frame.FileHeaderSize
	b := make([]byte, file.Size()-scan.end)
	if _, err := file.ReadAt(b, scan.end); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	scan.behind = resync(b, scan.last)
	return scan, nil
}

// trusted tells which records count. In the same boot all good frames do: what a killed process wrote is in the
// page cache. In another one only what was on stable storage when a SYNC frame was written.
func (s *Spool) trusted(scan *logScan) *Recovery {
	rec := &Recovery{
		Records: scan.records, Unsealed: map[string]*Content{},
		SameBoot: scan.boot == s.cfg.BootID,
		Cut:      s.log.file.Size() - scan.end,
	}
	if rec.SameBoot {
		return rec
	}
	n := len(scan.records)
	for n > 0 && scan.ends[n-1] > scan.synced {
		n--
	}
	rec.Records, rec.Lost = scan.records[:n:n], len(scan.records)-n
	return rec
}

// cutLog takes out of the log what is not trusted, and names what has to be kept of it.
func (s *Spool) cutLog(scan *logScan, rec *Recovery) error {
	if rec.SameBoot && len(rec.Salvaged) == 0 {
		if rec.Cut == 0 {
			return nil
		}
		return s.log.file.Cut(scan.end)
	}
	end := scan.synced
	if rec.SameBoot {
		end = scan.end
	}
	return s.rewriteLog(end, rec)
}

// rewriteLog makes a new log of the old one up to the offset end. Behind it come, in a new boot, the mark of that, and what was
// salvaged. Cutting in place would remove the SYNC frame that stands behind what it covers.
func (s *Spool) rewriteLog(end int64, rec *Recovery) error {
	old := make([]byte, end-frame.FileHeaderSize)
	if _, err := s.log.file.ReadAt(old, frame.FileHeaderSize); err != nil && len(old) > 0 {
		return err
	}
	seq := s.log.lastSeq.Load()
	enc := encoder{buf: old}
	var add []*Record
	if !rec.SameBoot {
		add = append(add, bootRecord(0, s.cfg.BootID))
	}
	for i := range rec.Salvaged {
		add = append(add, &rec.Salvaged[i])
	}
	for _, r := range add {
		seq++
		r.Seq = seq
		if err := enc.add(r, false); err != nil {
			return err
		}
	}
	if !rec.SameBoot { // what was read now is on the disk
		sync := syncRecord(frame.FileHeaderSize + int64(len(enc.buf)))
		seq++
		sync.Seq = seq
		if err := enc.add(sync, false); err != nil {
			return err
		}
	}
	fresh, err := frame.Create(s.logPath(), logFormat(), enc.buf)
	if err != nil {
		return fmt.Errorf("rewrite log: %w", err)
	}
	_ = s.log.file.Close() // replaced
	s.log.file = fresh
	s.log.lastSeq.Store(seq)
	s.cfg.OnSync(s.logPath())
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	s.note(add)
	return nil
}
