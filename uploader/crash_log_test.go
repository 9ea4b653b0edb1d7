package uploader_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// What a damaged log or segment costs. Most damage leaves what a shorter log would: each different recovery is
// carried to its end once. That is done for each byte where S3LEVELFS_CRASH_ROUNDS asks for it (make soak), else for some of them:
// package spool does it for each byte of its log in CI, too.

// everyNth is 1 in make soak.
func everyNth(inCI int) int64 {
	if os.Getenv("S3LEVELFS_CRASH_ROUNDS") != "" {
		return 1
	}
	return int64(inCI)
}

// remains is what a machine has in the end: its spool, and the bucket.
type remains struct {
	dir    string
	bucket map[string]memstore.Raw
	log    []byte
	acts   []act
	views  []view
	ends   []int64 // length of the log after so many acts; nil: the bucket went on with the log
	skip   int     // acts whose records are not looked at
}

// leave runs a workload and kills the process. From the act "away" on no request is answered.
func leave(outer *testing.T, acts []act) (m remains) {
	synctest.Test(outer, func(t *testing.T) {
		c := newScript(t, &killer{t: t})
		m = remains{acts: acts, views: views(acts)}
		length := func() int64 {
			log, err := os.ReadFile(filepath.Join(c.dir, "ns.log"))
			check(t, err)
			return int64(len(log))
		}
		for i, a := range acts {
			if a.name == "away" {
				m.skip = i
			}
			check(t, a.do(c))
			synctest.Wait()
			m.ends = append(m.ends, length())
		}
		if m.skip == 0 {
			m.ends = nil
		}
		c.u.Frozen(func() { m.dir = copied(outer, c.dir) })
		m.bucket = c.mem.Objects()
		var err error
		m.log, err = os.ReadFile(filepath.Join(m.dir, "ns.log"))
		check(t, err)
		c.stop()
	})
	return m
}

// allowed are the views when the log is good up to an offset.
func (m *remains) allowed(good int64) (before, after view) {
	n, exact := slices.BinarySearch(m.ends, good+1)
	if exact || n == 0 || m.ends[n-1] != good {
		return m.views[n], m.views[min(n+1, len(m.acts))]
	}
	return m.views[n], m.views[n]
}

// found is how a damaged spool was opened.
type found struct {
	records  int
	damaged  string
	salvaged int
}

// peek opens a copy of the spool with another log; that removes nothing else.
func (m *remains) peek(t *testing.T, work string, log []byte) found {
	check(t, os.WriteFile(filepath.Join(work, "ns.log"), log, 0o600))
	sp, rec, err := spool.Open(spool.Config{Dir: work, Owner: "test", BootID: "boot-1", GroupSync: -1})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	f := found{records: len(rec.Records), salvaged: len(rec.Salvaged)}
	for _, d := range rec.Damaged {
		f.damaged += d.Gen + " "
	}
	for _, c := range rec.Unsealed {
		c.Release()
	}
	check(t, sp.Close())
	return f
}

// outcome is what became of a damaged spool.
type outcome struct {
	seen   view
	stored map[string]bool   // the bytes of all objects
	kept   map[string]string // named as quarantined, by generation
	had    map[string]bool   // the bytes of those
}

// recovered lets a process go on with what is in work, on the bucket of that moment.
func (m *remains) recovered(t *testing.T, work string) (o outcome) {
	synctest.Test(t, func(t *testing.T) {
		mem := memstore.New(memstore.Config{MinPart: 1})
		for k, raw := range m.bucket {
			mem.PutRaw(k, raw)
		}
		r := newRig(t, memstore.Config{MinPart: 1}, scriptConfig)
		r.crashThen(func() { r.mem, r.store, r.dir = mem, mem, work })
		defer r.stop()
		r.drain()
		o = outcome{seen: r.seen(), stored: map[string]bool{}, kept: map[string]string{}, had: map[string]bool{}}
		for _, data := range r.bucket() {
			o.stored[data] = true
		}
		for _, q := range r.u.Kept() {
			o.kept[q.Gen] = q.Key
			if e, err := r.u.Export(q.Gen); err == nil { // else its bytes are damaged
				var b strings.Builder
				if _, err := e.WriteTo(&b); err == nil {
					o.had[b.String()] = true
				}
				e.Close()
			}
		}
	})
	return o
}

