package uploader_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/op"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// faults are those of a store that is ill but honest: for the models.
func faults() []faultstore.Fault {
	return []faultstore.Fault{
		faultstore.Refused(), faultstore.Reset(), faultstore.Lost(), faultstore.SlowDown(),
		faultstore.Applied(faultstore.InternalError()), faultstore.Expired(), faultstore.Stall(),
	}
}

// answers are the refusals that a store may give to any request, also for no reason.
func answers() []faultstore.Fault {
	return []faultstore.Fault{
		faultstore.Denied(), faultstore.Precondition(), faultstore.Conflict(), faultstore.NoUpload(),
		faultstore.Expired(), faultstore.Invalid(),
	}
}

// sweepFaults are all ways in which a request can fail; each answer also after it was applied.
func sweepFaults() []faultstore.Fault {
	all := []faultstore.Fault{
		faultstore.Refused(), faultstore.Reset(), faultstore.Lost(), faultstore.SlowDown(), faultstore.InternalError(),
		faultstore.Applied(faultstore.SlowDown()), faultstore.Applied(faultstore.InternalError()), faultstore.Stall(),
		faultstore.Applied(faultstore.Stall()), faultstore.Cut(3), faultstore.StallBody(3),
	}
	for _, f := range answers() {
		all = append(all, f, faultstore.Applied(f))
	}
	return all
}

// TestFaultSweep fails each call of a workload in each way, once and five times in a row, which is more than the attempts
// of a request, also with a crash: the bucket ends equal to what the programs did, nothing is pending or in a conflict copy,
// and names come back only where the store refuses their removal.
func TestFaultSweep(t *testing.T) {
	var mu sync.Mutex
	cases, all := map[string]int{}, 0
	t.Run("all", func(t *testing.T) {
		for _, f := range sweepFaults() {
			ops := faultstore.AnyOp
			if strings.HasPrefix(f.String(), "body ") {
				ops = op.Get
			}
			for _, times := range []int{1, 5} {
				t.Run(fmt.Sprint(f, "-", times), func(t *testing.T) {
					t.Parallel()
					for n := 1; ; n++ {
						call := sweepOnce(t, faultstore.Rule{Op: ops, Nth: n, Count: times, Fault: f}, crashAfter(n))
						if call == "" {
							return
						}
						mu.Lock()
						cases[call]++
						all++
						mu.Unlock()
					}
				})
			}
		}
	})
	t.Logf("%d cases: %v", all, cases)
	for _, call := range []string{
		op.Head, op.Get, op.Put, op.Copy, op.Delete, op.DeleteMany, op.Create, op.UploadPart, op.CopyPart, op.Complete,
	} {
		if cases[call] == 0 {
			t.Errorf("no %s was ever made to fail", call)
		}
	}
}

const (
	sweepPart = 64  // bytes of a part
	sweepBase = 200 // bytes; larger stored files are copied in parts
)

// crashAfter is how long after the workload the process is killed; negative = never.
func crashAfter(n int) time.Duration {
	return []time.Duration{-1, 0, 100 * time.Millisecond}[n%3]
}

// sweep is one case.
type sweep struct {
	*rig

	rule  faultstore.Rule
	files map[string]string // what programs have made of the bucket
	redo  map[string]func() // by key: what a program does again when told that it was not done
	seen  int               // events
}

// sweepOnce runs the workload under a rule and tells which call, one of package op, it met first; "" = none.
func sweepOnce(t *testing.T, rule faultstore.Rule, crash time.Duration) (fired string) {
	synctest.Test(t, func(t *testing.T) {
		s := &sweep{rule: rule, files: map[string]string{}, redo: map[string]func(){}}
		s.rig = newRig(t, memstore.Config{MinPart: 1}, func(c *uploader.Config) {
			c.PartSize, c.PinBase, c.Requests = sweepPart, sweepBase, 1 // one request at a time: each run of a case is the same
		})
		defer func() { s.stop() }()
		f := faultstore.New(s.mem, rule)
		s.stop()
		s.store = f
		s.open()
		s.prepare()
		_ = s.u.Prove(t.Context(), level)
		s.workload()
		if crash >= 0 {
			time.Sleep(crash)
			s.crash()
		}
		s.drain()
		for range 10 {
			if !s.repeat() {
				break
			}
			s.drain()
		}
		s.judge()
		if calls := f.Fired(); len(calls) > 0 {
			fired = strings.Fields(calls[0])[2] // "call 7: put …"
		}
		if t.Failed() {
			t.Fatalf("%v, crash after %v; fired %v; events %v; requests %v; pending %v", rule, crash, f.Fired(), s.told(), s.mem.Requests(), s.u.Dump())
		}
	})
	if t.Failed() {
		return ""
	}
	return fired
}

