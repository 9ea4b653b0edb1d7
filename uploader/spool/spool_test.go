package spool_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

func TestSecondOpenNamesTheHolder(t *testing.T) {
	dir := fastDir(t)
	s, _ := open(t, config(dir))
	_, _, err := spool.Open(config(dir))
	if locked, ok := errors.AsType[*spool.ErrLocked](err); !ok || locked.PID != os.Getpid() {
		t.Errorf("got %v", err)
	}
	check(t, s.Close())
	s, _ = open(t, config(dir))
	check(t, s.Close())
	if err := s.Close(); !errors.Is(err, spool.ErrClosed) {
		t.Errorf("second Close: %v", err)
	}
}

func TestAnotherOwnerIsRefused(t *testing.T) {
	dir := fastDir(t)
	s, _ := open(t, config(dir))
	check(t, s.Close())
	c := config(dir)
	c.Owner = "somebody else"
	if _, _, err := spool.Open(c); !errors.Is(err, spool.ErrOwner) {
		t.Errorf("got %v", err)
	}
	for _, bad := range []string{"{", `{"format":99,"owner":"owner"}`} {
		check(t, os.WriteFile(filepath.Join(dir, "spool.json"), []byte(bad), 0o600))
		if _, _, err := spool.Open(config(dir)); !errors.Is(err, spool.ErrFormat) {
			t.Errorf("%s: got %v", bad, err)
		}
	}
}

func TestModes(t *testing.T) {
	dir := filepath.Join(fastDir(t), "a", "b")
	s, _ := open(t, config(dir))
	stored(t, s, "small", inlineData(1))
	stored(t, s, "large", ownData(1))
	check(t, s.Checkpoint(nil), s.Close())
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		check(t, err)
		info, err := e.Info()
		check(t, err)
		want := os.FileMode(0o600)
		if e.IsDir() {
			want = 0o700
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return nil
	})
	check(t, err)
}

func TestClosed(t *testing.T) {
	s, _ := open(t, config(fastDir(t)))
	c, large := create(t, s, "g"), create(t, s, "large")
	write(t, large, ownData(1), 0)
	check(t, s.Close())
	_, inline := c.WriteAt([]byte("x"), 0)
	_, own := c.WriteAt(ownData(1), 0)
	_, readBack := large.ReadAt(make([]byte, 1), 0, nil)
	for what, err := range map[string]error{
		"inline": inline, "own": own, "read": readBack, "checkpoint": s.Checkpoint(nil),
		"append": s.Append(&spool.Record{Type: spool.TypeMkdir}), "sync": s.Sync(context.Background()),
	} {
		if !errors.Is(err, spool.ErrClosed) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestContentErrors(t *testing.T) {
	s, _ := open(t, config(fastDir(t)))
	defer s.Close()
	c := s.NewContent("delta", 10)
	if _, err := c.ReadAt(make([]byte, 5), 0, nil); !errors.Is(err, spool.ErrNoBase) {
		t.Errorf("no base: %v", err)
	}
	broken := errors.New("broken")
	if _, err := c.ReadAt(make([]byte, 5), 0, func([]byte, int64) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("broken base: %v", err)
	}
	_, negative := c.WriteAt([]byte("x"), -1)
	_, over := c.WriteAt([]byte("xx"), 1<<63-2)
	_, readNegative := c.ReadAt(nil, -1, nil)
	for what, err := range map[string]error{
		"negative": negative, "over": over, "read": readNegative, "truncate": c.Truncate(-1),
		"allocate": c.Allocate(1, 0), "punch": c.PunchHole(-1, 2), "fill": c.FillBase(-1, nil),
	} {
		if !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if n, err := c.ReadAt(make([]byte, 5), 10, nil); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %d, %v", n, err)
	}
	c.Seal()
	_, sealed := c.WriteAt([]byte("x"), 0)
	for what, err := range map[string]error{"write": sealed, "truncate": c.Truncate(0), "punch": c.PunchHole(0, 1)} {
		if !errors.Is(err, spool.ErrSealed) {
			t.Errorf("sealed, %s: %v", what, err)
		}
	}
	c.Release()
	_, gone := c.ReadAt(make([]byte, 1), 0, readBase)
	if !errors.Is(gone, spool.ErrGone) || !errors.Is(c.FillBase(0, []byte("x")), spool.ErrGone) {
		t.Errorf("released: %v", gone)
	}
}

func TestSection(t *testing.T) {
	s, _ := open(t, config(fastDir(t)))
	defer s.Close()
	c := s.NewContent("g", 5000)
	write(t, c, []byte("ours"), 4000)
	want := baseBytes(0, 5000)
	copy(want[4000:], "ours")
	got, err := io.ReadAll(c.Section(readBase))
	check(t, err)
	same(t, "section", got, want)
}

// fullDisk is a Config.WriteAt that writes less than it should once files have grown by room bytes.
type fullDisk struct{ room int64 }

func (d *fullDisk) WriteAt(f *os.File, p []byte, off int64) (int, error) {
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	grows := max(0, off+int64(len(p))-max(off, st.Size()))
	if grows <= d.room {
		d.room -= grows
		return f.WriteAt(p, off)
	}
	n, err := f.WriteAt(p[:int64(len(p))-grows+d.room], off)
	d.room = 0
	return n, errors.Join(err, &os.PathError{Op: "write", Path: f.Name(), Err: syscall.ENOSPC})
}

// Whatever room there is, a write on a full disk changes nothing.
func TestFullDisk(t *testing.T) {
	for _, tc := range []struct {
		name string
		off  int64
		n    int
	}{
		{"inline", 150, 100},
		{"own", 150, 70_000},
		{"move", 0, 65_500},
		{"overlap", 69_000, 5_000},
		{"rewrite and more", 100, 140_000},
		{"behind a hole", 200_000, 70_000},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, room := range []int64{0, 1, 99, 4096, 50_000, 69_999} {
				disk := &fullDisk{room: 1 << 30}
				cfg := config(fastDir(t))
				cfg.WriteAt = disk.WriteAt
				s, _ := open(t, cfg)
				c := s.NewContent("g", 1000)
				write(t, c, inlineData(1), 300)
				if tc.name == "overlap" || tc.name == "rewrite and more" {
					write(t, c, ownData(1), 0)
				}
				before, usage := read(t, c, readBase), first(s.Usage())
				disk.room = room
				n, err := c.WriteAt(pattern(9, tc.n), tc.off)
				if err == nil {
					check(t, s.Close())
					continue // there was room
				}
				if n != 0 || !errors.Is(err, syscall.ENOSPC) {
					t.Fatalf("room %d: %d, %v", room, n, err)
				}
				if now := first(s.Usage()); now != usage && now != usage+int64(len(inlineData(1))) { // moved
					t.Errorf("room %d: usage %d, was %d", room, now, usage)
				}
				same(t, "after the failure", read(t, c, readBase), before)
				disk.room = 1 << 30
				write(t, c, pattern(9, tc.n), tc.off)
				same(t, "after another try", read(t, c, readBase)[tc.off:tc.off+int64(tc.n)], pattern(9, tc.n))
				check(t, s.Close())
			}
		})
	}
}