// damage opens the spool with each of the logs, the offset up to which each is good beside it, and carries each different
// recovery to its end.
func (m *remains) damage(t *testing.T, logs func(yield func(good int64, log []byte) bool), judge func(good int64, o outcome)) {
	t.Helper()
	type key struct {
		found
		before int
	}
	seen, n := map[key]bool{}, 0
	look, work := filepath.Join(fastDir(t), "look"), filepath.Join(fastDir(t), "work")
	check(t, os.CopyFS(look, os.DirFS(m.dir)))
	for good, log := range logs {
		n++
		at, _ := slices.BinarySearch(m.ends, good+1)
		k := key{m.peek(t, look, log), at}
		if seen[k] {
			continue
		}
		seen[k] = true
		check(t, os.RemoveAll(work), os.CopyFS(work, os.DirFS(m.dir)), os.WriteFile(filepath.Join(work, "ns.log"), log, 0o600))
		judge(good, m.recovered(t, work))
	}
	t.Logf("%d damaged logs, %d different recoveries, %d acts", n, len(seen), len(m.acts))
	if len(seen) < 20 {
		t.Error("the damage was not looked at")
	}
}

// cuts are the log cut at every byte, or each nth, from an offset on.
func cuts(log []byte, from, nth int64) func(func(int64, []byte) bool) {
	return func(yield func(int64, []byte) bool) {
		for i := from; i <= int64(len(log)); i += nth {
			if !yield(i, log[:i]) {
				return
			}
		}
	}
}

// flips are the log with every byte, or each nth, from an offset on changed, in one bit and in all.
func flips(log []byte, from, nth int64) func(func(int64, []byte) bool) {
	return func(yield func(int64, []byte) bool) {
		for i := from; i < int64(len(log)); i += nth {
			for _, pattern := range []byte{1 << (i % 8), 0xff} {
				bad := bytes.Clone(log)
				bad[i] ^= pattern
				if !yield(i, bad) {
					return
				}
			}
		}
	}
}

// quietActs are a workload that goes on while the store is away: whatever the log loses, the bucket is as it was.
func quietActs() []act {
	big := text("big", 5*scriptPart+3)
	moving := func(from, to string) act {
		a := moveAct(from, to)
		a.do = func(c *script) error {
			go func() { _ = c.moved(key(from), key(to)) }() // waits for the copy
			synctest.Wait()
			return nil
		}
		return a
	}
	dirMoving := act{"rename r s.dir", func(c *script) error {
		go func() { _ = c.directoryMoved(key("r"), key("s.dir")) }()
		synctest.Wait()
		return nil
	}, func(v view) { v[key("s.dir/x")] = v[key("r/x")]; delete(v, key("r/x")) }}
	return []act{
		putAct("a", "a1"), putAct("b", "b1"), putAct("c", "c1"), putAct("big", big), putAct("r/x", "x1"), putAct("gone", "g1"), putAct("gone2", "g2"), putAct("u", "u1"),
		pause(time.Second), removeAct("gone"), pause(time.Second),
		{"away", func(c *script) error { c.down.Store(true); return nil }, func(view) {}},
		putAct("a", "a2"), putAct("new", "n1"), putAct("new", "n2"), putAct("new.tmp", "t1"), moveAct("new.tmp", "new"), headersAct("b", "7"),
		putAct("c", text("c", 3*scriptPart)), pause(100 * time.Millisecond), moveAct("c", "c.moved"), removeAct("gone2"), moving("b", "b.moved"), dirMoving,
		{"mkdir m", func(c *script) error { return c.u.Mkdir(bg, key("m"), memHeaders("9")) }, func(v view) { v[key("m/")] = "|9" }},
		openAct("s", true), writeAct("s", "synced", 0),
		endAct("fsync", "s", "synced", func(c *script) error { return c.open[key("s")].Sync(bg) }),
		openAct("u", true), writeAct("u", "never closed", 0), putAct("z", "z1"), removeAct("z"), putAct("last", "l1"),
	}
}

