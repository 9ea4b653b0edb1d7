package vfs_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/op"
)

// roundTrip is what each GET takes in these tests.
const roundTrip = 20 * time.Millisecond

// farStore has its GETs take a round trip, and counts those under way.
type farStore struct {
	store.Store

	flying, most atomic.Int32
	refuse       func(key string) error // nil = nothing is refused
}

func (s *farStore) Get(ctx context.Context, key string, r store.Range, c store.Cond) (io.ReadCloser, store.Object, error) {
	now := s.flying.Add(1)
	defer s.flying.Add(-1)
	for most := s.most.Load(); now > most && !s.most.CompareAndSwap(most, now); most = s.most.Load() {
		continue
	}
	time.Sleep(roundTrip)
	if s.refuse != nil {
		if err := s.refuse(key); err != nil {
			return nil, store.Object{}, err
		}
	}
	return s.Store.Get(ctx, key, r, c)
}

// farEnv is an env with small files far away, whose directory has been listed.
func farEnv(t *testing.T, files int, cfg envConfig) (e *env, far *farStore, names []string) {
	t.Helper()
	cfg.wrap = func(s store.Store) store.Store { far = &farStore{Store: s}; return far }
	e = newEnv(t, cfg)
	for i := range files {
		names = append(names, fmt.Sprintf("f%03d", i))
		e.put(t, "public/d/"+names[i], []byte(content(names[i])))
	}
	if files > 0 {
		listNames(t, e, "public/d")
	}
	e.mem.ResetCounts()
	return e, far, names
}

func content(name string) string { return "the content of " + name }

// readAll reads files one after another, and tells how long that took.
func readAll(t *testing.T, e *env, names []string) time.Duration {
	t.Helper()
	began := time.Now()
	for _, name := range names {
		wantFile(t, e, "public/d/"+name, content(name))
	}
	return time.Since(began)
}

// gets counts the GETs since the last reset once nothing is on its way any more.
func gets(e *env) (n int) {
	synctest.Wait()
	time.Sleep(10 * roundTrip)
	for _, r := range e.mem.Requests() {
		if r.Op == op.Get {
			n++
		}
	}
	return n
}

// numbers are the names in the order of their inodes' numbers.
func numbers(t *testing.T, e *env, names []string) []string {
	t.Helper()
	inos := map[string]uint64{}
	for _, name := range names {
		inos[name] = mustLookup(t, e, "public/d/"+name).Ino
	}
	out := slices.Clone(names)
	slices.SortFunc(out, func(a, b string) int { return cmp.Compare(inos[a], inos[b]) })
	return out
}

// TestSiblingsAreFetchedAhead: 200 small files, in any clear order, are read in a quarter of the time that one request
// after another takes, for exactly their GETs.
func TestSiblingsAreFetchedAhead(t *testing.T) {
	const files = 200
	backwards := func(_ *testing.T, _ *env, names []string) []string {
		out := slices.Clone(names)
		slices.Reverse(out)
		return out
	}
	for name, order := range map[string]func(*testing.T, *env, []string) []string{
		"by name":         func(_ *testing.T, _ *env, names []string) []string { return names },
		"backwards":       backwards,
		"by inode number": numbers,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e, far, names := farEnv(t, files, envConfig{})
				defer e.close(t)
				took := readAll(t, e, order(t, e, names))
				if got := gets(e); got != files {
					t.Errorf("%d GETs of %d files", got, files)
				}
				serial := files * roundTrip
				t.Logf("%v, one by one %v: %.2f; up to %d at a time", took, serial, took.Seconds()/serial.Seconds(), far.most.Load())
				if took > serial/4 {
					t.Error("more than a quarter")
				}
				if most := far.most.Load(); most < 8 || most > 17 {
					t.Errorf("%d requests at a time", most)
				}
			})
		})
	}
}

// TestNoOrderFetchesNothing: who opens files here and there gets those, and no others.
func TestNoOrderFetchesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _, names := farEnv(t, 400, envConfig{})
		defer e.close(t)
		rand.New(rand.NewPCG(3, 4)).Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		readAll(t, e, names[:100])
		if got := gets(e); got != 100 {
			t.Errorf("%d GETs of 100 files", got)
		}
	})
}

