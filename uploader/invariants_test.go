package uploader_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/uploader"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// The invariants of docs/UPLOADER.md, each on random runs with faults, crashes and foreign writers.

// makes is a request that makes an object out of ours.
func makes(c faultstore.Call) bool { return c.Op == op.Put || c.Op == op.Complete }

// TestInvariantI1: nothing unsealed or of two bases is ever committed.
func TestInvariantI1(t *testing.T) {
	checkInvariant(t, func() *invariant {
		return &invariant{after: func(w *wild, c faultstore.Call, _ error) {
			o, ok := w.mem.Object(c.Key)
			if !makes(c) || !ok {
				return
			}
			w.mu.Lock()
			theirs := strings.HasPrefix(string(o.Data), "(theirs ") // also where it was renamed to
			good := theirs || w.closed[string(o.Data)] || len(o.Data) == 0
			w.mu.Unlock()
			if !good {
				w.violated("%v made %q, which nobody has closed", c, o.Data)
			}
		}}
	})
}

// lost names what was acknowledged, not superseded, and is neither in the spool nor in the bucket.
func lost(acked map[string]string, kept map[string]string, bucket map[string]string) string {
	have := map[string]bool{}
	for _, data := range kept {
		have[data] = true
	}
	for _, data := range bucket {
		have[data] = true
	}
	for _, data := range slices.Sorted(maps.Keys(acked)) {
		if _, inSpool := kept[acked[data]]; !inSpool && !have[data] {
			return data
		}
	}
	return ""
}

// TestInvariantI2: at every moment each acknowledged, not superseded generation is in the spool or in the bucket.
func TestInvariantI2(t *testing.T) {
	ask := func(w *wild) {
		w.mu.Lock()
		acked := maps.Clone(w.acked)
		w.mu.Unlock()
		kept, bucket := w.u.InSpool(), w.bucket()
		data := lost(acked, kept, bucket)
		w.mu.Lock()
		still := w.acked[data] != "" // not superseded while we looked
		w.mu.Unlock()
		if still {
			w.violated("%q is nowhere; spool %q, bucket %q", data, kept, bucket)
		}
	}
	checkInvariant(t, func() *invariant {
		return &invariant{
			before: func(w *wild, _ faultstore.Call) { ask(w) },
			after:  func(w *wild, _ faultstore.Call, _ error) { ask(w) },
			step:   ask, end: ask,
		}
	})
}

// deletes follows what requests delete: gone is asked for each object that has gone by one.
func deletes(gone func(w *wild, k string, etag, data string, batch bool)) *invariant {
	was := map[int]map[string]string{}
	return &invariant{
		before: func(w *wild, c faultstore.Call) {
			if c.Op != op.Delete && c.Op != op.DeleteMany {
				return
			}
			now := map[string]string{}
			for k, o := range w.mem.Objects() {
				now[k] = o.ETag
			}
			w.mu.Lock()
			defer w.mu.Unlock()
			was[c.N] = now
		},
		after: func(w *wild, c faultstore.Call, _ error) {
			w.mu.Lock()
			before := was[c.N]
			w.mu.Unlock()
			for k, etag := range before {
				if _, there := w.mem.Object(k); !there && (c.Op == op.DeleteMany || c.Key == k) {
					w.mu.Lock()
					data := w.versions[etag]
					w.mu.Unlock()
					gone(w, k, etag, data, c.Op == op.DeleteMany)
				}
			}
		},
	}
}

// TestInvariantI3: a key is deleted only at the version that the deleter knew; in a batch, at one that was seen a moment ago.
func TestInvariantI3(t *testing.T) {
	checkInvariant(t, func() *invariant {
		return deletes(func(w *wild, k, etag, data string, batch bool) {
			w.mu.Lock()
			known := w.told[k+" "+etag]
			made, theirs := w.foreign[k+" "+etag]
			w.mu.Unlock()
			for _, stored := range w.bucket() { // read again and renamed
				theirs = theirs && stored != data
			}
			if theirs && !known && (!batch || time.Since(made) > 200*time.Millisecond) {
				w.violated("%q was deleted at %q, which this mount did not know", k, data)
			}
		})
	})
}

