package spool_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/s3levelfs/s3levelfs/internal/frame"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// logged is one frame of a log.
type logged struct {
	from, to int
	typ      spool.Type
}

func framesOf(t fatal, log []byte) (all []logged) {
	t.Helper()
	for at := frame.FileHeaderSize; at < len(log); {
		typ, _, n, err := frame.Parse(log[at:])
		check(t, err)
		all = append(all, logged{at, at + n, spool.Type(typ)})
		at += n
	}
	return all
}

// keeper is a killed spool with files in all states, and what has to be left of them whatever becomes of its log.
type keeper struct {
	dir   string
	log   []byte
	bytes map[string][]byte // of each generation that has bytes
	ends  map[string]int    // by generation: index of the frame that ends it
}

// newKeeper writes small and large files before and behind a sync, some of which end while their file stays until the next one.
func newKeeper(t *testing.T) *keeper {
	k := &keeper{bytes: map[string][]byte{}, ends: map[string]int{}}
	n := 1 // BOOT
	k.dir = killedSpool(t, func(s *spool.Spool) {
		n++ // SYNC
		add := func(gen string, data []byte, sealed bool) *spool.Content {
			k.bytes[gen] = data
			c := create(t, s, gen)
			write(t, c, data, 0)
			n++
			if sealed {
				seal(t, s, c)
				n++
			}
			return c
		}
		end := func(typ spool.Type, c *spool.Content) {
			check(t, s.Append(&spool.Record{Type: typ, Gen: c.Gen(), Key: "key-" + c.Gen()}))
			k.ends[c.Gen()] = n
			n++
			c.Release()
		}
		gone := add("gone", ownData(1), true)
		add("large", ownData(2), true)
		add("small", inlineData(3), true)
		end(spool.TypeCommit, gone)
		add("open", ownData(4), false)
		add("late", ownData(5), true)
		add("latesmall", inlineData(6), true)
		dropped := add("dropped", ownData(7), true)
		end(spool.TypeDrop, dropped)
		add("lateopen", ownData(8), false)
		add("lateopensmall", inlineData(9), false)
	})
	var err error
	k.log, err = os.ReadFile(filepath.Join(k.dir, "ns.log"))
	check(t, err)
	return k
}

// found are the generations that a recovery can give the bytes of.
func found(t fatal, s *spool.Spool, rec *spool.Recovery) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for gen, c := range rec.Unsealed {
		all[gen] = read(t, c, readBase)
	}
	for _, r := range slices.Concat(rec.Records, rec.Salvaged) {
		switch r.Type {
		case spool.TypeSeal, spool.TypeQuarantine:
			if c, err := s.Adopt(r.Gen, r.Size, r.Extents); err == nil {
				all[r.Gen] = read(t, c, readBase)
				c.Release()
			}
		}
	}
	return all
}

// opened opens the spool with a damaged log, ends the recovery, and sees to it that everything is there, now and after one more kill.
func (k *keeper) opened(t *testing.T, boot string, log []byte, ended func(gen string) bool) (salvaged int) {
	t.Helper()
	work := filepath.Join(fastDir(t), "work")
	defer func() { check(t, os.RemoveAll(work)) }()
	snapshot(t, k.dir, work)
	check(t, os.WriteFile(filepath.Join(work, "ns.log"), log, 0o600))
	for round := range 2 {
		c := config(work)
		c.BootID = boot
		s, rec := open(t, c)
		if round == 0 {
			salvaged = len(rec.Salvaged)
		} else if len(rec.Salvaged) > 0 {
			t.Errorf("a second time: %+v", rec.Salvaged)
		}
		there := found(t, s, rec)
		check(t, s.Recovered(), s.Sync(t.Context()))
		for gen, data := range k.bytes {
			got, ok := there[gen]
			switch {
			case ended(gen):
			case !ok:
				t.Errorf("round %d: %s is nowhere", round, gen)
			case !bytes.Equal(got, data):
				t.Errorf("round %d: %s has %d other bytes, of %d", round, gen, len(got), len(data))
			}
			if files, err := filepath.Glob(filepath.Join(work, "data", "*-"+gen)); err != nil || len(files) == 0 && len(data) > 64<<10 && !ended(gen) {
				t.Errorf("round %d: the data file of %s is gone", round, gen)
			}
		}
		for _, c := range rec.Unsealed {
			check(t, s.Append(&spool.Record{Type: spool.TypeQuarantine, Gen: c.Gen(), Size: c.Size(), Extents: c.Extents()}))
			c.Release()
		}
		check(t, s.Close())
	}
	return salvaged
}

