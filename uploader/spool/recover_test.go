package spool_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// inlineData is content that fits into one segment frame, ownData one that does not.
func inlineData(i int) []byte { return pattern(byte(2*i), 100+i) }
func ownData(i int) []byte    { return pattern(byte(2*i), 70_000+i) }

func damagedGens(rec *spool.Recovery) (gens []string) {
	for _, d := range rec.Damaged {
		if !errors.Is(d.Err, spool.ErrDamaged) || d.Seq == 0 || d.Key != "key-"+d.Gen {
			gens = append(gens, fmt.Sprintf("bad report %+v", d))
			continue
		}
		gens = append(gens, d.Gen)
	}
	return gens
}

// killedSpool is what a kill -9 leaves of a spool that do has worked on.
func killedSpool(t *testing.T, do func(s *spool.Spool)) string {
	t.Helper()
	dir, killed := fastDir(t), filepath.Join(fastDir(t), "killed")
	s, _ := open(t, config(dir))
	do(s)
	snapshot(t, dir, killed)
	check(t, s.Close())
	return killed
}

func oneFile(t *testing.T, dir, sub string) string {
	t.Helper()
	files := slices.DeleteFunc(storageFiles(t, dir), func(p string) bool { return filepath.Base(filepath.Dir(p)) != sub })
	if len(files) != 1 {
		t.Fatalf("files in %s: %v", sub, files)
	}
	return files[0]
}

func TestSegmentCutAtEveryByte(t *testing.T) {
	const n = 4
	killed := killedSpool(t, func(s *spool.Spool) {
		for i := range n {
			stored(t, s, fmt.Sprint(i), inlineData(i))
		}
	})
	work := filepath.Join(fastDir(t), "work")
	size := int64(-1)
	for cut := int64(0); size < 0 || cut <= size; cut++ {
		snapshot(t, killed, work)
		path := oneFile(t, work, "seg")
		st, err := os.Stat(path)
		check(t, err)
		size = st.Size()
		check(t, os.Truncate(path, cut))
		s, rec := open(t, config(work))
		bad := damagedGens(rec)
		if (len(bad) == 0) != (cut == size) || len(bad) > n {
			t.Fatalf("cut at %d of %d: damaged %v", cut, size, bad)
		}
		for i := range n {
			r := lastSeal(t, rec, fmt.Sprint(i))
			if slices.Contains(bad, r.Gen) != (r.Extents[0].Pos+r.Extents[0].Len > cut) {
				t.Fatalf("cut at %d: damaged %v, but %s is at %d", cut, bad, r.Gen, r.Extents[0].Pos)
			}
			if !slices.Contains(bad, r.Gen) {
				same(t, r.Gen, read(t, adopt(t, s, rec, r.Gen), nil), inlineData(i))
			}
		}
		check(t, s.Recovered(), s.Close())
		if _, err := os.Stat(path); err != nil {
			t.Fatalf("cut at %d: what is left of damaged generations is gone: %v", cut, err)
		}
	}
}

func TestSegmentWithEveryByteFlipped(t *testing.T) {
	killed := killedSpool(t, func(s *spool.Spool) {
		for i := range 3 {
			stored(t, s, fmt.Sprint(i), inlineData(i))
		}
	})
	path := oneFile(t, killed, "seg")
	good, err := os.ReadFile(path)
	check(t, err)
	for i := 16; i < len(good); i++ {
		bad := bytes.Clone(good)
		bad[i] ^= 0x55
		check(t, os.WriteFile(path, bad, 0o600))
		s, rec := open(t, config(killed))
		gens := damagedGens(rec)
		if len(gens) == 0 {
			t.Fatalf("byte %d: not noticed", i)
		}
		for g := range 3 {
			if gen := fmt.Sprint(g); !slices.Contains(gens, gen) {
				same(t, gen, read(t, adopt(t, s, rec, gen), nil), inlineData(g))
			}
		}
		check(t, s.Close())
	}
}

func TestMissingAndShortDataFiles(t *testing.T) {
	killed := killedSpool(t, func(s *spool.Spool) {
		stored(t, s, "gone", ownData(1))
		stored(t, s, "short", ownData(2))
		stored(t, s, "good", ownData(3))
		c := stored(t, s, "done", ownData(4)) // its file is gone for a good reason
		check(t, s.Append(&spool.Record{Type: spool.TypeCommit, Gen: "done"}))
		c.Release()
		check(t, s.Sync(t.Context()))
	})
	for _, path := range storageFiles(t, killed) {
		switch {
		case strings.HasSuffix(path, "-gone"):
			check(t, os.Remove(path))
		case strings.HasSuffix(path, "-short"):
			check(t, os.Truncate(path, 70_001))
		}
	}
	s, rec := open(t, config(killed))
	if got := damagedGens(rec); !slices.Equal(got, []string{"gone", "short"}) {
		t.Fatalf("damaged: %v", got)
	}
	same(t, "good", read(t, adopt(t, s, rec, "good"), nil), ownData(3))
	r := lastSeal(t, rec, "gone")
	if _, err := s.Adopt("gone", r.Size, r.Extents); !errors.Is(err, spool.ErrDamaged) {
		t.Errorf("adopted what is not there: %v", err)
	}
	check(t, s.Recovered())
	if n := len(storageFiles(t, killed)); n != 2 {
		t.Errorf("%d files, want short and good", n)
	}
	check(t, s.Append(&spool.Record{Type: spool.TypeDrop, Gen: "short"}), s.Sync(t.Context()))
	if n := len(storageFiles(t, killed)); n != 1 {
		t.Errorf("%d files, want good", n)
	}
	check(t, s.Close())
}