// TestInvariantI4: the new name of a rename is committed before the old one is deleted; after a rename there is one name.
func TestInvariantI4(t *testing.T) {
	checkInvariant(t, func() *invariant {
		return deletes(func(w *wild, k, _, data string, _ bool) {
			w.mu.Lock()
			moved := w.moved[data]
			w.mu.Unlock()
			if !moved {
				return
			}
			for _, stored := range w.bucket() {
				if stored == data {
					return
				}
			}
			w.violated("%q was deleted at %q and is at no other name", data, k)
		})
	})
}

// TestInvariantI5: one request that changes a key is in flight, parts excepted.
func TestInvariantI5(t *testing.T) {
	checkInvariant(t, func() *invariant {
		var mu sync.Mutex
		inFlight := map[string]faultstore.Call{}
		counts := func(c faultstore.Call) bool { return makes(c) || c.Op == op.Copy || c.Op == op.Delete }
		return &invariant{
			before: func(w *wild, c faultstore.Call) {
				mu.Lock()
				defer mu.Unlock()
				if other, busy := inFlight[c.Key]; busy && counts(c) {
					w.violated("%v while %v is in flight", c, other)
				}
				if counts(c) {
					inFlight[c.Key] = c
				}
			},
			after: func(_ *wild, c faultstore.Call, _ error) {
				mu.Lock()
				defer mu.Unlock()
				if counts(c) {
					delete(inFlight, c.Key)
				}
			},
		}
	})
}

// TestInvariantI6: nothing changes a key while it is the source of a copy, or while somebody needs its bytes.
func TestInvariantI6(t *testing.T) {
	checkInvariant(t, func() *invariant {
		var mu sync.Mutex
		copies := map[string]faultstore.Call{}
		return &invariant{
			before: func(w *wild, c faultstore.Call) {
				needs := w.u.Needs()[c.Key]
				mu.Lock()
				defer mu.Unlock()
				if c.Op == op.Copy && c.Source != c.Key {
					copies[c.Source] = c
				}
				if !makes(c) && c.Op != op.Delete {
					return
				}
				if other, ok := copies[c.Key]; ok {
					w.violated("%v while %v is in flight", c, other)
				}
				if needs != "" {
					w.violated("%v while %s reads from there", c, needs)
				}
			},
			after: func(_ *wild, c faultstore.Call, _ error) {
				mu.Lock()
				defer mu.Unlock()
				if c.Op == op.Copy {
					delete(copies, c.Source)
				}
			},
		}
	})
}

// image is a machine at the moment of a request: what a kill would leave.
type image struct {
	dir    string
	acked  map[string]string
	bucket map[string]string
}

// images takes one at each of some requests.
func images(from, every int, all *[]image) *invariant {
	return &invariant{before: func(w *wild, c faultstore.Call) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if c.N%every != from%every || len(*all) > 5 {
			return
		}
		dir := filepath.Join(fastDir(w.t), "image")
		if err := os.CopyFS(dir, os.DirFS(w.dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			w.bad = err.Error()
		} else if err == nil {
			*all = append(*all, image{dir: dir, acked: maps.Clone(w.acked), bucket: w.bucket()})
		}
	}}
}

// replayed starts another process on an image and gives what it has; it sends nothing.
func (w *wild) replayed(dir string) (state []string, kept map[string]string, recs []spool.Record) {
	sp, rec, err := spool.Open(spool.Config{Dir: dir, Owner: "test", BootID: w.boot})
	check(w.ft, err)
	recs = slices.Clone(rec.Records)
	c := w.config
	c.Store, c.Spool, c.Recovery = w.mem, sp, rec
	u, err := uploader.New(c)
	check(w.ft, err)
	for _, i := range u.Status().Items {
		state = append(state, fmt.Sprint(i.Key, i.To, i.What, i.State, i.Gen, i.Size))
	}
	for _, q := range u.Status().Quarantined {
		state = append(state, fmt.Sprint("quarantined ", q.Gen, q.Key, q.Size, q.BaseLost))
	}
	slices.Sort(state)
	kept = u.InSpool()
	for _, q := range u.Status().Quarantined {
		if !q.BaseLost { // it would never be uploaded
			delete(kept, q.Gen)
		}
	}
	u.Kill()
	check(w.ft, sp.Close())
	return state, kept, recs
}