// TestDamagedLogKeepsEveryFile: whichever byte of the log is damaged, no file with bytes in it is removed unless an intact record says that
// it has ended, and all that it was can be had. What intact records behind the damage say names it.
func TestDamagedLogKeepsEveryFile(t *testing.T) {
	k := newKeeper(t)
	frames := framesOf(t, k.log)
	for name, boot := range map[string]string{"same boot": "boot-1", "another boot": "boot-2"} {
		t.Run(name, func(t *testing.T) {
			all := 0
			for i := frame.FileHeaderSize; i < len(k.log) && !t.Failed(); i++ {
				hit := slices.IndexFunc(frames, func(f logged) bool { return i < f.to })
				bad := bytes.Clone(k.log)
				bad[i] ^= 1 << (i % 8)
				all += k.opened(t, boot, bad, func(gen string) bool { at, ok := k.ends[gen]; return ok && at != hit })
				if t.Failed() {
					t.Logf("byte %d, in a frame of %v at %d", i, frames[hit].typ, frames[hit].from)
				}
			}
			if all == 0 {
				t.Error("nothing was salvaged")
			}
			t.Log(all, "salvaged in", len(k.log)-frame.FileHeaderSize, "logs")
		})
	}
}

// TestCutLogKeepsEveryFile: what is left of a log of which the end is missing has no names for what came later; the bytes are there.
func TestCutLogKeepsEveryFile(t *testing.T) {
	k := newKeeper(t)
	frames := framesOf(t, k.log)
	for cut := frame.FileHeaderSize; cut < len(k.log) && !t.Failed(); cut++ {
		clean := slices.ContainsFunc(frames, func(f logged) bool { return f.from == cut }) // nothing tells that anything is missing
		if clean && cut > frame.FileHeaderSize {
			continue
		}
		k.opened(t, "boot-1", k.log[:cut], func(gen string) bool { at, ok := k.ends[gen]; return ok && frames[at].to <= cut })
		if t.Failed() {
			t.Logf("cut at %d", cut)
		}
	}
}

// TestSalvagedHaveNames: records behind the damage name what they can; the state behind it is not trusted.
func TestSalvagedHaveNames(t *testing.T) {
	var at int64
	dir := killedSpool(t, func(s *spool.Spool) {
		stored(t, s, "before", inlineData(1))
		check(t, s.Append(&spool.Record{Type: spool.TypeMkdir, Key: "damaged"}))
		_, at = s.Usage()
		stored(t, s, "named", inlineData(2))
		check(t, s.Append(&spool.Record{Type: spool.TypeRename, Gen: "named", Key: "renamed"}, &spool.Record{Type: spool.TypeDrop, Gen: "before"}))
	})
	path := filepath.Join(dir, "ns.log")
	log, err := os.ReadFile(path)
	check(t, err)
	log[at-3] ^= 1
	check(t, os.WriteFile(path, log, 0o600))
	v, err := spool.Look(dir)
	check(t, err)
	s, rec := open(t, config(dir))
	defer s.Close()
	if len(rec.Salvaged) != 1 || rec.Salvaged[0].Gen != "named" || rec.Salvaged[0].Key != "renamed" || rec.Salvaged[0].Text == "" {
		t.Errorf("salvaged %+v", rec.Salvaged)
	}
	if len(v.Salvaged) != 1 || v.Salvaged[0].Gen != "named" || v.Salvaged[0].Key != "renamed" {
		t.Errorf("a look shows %+v", v.Salvaged)
	}
	same(t, "before", read(t, adopt(t, s, rec, "before"), nil), inlineData(1))
	next := &spool.Record{Type: spool.TypeMkdir, Key: "next"}
	check(t, s.Append(next))
	if next.Seq <= rec.Salvaged[0].Seq || rec.Salvaged[0].Seq <= rec.Records[len(rec.Records)-1].Seq {
		t.Errorf("numbers %d, %d", rec.Salvaged[0].Seq, next.Seq)
	}
}