func TestUnsealedContents(t *testing.T) {
	long := ownData(0)
	delta := append(baseBytes(0, 100), pattern(2, 50)...)
	delta = append(delta, baseBytes(150, 100)...)
	for _, tc := range []struct {
		name string
		do   func(s *spool.Spool)
		want []byte
	}{
		{"empty", func(s *spool.Spool) { create(t, s, "g") }, nil},
		{"in a segment", func(s *spool.Spool) {
			c := create(t, s, "g")
			write(t, c, []byte("xxxxx"), 3)
			write(t, c, []byte("yy"), 4)
		}, []byte("\x00\x00\x00xyyxx")},
		{"data file", func(s *spool.Spool) { write(t, create(t, s, "g"), long, 0) }, long},
		{"moved into a data file", func(s *spool.Spool) {
			c := create(t, s, "g")
			write(t, c, []byte("old"), 0)
			write(t, c, long[3:], 3)
			write(t, c, long[:3], 0)
		}, long},
		{"truncated", func(s *spool.Spool) {
			c := create(t, s, "g")
			write(t, c, long, 0)
			check(t, c.Truncate(10))
			check(t, c.Truncate(20))
		}, append(bytes.Clone(long[:10]), make([]byte, 10)...)},
		{"delta in a segment", func(s *spool.Spool) {
			check(t, s.Append(&spool.Record{Type: spool.TypeCreate, Gen: "g", Size: 250}))
			write(t, s.NewContent("g", 250), pattern(2, 50), 100)
		}, delta},
		{"on top of another one", func(s *spool.Spool) {
			c := stored(t, s, "below", long).Clone("g")
			check(t, s.Append(&spool.Record{Type: spool.TypeCreate, Gen: "g", Size: c.Size(), Extents: c.Extents()}))
			write(t, c, []byte("new"), 40_000)
		}, slices.Concat(long[:40_000], []byte("new"), long[40_003:])},
		{"own data file on top of another one", func(s *spool.Spool) {
			c := stored(t, s, "below", slices.Repeat([]byte{1}, 1<<18)).Clone("g")
			check(t, s.Append(&spool.Record{Type: spool.TypeCreate, Gen: "g", Size: c.Size(), Extents: c.Extents()}))
			write(t, c, slices.Repeat([]byte{2}, 1<<17), 1000) // neither end at a block
		}, slices.Concat(slices.Repeat([]byte{1}, 1000), slices.Repeat([]byte{2}, 1<<17), slices.Repeat([]byte{1}, 1<<17-1000))},
		{"synced, then more", func(s *spool.Spool) {
			c := create(t, s, "g")
			write(t, c, []byte("synced"), 0)
			check(t, s.Append(&spool.Record{Type: spool.TypeSynced, Gen: "g", Size: 6, Extents: c.Extents()}))
			write(t, c, []byte(" and more"), 6)
		}, []byte("synced and more")},
		{"synced in a data file, then more", func(s *spool.Spool) {
			c := create(t, s, "g")
			write(t, c, long, 0)
			check(t, s.Append(&spool.Record{Type: spool.TypeSynced, Gen: "g", Size: c.Size(), Extents: c.Extents()}))
			write(t, c, []byte("more"), c.Size())
		}, append(bytes.Clone(long), "more"...)},
		{"synced in a segment, then moved", func(s *spool.Spool) {
			c := create(t, s, "g")
			write(t, c, []byte("synced"), 0)
			check(t, s.Append(&spool.Record{Type: spool.TypeSynced, Gen: "g", Size: 6, Extents: c.Extents()}))
			write(t, c, long, 6)
		}, append([]byte("synced"), long...)},
		{"synced, then truncated", func(s *spool.Spool) {
			c := create(t, s, "g")
			write(t, c, long, 0)
			check(t, s.Append(&spool.Record{Type: spool.TypeSynced, Gen: "g", Size: c.Size(), Extents: c.Extents()}))
			check(t, c.Truncate(5))
		}, long[:5]},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, rec := open(t, config(killedSpool(t, tc.do)))
			defer s.Close()
			c := rec.Unsealed["g"]
			if c == nil || len(rec.Unsealed) != 1 || len(rec.Damaged) > 0 {
				t.Fatalf("%+v", rec)
			}
			check(t, s.Recovered())
			same(t, "g", read(t, c, readBase), tc.want)
			if !c.Sealed() {
				t.Error("not sealed")
			}
			// What was found can be kept.
			check(t, s.Append(&spool.Record{Type: spool.TypeQuarantine, Gen: "g", Size: c.Size(), Extents: c.Seal()}))
		})
	}
}