// TestLogOfAStoreAwayCutOrFlippedAtEveryByte: the damage costs what comes behind it and nothing else: of the acts before it all
// are done in the end, of those behind it none, and the one in which it is as a whole or not at all. The bytes of files that were closed behind
// a flipped byte are kept.
func TestLogOfAStoreAwayCutOrFlippedAtEveryByte(t *testing.T) {
	m := leave(t, quietActs())
	for name, damage := range map[string]func([]byte, int64, int64) func(func(int64, []byte) bool){"cut": cuts, "flipped": flips} {
		t.Run(name, func(t *testing.T) {
			m.damage(t, damage(m.log, m.ends[m.skip], everyNth(7)), func(good int64, o outcome) {
				before, after := m.allowed(good)
				if !maps.Equal(o.seen, before) && !maps.Equal(o.seen, after) {
					t.Errorf("good up to %d: %s; kept %q", good, difference(o.seen, before, after), o.kept)
				}
				for k, data := range m.views[len(m.views)-1] {
					if data = bytesOf(data); name == "flipped" && data != "" && !o.stored[data] && !o.had[data] {
						t.Errorf("good up to %d: %.40q of %s is nowhere; kept %q", good, data, k, o.kept)
					}
				}
			})
		})
	}
}

// TestLiveLogCutOrFlippedAtEveryByte: the bucket is ahead of a log that has lost its end. Nothing is made of that which nobody has
// closed, and what the bucket had is still in the bucket or is kept.
func TestLiveLogCutOrFlippedAtEveryByte(t *testing.T) {
	acts := slices.DeleteFunc(workload(), func(a act) bool { return a.name == "checkpoint" })
	m := leave(t, acts)
	closed := map[string]bool{"": true}
	for _, v := range m.views {
		for _, data := range v {
			closed[bytesOf(data)] = true
		}
	}
	for name, damage := range map[string]func([]byte, int64, int64) func(func(int64, []byte) bool){"cut": cuts, "flipped": flips} {
		t.Run(name, func(t *testing.T) {
			m.damage(t, damage(m.log, 16, everyNth(37)), func(good int64, o outcome) {
				for data := range o.stored {
					if !closed[data] {
						t.Errorf("good up to %d: the bucket has %q, which nobody has closed", good, data)
					}
				}
				for k, raw := range m.bucket {
					if !o.stored[string(raw.Data)] {
						t.Errorf("good up to %d: %q of %s is gone; kept %q, bucket %q", good, raw.Data, k, o.kept, o.seen)
					}
				}
			})
		})
	}
}

// bytesOf is the bytes of a view's entry.
func bytesOf(entry string) string {
	data, _, _ := strings.Cut(entry, "|")
	return data
}

// TestSegmentOfAStoreAwayFlippedAtEveryByte: damaged bytes are never uploaded: the file stays what it was before, and they are named.
func TestSegmentOfAStoreAwayFlippedAtEveryByte(t *testing.T) {
	m := leave(t, quietActs())
	last := m.views[len(m.views)-1]
	known := map[string]map[string]bool{} // contents that a name has had
	for _, v := range m.views {
		for k, data := range v {
			if known[k] == nil {
				known[k] = map[string]bool{}
			}
			known[k][data] = true
			known[k][bytesOf(data)] = true
		}
	}
	segments, err := filepath.Glob(filepath.Join(m.dir, "seg", "*.seg"))
	check(t, err)
	work, noticed := filepath.Join(fastDir(t), "work"), 0
	for _, path := range segments {
		good, err := os.ReadFile(path)
		check(t, err)
		for i := 0; i < len(good); i += int(everyNth(5)) {
			check(t, os.RemoveAll(work), os.CopyFS(work, os.DirFS(m.dir)))
			bad := bytes.Clone(good)
			bad[i] ^= 0x55
			check(t, os.WriteFile(filepath.Join(work, "seg", filepath.Base(path)), bad, 0o600))
			o := m.recovered(t, work)
			for k, data := range o.seen {
				if !known[k][data] {
					t.Errorf("%s, byte %d: %s is %q, never closed so", filepath.Base(path), i, k, data)
				}
			}
			if maps.Equal(o.seen, last) {
				continue // of what is not needed any more, or of the header
			}
			if noticed++; len(o.kept) < 2 { // one was never closed
				t.Errorf("%s, byte %d: %s, kept %q", filepath.Base(path), i, difference(o.seen, last, last), o.kept)
			}
		}
	}
	if noticed == 0 {
		t.Error("nothing was damaged")
	}
	t.Log(fmt.Sprint(noticed, " bytes were noticed"))
}