// TestInvariantI7: a generation is superseded only by a sealed one: a kill at any request loses nothing that was acknowledged.
func TestInvariantI7(t *testing.T) {
	n := 0
	checkInvariant(t, func() *invariant {
		n++
		var all []image
		inv := images(n, 7, &all)
		inv.end = func(w *wild) {
			for _, m := range all {
				_, kept, _ := w.replayed(m.dir)
				if data := lost(m.acked, kept, m.bucket); data != "" {
					w.violated("a kill loses %q; spool %q, bucket %q", data, kept, m.bucket)
				}
			}
		}
		return inv
	})
}

// TestInvariantI8: replaying any prefix of the log twice gives the same state.
func TestInvariantI8(t *testing.T) {
	n := 0
	checkInvariant(t, func() *invariant {
		n++
		var all []image
		inv := images(n, 7, &all)
		inv.end = func(w *wild) {
			for i, m := range all {
				log, err := os.ReadFile(filepath.Join(m.dir, "ns.log"))
				check(w.ft, err)
				cut := len(log) - (n*37+i*101)%max(1, len(log)/2) // also in the middle of a record
				check(w.ft, os.WriteFile(filepath.Join(m.dir, "ns.log"), log[:cut], 0o600))
				first, _, recs := w.replayed(m.dir)
				again, _, _ := w.replayed(m.dir)
				if !slices.Equal(first, again) {
					w.violated("replayed %q, again %q", first, again)
				}
				if once, twice := uploader.ReplayTwice(recs); !slices.Equal(once, twice) {
					w.violated("applied once\n%s\ntwice\n%s", strings.Join(once, "\n"), strings.Join(twice, "\n"))
				}
			}
		}
		return inv
	})
}

// TestInvariantI9: a request without an answer is followed by the same one again, by a look, or by nothing at its key.
func TestInvariantI9(t *testing.T) {
	checkInvariant(t, func() *invariant {
		var mu sync.Mutex
		unsure := map[string]string{} // the op without an answer, by key
		sent := map[string]int{}
		return &invariant{
			before: func(w *wild, c faultstore.Call) {
				mu.Lock()
				defer mu.Unlock()
				switch last := unsure[c.Key]; {
				case last == "" || !c.IsWrite() || c.Op == op.UploadPart || c.Op == op.Abort || strings.HasSuffix(c.Key, "/"):
				case c.Op != last || sent[c.Key] >= 4:
					w.violated("%v after %d of %s without an answer and without a look", c, sent[c.Key], last)
				}
			},
			after: func(_ *wild, c faultstore.Call, err error) {
				mu.Lock()
				defer mu.Unlock()
				switch {
				case c.Op == op.Head && (err == nil || errors.Is(err, store.ErrNotExist)), c.Op == op.List && err == nil:
					for k := range unsure {
						if strings.HasPrefix(k, c.Key) {
							delete(unsure, k)
							delete(sent, k)
						}
					}
				case !makes(c) && c.Op != op.Copy:
				case store.Unanswered(err):
					unsure[c.Key] = c.Op
					sent[c.Key]++
				case err == nil:
					delete(unsure, c.Key)
					delete(sent, c.Key)
				}
			},
		}
	})
}

// TestInvariantI10: whatever waits is shown, nobody waits for it without a bound, and it ends when the store answers again.
func TestInvariantI10(t *testing.T) {
	checkInvariant(t, func() *invariant {
		return &invariant{
			step: func(w *wild) {
				if n, s := w.u.Operations(), w.u.Status(); len(s.Items) != n {
					w.violated("%d pending, %d shown: %+v", n, len(s.Items), s.Items)
				}
				ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
				defer cancel()
				if _, err := w.u.Wait(ctx, ""); err != nil {
					w.violated("waiting has no end: %v", err)
				}
			},
			end: func(w *wild) {
				if s := w.u.Status(); len(s.Items) > 0 || s.Queued+s.Sending+s.Failed != 0 {
					w.violated("still pending: %+v", s)
				}
			},
		}
	})
}
