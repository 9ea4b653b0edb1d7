package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/s3levelfs/s3levelfs/internal/frame"
)

// View is what a look at a spool shows that nobody has to have open.
type View struct {
	Owner   string
	PID     int      // of the process that had it open last; 0 = not known
	Records []Record // all good ones; another boot may have to trust fewer
	// Salvaged are QUARANTINE records of what only records behind the damage of a log name: the next start keeps that. What is
	// left of files that no record names is not looked for.
	Salvaged []Record
	Torn     int64    // bytes behind the last good record: a crash leaves some, a good end none
	Bytes    int64    // that its files take
	Damaged  []Damage // generations whose files are missing or too short
}

// Look reads the spool in dir and changes nothing, takes no lock and makes no file: of a spool that is in use it may show
// what is past a moment later. Segments are not verified. Errors: os.ErrNotExist, ErrFormat.
func Look(dir string) (*View, error) {
	owner, err := OwnerOf(dir)
	if err != nil {
		return nil, err
	}
	v := &View{Owner: owner, PID: readPID(filepath.Join(dir, lockName))}
	sizes, err := v.measure(dir)
	if err != nil {
		return nil, err
	}
	log, err := frame.View(filepath.Join(dir, logName), logFormat())
	switch {
	case errors.Is(err, frame.ErrHeader):
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	case errors.Is(err, os.ErrNotExist) && len(sizes) > 0:
		return nil, fmt.Errorf("%w: %s is missing, but %s and %s are not empty", ErrFormat, logName, segmentDir, dataDir)
	case errors.Is(err, os.ErrNotExist):
		return v, nil
	case err != nil:
		return nil, err
	}
	defer func() { _ = log.Close() }()
	scan, err := scanRecords(log)
	if err != nil {
		return nil, err
	}
	v.Records, v.Torn = scan.records, log.Size()-scan.end
	v.salvage(scan)
	v.Bytes += log.Size()
	v.findDamage(sizes)
	return v, nil
}

// measure gives the length of each storage file.
func (v *View) measure(dir string) (map[uint64]int64, error) {
	sizes := map[uint64]int64{}
	for _, sub := range []string{segmentDir, dataDir} {
		entries, err := os.ReadDir(filepath.Join(dir, sub))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			id, _, ok := parseName(e.Name())
			info, err := e.Info()
			if !ok || err != nil { // foreign, or gone meanwhile
				continue
			}
			sizes[id] = info.Size()
			v.Bytes += allocated(info)
		}
	}
	return sizes, nil
}

// salvage names what a start would keep of what is behind the damage. v.Bytes are measured.
func (v *View) salvage(scan *logScan) {
	rest := scan.rest(&Recovery{Records: scan.records, SameBoot: true, Cut: v.Torn}, foldGens(scan.records))
	for _, gen := range rest.gens.order {
		g := rest.gens.by[gen]
		if r := g.last(); g.sealed == nil || rest.holds(r) {
			v.Salvaged = append(v.Salvaged, *rest.quarantine(gen, r.Size, r.Extents))
		}
	}
}

// findDamage looks for the files of what has not ended.
func (v *View) findDamage(sizes map[uint64]int64) {
	last := map[string]*Record{}
	var order []string
	for i := range v.Records {
		r := &v.Records[i]
		switch {
		case r.Type.lists() && r.Gen != "":
			if last[r.Gen] == nil {
				order = append(order, r.Gen)
			}
			last[r.Gen] = r
		case r.Type.ends():
			delete(last, r.Gen)
		}
	}
	for _, gen := range order {
		r := last[gen]
		if r == nil {
			continue
		}
		for _, x := range r.Extents {
			if size, ok := sizes[x.Storage]; x.Kind.stored() && (!ok || size < x.Pos+x.Len) {
				v.Damaged = append(v.Damaged, Damage{Gen: gen, Key: r.Key, Seq: r.Seq, Err: fmt.Errorf("%w: %v %016x", ErrDamaged, x.Kind, x.Storage)})
				break
			}
		}
	}
}