// TestSiblingsEndWithTheirRun: what is fetched for nothing is bounded by what was read, however large the directory.
func TestSiblingsEndWithTheirRun(t *testing.T) {
	for read, most := range map[int]int{1: 1, 2: 2, 3: 5, 4: 8, 8: 16, 40: 56, 198: 200} {
		t.Run(fmt.Sprint(read), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e, _, names := farEnv(t, 200, envConfig{})
				defer e.close(t)
				readAll(t, e, names[:read])
				got := gets(e)
				if got != most {
					t.Errorf("%d GETs for %d files, want %d", got, read, most)
				}
				readAll(t, e, []string{names[150], names[70]}) // the pattern breaks
				if again := gets(e) - got; again > 2 {
					t.Errorf("%d GETs afterwards", again)
				}
			})
		})
	}
}

// TestSiblingsThatAreLeftAlone: pending and removed ones, empty, large and archived ones are never asked for.
func TestSiblingsThatAreLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _, names := farEnv(t, 16, envConfig{settle: time.Hour})
		defer e.close(t)
		e.mem.Archive("public/d/f008")
		e.put(t, "public/d/f009", make([]byte, 1<<20+1))
		e.put(t, "public/d/f010", nil)
		e.age(t)
		listNames(t, e, "public/d")
		writeFile(t, e.fs, "public/d/f011", []byte("pending"))
		must(t, e.fs.Unlink(t.Context(), "public/d/f012"))
		e.mem.ResetCounts()
		readAll(t, e, names[:8])
		gets(e)
		for _, r := range e.mem.Requests() {
			for _, never := range []string{"f008", "f009", "f010", "f011", "f012"} {
				if r.Op == op.Get && r.Key == "public/d/"+never {
					t.Errorf("%s was asked for", never)
				}
			}
		}
	})
}

// TestSiblingsWithoutRights: in a level that may not be listed, or read, nothing is asked for that nobody reads.
func TestSiblingsWithoutRights(t *testing.T) {
	for name, grants := range map[string]levels.Perm{"no list": levels.Get | levels.Put, "no get": levels.List | levels.Put} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e, _, names := farEnv(t, 0, envConfig{options: levels.Options{Grants: map[levels.Level]levels.Perm{levels.Public: grants}}})
				defer e.close(t)
				for i := range 8 {
					names = append(names, fmt.Sprintf("f%d", i))
					e.put(t, "public/"+names[i], []byte("x"))
				}
				read := 0
				for _, name := range names[:5] {
					if h, err := e.fs.Open(t.Context(), "public/"+name, 0); err == nil {
						readHandle(t, h)
						must(t, h.Release(t.Context()))
						read++
					}
				}
				if got := gets(e); got != read {
					t.Errorf("%d GETs of %d files", got, read)
				}
			})
		})
	}
}

// TestSiblingsThatAreRefused: the first refusal (objects that want the customer's key, say) ends the run; nothing is asked for
// again and again.
func TestSiblingsThatAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, far, names := farEnv(t, 200, envConfig{})
		defer e.close(t)
		far.refuse = func(key string) error {
			if key >= "public/d/f020" {
				return &store.Error{Op: "get", Key: key, Kind: store.ErrInvalid}
			}
			return nil
		}
		var refused atomic.Int32
		inner := far.refuse
		far.refuse = func(key string) error {
			err := inner(key)
			if err != nil {
				refused.Add(1)
			}
			return err
		}
		readAll(t, e, names[:20])
		gets(e)
		if n := refused.Load(); n > 24 { // one window, and what the next three files begin
			t.Errorf("%d requests were refused", n)
		}
	})
}

// TestSiblingsOfManyReaders: sixteen who share the files of a directory are not slowed, and each file is fetched once.
func TestSiblingsOfManyReaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const files, readers = 320, 16
		e, far, names := farEnv(t, files, envConfig{})
		defer e.close(t)
		began := time.Now()
		var wg sync.WaitGroup
		for r := range readers {
			wg.Go(func() {
				for i := r; i < files; i += readers {
					wantFile(t, e, "public/d/"+names[i], content(names[i]))
				}
			})
		}
		wg.Wait()
		took := time.Since(began)
		if got := gets(e); got != files {
			t.Errorf("%d GETs of %d files", got, files)
		}
		if bound := files / readers * roundTrip; took > bound {
			t.Errorf("%v, without fetching ahead %v", took, bound)
		}
		t.Logf("%v; up to %d at a time", took, far.most.Load())
	})
}

// TestSiblingReplacedMeanwhile: what was fetched ahead is of the version that the listing showed; who opens the file after
// another one was found gets that.
func TestSiblingReplacedMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _, names := farEnv(t, 20, envConfig{})
		defer e.close(t)
		readAll(t, e, names[:4])
		gets(e)
		e.put(t, "public/d/f004", []byte("a new version"))
		e.age(t)
		wantFile(t, e, "public/d/f004", "a new version")
	})
}