func first[A, B any](a A, _ B) A { return a }

func TestSizeLimit(t *testing.T) {
	cfg := config(fastDir(t))
	cfg.MaxBytes = 200_000
	s, _ := open(t, cfg)
	defer s.Close()
	a := stored(t, s, "a", ownData(1))
	b := stored(t, s, "b", ownData(2))
	small := stored(t, s, "small", inlineData(1))
	c := create(t, s, "c")
	for _, p := range [][]byte{ownData(3), nil} {
		if p == nil {
			p = pattern(1, 60_500) // inline
		}
		if _, err := c.WriteAt(p, 0); !errors.Is(err, spool.ErrFull) || !errors.Is(err, syscall.ENOSPC) || c.Size() != 0 {
			t.Fatalf("%d bytes: %v, size %d", len(p), err, c.Size())
		}
	}
	for _, done := range []*spool.Content{a, b, small} {
		check(t, s.Append(&spool.Record{Type: spool.TypeCommit, Gen: done.Gen()}))
		done.Release()
	}
	check(t, s.Sync(t.Context()))
	write(t, c, ownData(3), 0)
	write(t, c, ownData(4), 0) // in place
	write(t, c, pattern(4, 100_000), 90_000)
}

// A segment that has nothing but what is done does not keep the spool full.
func TestFullSpoolGivesItsIdleSegmentBack(t *testing.T) {
	cfg := config(fastDir(t))
	cfg.MaxBytes = 100_000
	s, _ := open(t, cfg)
	defer s.Close()
	done := stored(t, s, "done", pattern(1, 60_000))
	check(t, s.Append(&spool.Record{Type: spool.TypeCommit, Gen: "done"}))
	done.Release()
	next := create(t, s, "next")
	if _, err := next.WriteAt(ownData(1), 0); !errors.Is(err, spool.ErrFull) {
		t.Fatal(err)
	}
	check(t, s.Sync(t.Context()))
	write(t, next, ownData(1), 0)
}