// prepare fills the bucket before the programs begin.
func (s *sweep) prepare() {
	for _, name := range []string{
		"gone0", "gone1", "gone2", "alone", "moved", "above", "below", "replaced", "base", "longer", "shorter", "attr", "d/a", "d/b", "d/", "e/",
	} {
		data := "stored " + name
		if strings.HasSuffix(name, "/") {
			data = ""
		}
		s.mem.PutString(key(name), data)
		s.files[key(name)] = data
	}
	for name, size := range map[string]int{"big": 15, "wide": 45} { // what is left alone is fetched, is copied
		data := strings.Repeat("0123456789", size)
		s.mem.PutString(key(name), data)
		s.files[key(name)] = data
	}
}

// workload does each thing once.
func (s *sweep) workload() {
	s.save("small", "small")
	s.save("large", strings.Repeat("large", 40))
	s.save("replaced", "new bytes")
	s.change("base", 7, "X")
	s.change("longer", len("stored longer"), " than before")
	s.change("big", 50, "in the middle")
	s.change("wide", 3*sweepPart+5, "in one of eight parts")
	s.truncate("shorter", 3)
	s.moveFile("moved", "to")
	s.moveFile("above", "below")
	s.moveDir("d", "dd")
	s.try(func() error {
		return s.u.SetHeaders(s.t.Context(), key("attr"), s.stored(key("attr")), memHeaders("1"))
	})
	s.try(func() error { return s.u.Mkdir(s.t.Context(), key("dir"), store.Headers{}) })
	s.files[key("dir/")] = ""
	for _, name := range []string{"gone0", "gone1", "gone2"} {
		s.unlink(name, uploader.RemoveOptions{})
	}
	s.unlink("alone", uploader.RemoveOptions{Wait: true})
	s.unlinkDir("e")
	s.save("renamed.tmp", "renamed")
	time.Sleep(1990 * time.Millisecond) // so that the rename meets the request
	s.moveFile("renamed.tmp", "renamed")
	s.stream("parts.tmp", strings.Repeat("parts", 60))
}

// try does what a program does again until it is not refused.
func (s *sweep) try(do func() error) {
	s.t.Helper()
	var err error
	for range 20 {
		if err = do(); err == nil {
			return
		}
		time.Sleep(time.Minute)
	}
	s.t.Errorf("%v: %v", s.rule, err)
}

// closed closes a file. That a level refuses is told to the program, the bytes are safe all the same.
func (s *sweep) closed(f *uploader.File) error {
	flush, release := f.Flush(s.t.Context()), f.Release(s.t.Context(), true)
	if errors.Is(flush, store.ErrPermission) {
		flush = nil
	}
	return errors.Join(flush, release)
}

func (s *sweep) save(name, data string) {
	s.t.Helper()
	s.files[key(name)] = data
	s.try(func() error {
		f := s.create(key(name))
		s.writeAt(f, data, 0)
		return s.closed(f)
	})
}

// stream writes a file slowly enough for its parts to leave while it is open, but the last one; its name has the rest wait,
// so that a crash after the workload meets an upload that is to be gone on with.
func (s *sweep) stream(name, data string) {
	s.t.Helper()
	s.files[key(name)] = data
	s.try(func() error {
		f := s.create(key(name))
		for off := 0; off < len(data); off += sweepPart {
			s.writeAt(f, data[off:min(off+sweepPart, len(data))], int64(off))
			time.Sleep(time.Millisecond)
		}
		return s.closed(f)
	})
}

// change writes into a stored file; when its base is lost, because the store says so, the program does it again.
func (s *sweep) change(name string, off int, data string) {
	s.t.Helper()
	s.files[key(name)] = patch(s.files[key(name)], data, off)
	do := func() {
		s.try(func() error {
			f := s.edit(key(name))
			s.writeAt(f, data, int64(off))
			return s.closed(f)
		})
	}
	do()
	s.redo["base-lost "+name] = do
}

func (s *sweep) truncate(name string, size int) {
	s.t.Helper()
	s.files[key(name)] = s.files[key(name)][:size]
	do := func() {
		s.try(func() error {
			f := s.edit(key(name))
			check(s.t, f.Truncate(s.t.Context(), int64(size)))
			return s.closed(f)
		})
	}
	do()
	s.redo["base-lost "+name] = do
}