// A SYNCED generation above a base is uploaded as recovered: no byte of it may be made up.
func TestSyncedDeltaInADataFile(t *testing.T) {
	const size = 1 << 18
	mine := slices.Repeat([]byte{2}, 1<<17)
	killed := killedSpool(t, func(s *spool.Spool) {
		check(t, s.Append(&spool.Record{Type: spool.TypeCreate, Gen: "g", Size: size}))
		c := s.NewContent("g", size)
		write(t, c, mine, 1000)
		check(t, s.Append(&spool.Record{Type: spool.TypeSynced, Gen: "g", Size: c.Size(), Extents: c.Extents()}))
		write(t, c, []byte("later"), 200_001)
		write(t, c, []byte("in place"), 50_000)
	})
	s, rec := open(t, config(killed))
	defer s.Close()
	want := baseBytes(0, size)
	copy(want[1000:], mine)
	copy(want[50_000:], "in place")
	same(t, "g", read(t, rec.Unsealed["g"], readBase), want)
}

func TestUnsealedAfterPowerLoss(t *testing.T) {
	killed := killedSpool(t, func(s *spool.Spool) {
		c := create(t, s, "g")
		write(t, c, []byte("synced"), 0)
		check(t, s.Append(&spool.Record{Type: spool.TypeSynced, Gen: "g", Size: 6, Extents: c.Extents()}))
		check(t, s.Sync(t.Context()))
		write(t, c, []byte(" and more"), 6)
		seal(t, s, c)
	})
	cfg := config(killed)
	cfg.BootID = "boot-2"
	s, rec := open(t, cfg)
	defer s.Close()
	if rec.Lost != 1 || rec.Unsealed["g"] == nil {
		t.Fatalf("%+v", rec)
	}
	same(t, "g", read(t, rec.Unsealed["g"], nil), []byte("synced"))
}

// What a SYNCED record names stays until the next list of extents, even when the content does not need it any more.
func TestLogKeepsWhatItNames(t *testing.T) {
	killed := killedSpool(t, func(s *spool.Spool) {
		c := create(t, s, "g")
		write(t, c, ownData(0)[:60_000], 0)
		check(t, s.Append(&spool.Record{Type: spool.TypeSynced, Gen: "g", Size: c.Size(), Extents: c.Extents()}))
		write(t, c, ownData(1), 0) // moves all of it
		stored(t, s, "rolls", pattern(2, 50_000))
		check(t, s.Sync(t.Context()))
		c.Release()
		check(t, s.Sync(t.Context()))
	})
	cfg := config(killed)
	cfg.BootID = "boot-2"
	s, rec := open(t, cfg)
	defer s.Close()
	if len(rec.Damaged) > 0 {
		t.Fatal(rec.Damaged)
	}
	same(t, "g", read(t, rec.Unsealed["g"], nil), ownData(0)[:60_000])
}

func TestLeftoversOfACrashAreRemoved(t *testing.T) {
	killed := killedSpool(t, func(*spool.Spool) {})
	for _, name := range []string{".ns.log.123", "data/.new-0000000000000001-g", "data/0000000000000002-g", "seg/0000000000000003.seg"} {
		check(t, os.WriteFile(filepath.Join(killed, name), []byte("x"), 0o600))
	}
	foreign := filepath.Join(killed, "data", "not ours")
	check(t, os.WriteFile(foreign, nil, 0o600))
	s, _ := open(t, config(killed))
	defer s.Close()
	check(t, s.Recovered())
	if files := storageFiles(t, killed); !slices.Equal(files, []string{foreign}) {
		t.Errorf("left: %v", files)
	}
	if _, err := os.Stat(filepath.Join(killed, ".ns.log.123")); !errors.Is(err, os.ErrNotExist) {
		t.Error("the log in the making is still there")
	}
}

func TestMissingLogBesideDataIsRefused(t *testing.T) {
	killed := killedSpool(t, func(s *spool.Spool) { stored(t, s, "g", []byte("x")) })
	check(t, os.Remove(filepath.Join(killed, "ns.log")))
	if _, _, err := spool.Open(config(killed)); !errors.Is(err, spool.ErrFormat) {
		t.Errorf("got %v", err)
	}
	if files := storageFiles(t, killed); len(files) != 1 {
		t.Errorf("left: %v", files)
	}
}