func TestFewDescriptors(t *testing.T) {
	cfg := config(fastDir(t))
	cfg.MaxOpen = 3
	s, _ := open(t, cfg)
	defer s.Close()
	var all []*spool.Content
	for i := range 20 {
		all = append(all, stored(t, s, fmt.Sprint(i), ownData(i)))
	}
	check(t, s.Sync(t.Context()))
	for i, c := range all {
		same(t, c.Gen(), read(t, c, nil), ownData(i))
	}
	fds, err := os.ReadDir("/proc/self/fd")
	check(t, err)
	if len(fds) > 25 {
		t.Errorf("%d descriptors are open", len(fds))
	}
}

func TestBackgroundSync(t *testing.T) {
	dir := fastDir(t)
	synctest.Test(t, func(t *testing.T) {
		cfg := config(dir)
		cfg.GroupSync = time.Second
		var log atomic.Int32
		cfg.OnSync = func(path string) {
			if filepath.Base(path) == "ns.log" {
				log.Add(1)
			}
		}
		s, _ := open(t, cfg)
		time.Sleep(time.Minute)
		before := log.Load()
		check(t, s.Append(&spool.Record{Type: spool.TypeMkdir}))
		time.Sleep(999 * time.Millisecond)
		synctest.Wait()
		if log.Load() != before {
			t.Error("synced too early")
		}
		check(t, s.Append(&spool.Record{Type: spool.TypeMkdir})) // does not move the time
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if log.Load() != before+1 {
			t.Errorf("synced %d times", log.Load()-before)
		}
		time.Sleep(time.Hour)
		check(t, s.Sync(t.Context())) // nothing to do
		if log.Load() != before+1 {
			t.Errorf("synced %d times without a reason", log.Load()-before-1)
		}
		check(t, s.Close())
	})
}

func TestSyncIsSharedAndCanBeLeft(t *testing.T) {
	dir := fastDir(t)
	synctest.Test(t, func(t *testing.T) {
		cfg := config(dir)
		hold := make(chan struct{})
		var rounds atomic.Int32
		cfg.OnSync = func(path string) {
			if filepath.Base(path) == "ns.log" {
				rounds.Add(1)
				<-hold
			}
		}
		s, _ := open(t, cfg)
		check(t, s.Append(&spool.Record{Type: spool.TypeMkdir}))
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if err := s.Sync(t.Context()); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait() // the first is in its round, the others wait for the next
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Sync(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		close(hold)
		wg.Wait()
		if n := rounds.Load(); n != 2 {
			t.Errorf("%d group syncs for 10 callers", n)
		}
		check(t, s.Close())
	})
}

// Disjoint ranges of one content, other contents, records and syncs at once.
func TestConcurrentUse(t *testing.T) {
	cfg := config(fastDir(t))
	cfg.GroupSync = time.Millisecond
	cfg.MaxOpen = 2
	s, _ := open(t, cfg)
	const writers, part, rounds = 4, 50_000, 40
	shared := create(t, s, "shared")
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(1, uint64(w)))
			mine := make([]byte, part)
			at := int64(w * part)
			for i := range rounds {
				off, n := rnd.IntN(part-1), 1+rnd.IntN(5000)
				p := pattern(byte(i), min(n, part-off))
				copy(mine[off:], p)
				write(t, shared, p, at+int64(off))
				if err := s.Append(&spool.Record{Type: spool.TypePart, Gen: "shared"}); err != nil {
					t.Error(err)
				}
				got := make([]byte, len(p))
				if _, err := shared.ReadAt(got, at+int64(off), nil); (err != nil && !errors.Is(err, io.EOF)) || !bytes.Equal(got, p) {
					t.Errorf("writer %d does not read what it wrote: %v", w, err)
				}
				c := shared.Clone(fmt.Sprintf("%d-%d", w, i))
				own := create(t, s, fmt.Sprintf("own-%d-%d", w, i))
				write(t, own, p, 0)
				seal(t, s, own)
				if i%8 == 0 {
					check(t, s.Sync(context.Background()))
				}
				same(t, own.Gen(), read(t, own, nil), p)
				check(t, s.Append(&spool.Record{Type: spool.TypeDrop, Gen: own.Gen()}))
				own.Release()
				c.Release()
			}
			got := make([]byte, part)
			if _, err := shared.ReadAt(got, at, nil); err != nil && !errors.Is(err, io.EOF) {
				t.Error(err)
			}
			if !bytes.Equal(got, mine) {
				t.Errorf("writer %d: bytes differ", w)
			}
		})
	}
	wg.Wait()
	check(t, s.Close())
}