// moveFile renames. One that is told to have failed may have been made all the same.
func (s *sweep) moveFile(from, to string) {
	s.t.Helper()
	s.files[key(to)] = s.files[key(from)]
	delete(s.files, key(from))
	s.try(func() error {
		if !s.exists(from) {
			return nil
		}
		return s.u.Rename(s.t.Context(), key(from), key(to), s.stored(key(from)), s.stored(key(to)), false)
	})
	s.redo["reappeared "+from] = func() { s.again(from) }
}

func (s *sweep) moveDir(from, to string) {
	s.t.Helper()
	moved := map[string]bool{}
	for k, data := range maps.Clone(s.files) {
		if rest, ok := strings.CutPrefix(k, key(from+"/")); ok {
			delete(s.files, k)
			s.files[key(to+"/"+rest)] = data
			name := from + "/" + rest
			moved[k] = true
			s.redo["reappeared "+name] = func() { s.again(name) }
		}
	}
	whole := true
	s.try(func() error {
		if !whole { // some are there already: they go one by one, over what is there
			return s.moveEach(moved, from, to)
		}
		whole = false
		var entries []uploader.DirEntry
		for _, k := range slices.Sorted(maps.Keys(moved)) {
			if o, ok := s.mem.Object(k); ok && s.exists(strings.TrimPrefix(k, level)) {
				entries = append(entries, uploader.DirEntry{Key: k, ETag: o.ETag, Size: int64(len(o.Data))})
			}
		}
		return s.u.RenameDir(s.t.Context(), key(from), key(to), entries)
	})
}

// moveEach renames what is left at the old name.
func (s *sweep) moveEach(moved map[string]bool, from, to string) error {
	for _, k := range slices.Sorted(maps.Keys(moved)) {
		target := key(to + strings.TrimPrefix(k, key(from)))
		if !s.exists(strings.TrimPrefix(k, level)) {
			continue
		}
		if err := s.u.Rename(s.t.Context(), k, target, s.stored(k), s.stored(target), false); err != nil {
			return err
		}
	}
	return nil
}

func (s *sweep) unlink(name string, o uploader.RemoveOptions) {
	s.t.Helper()
	delete(s.files, key(name))
	s.try(func() error {
		if !s.exists(name) {
			return nil
		}
		return s.u.Remove(s.t.Context(), key(name), s.stored(key(name)), o)
	})
	s.redo["reappeared "+name] = func() { s.again(name) }
}

func (s *sweep) unlinkDir(name string) {
	s.t.Helper()
	delete(s.files, key(name+"/"))
	do := func() { s.try(func() error { return s.u.Rmdir(s.t.Context(), key(name), s.stored(key(name+"/"))) }) }
	do()
	s.redo["reappeared "+name+"/"] = do
}

// exists is what the mount shows.
func (s *sweep) exists(name string) bool {
	if i, ok := s.u.Lookup(key(name)); ok {
		return i.Kind != uploader.KindTombstone
	}
	_, ok := s.mem.Object(key(name))
	return ok
}

// again removes a name that came back.
func (s *sweep) again(name string) {
	if dir, ok := strings.CutSuffix(name, "/"); ok {
		s.unlinkDir(dir)
		return
	}
	s.unlink(name, uploader.RemoveOptions{})
}

// repeat does what programs were told to have been refused after they had returned. Nothing else may be refused then: a
// removal by 403 alone, a change of a part of a file where the store denies that its base is there.
func (s *sweep) repeat() (more bool) {
	told := s.told()
	for _, e := range told[s.seen:] {
		do := s.redo[e]
		refused := strings.Contains(s.rule.Fault.String(), "403 ")
		lied := strings.HasPrefix(s.rule.Fault.String(), "412 ") || strings.HasPrefix(s.rule.Fault.String(), "409 ")
		switch {
		case strings.HasPrefix(e, "conflict "), strings.HasPrefix(e, "foreign-gone "):
			s.t.Errorf("%s, of nobody's making", e)
		case strings.HasPrefix(e, "base-lost ") && !lied, strings.HasPrefix(e, "reappeared ") && !refused:
			s.t.Errorf("unexpected event %q", e)
		case do != nil:
			do()
			more = true
		}
	}
	s.seen = len(told)
	return more
}

func (s *sweep) judge() {
	s.wantBucket(s.files)
	if o, _ := s.mem.Object(key("attr")); o.Headers.Metadata["v"] != "1" {
		s.t.Errorf("headers of attr: %v", o.Headers.Metadata)
	}
	if st := s.u.Status(); len(st.Items) > 0 || st.Queued+st.Sending+st.Failed+st.Open+st.Conflicts != 0 || st.Bytes != 0 {
		s.t.Errorf("status of nothing %+v", st)
	}
}
