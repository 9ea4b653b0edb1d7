package faults

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/tests/history"
)

// TestHistoryOfMounts accounts for the writes of programs in two mounts, whose connections break, and of a direct writer. It
// lasts as long as S3LEVELFS_HISTORY says; else a moment.
func TestHistoryOfMounts(t *testing.T) {
	d := 3 * time.Second
	if text := os.Getenv("S3LEVELFS_HISTORY"); text != "" {
		var err error
		if d, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	h := history.New()
	a := newWorld(t, "--metadata-ttl", "1s", "--pin-base", "5MiB")
	b := &world{a.Beside(t, "--metadata-ttl", "1s", "--pin-base", "5MiB")}
	b.Remount(t)
	for key, size := range largeKeys() {
		if err := replaceKey(t, a.Foreign, h, key, size); err != nil {
			t.Fatal(err)
		}
	}
	end := time.Now().Add(d)
	var wg sync.WaitGroup
	for i, w := range []*world{a, b} {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, uint64(i)))
			for n := 0; time.Now().Before(end); n++ {
				w.Proxy.SetDown(n%20 >= 17)
				if w.write(h, string(rune('A'+i)), rnd); n%40 == 1 {
					w.Proxy.SetDown(false)
					w.strand(h, string(rune('A'+i)), rnd)
				}
				<-time.After(time.Duration(rnd.IntN(200)) * time.Millisecond) // other processes act meanwhile
			}
		})
	}
	wg.Go(func() {
		rnd := rand.New(rand.NewPCG(seed, 9))
		for time.Now().Before(end) {
			<-time.After(time.Duration(rnd.IntN(800)) * time.Millisecond)
			if err := replace(t, a.Foreign, h, rnd); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	lost := map[string]int{} // base-lost, by key
	for _, w := range []*world{a, b} {
		w.Proxy.SetDown(false)
		within(t, 10*time.Minute, "all is in the bucket", func() bool {
			_, _, code := w.Run(t, "sync", w.Dir)
			return code == 0
		})
		for _, k := range w.baseLost(t) {
			lost[k]++
		}
		w.Unmount(t)
	}
	kept := maps.Clone(lost)
	counts, wrong := h.Judge(objects(t, a.Foreign), func(w history.Write) bool {
		lost[w.Key]--
		return lost[w.Key] >= 0
	})
	t.Logf("%d writes: %+v; base-lost %v", len(h.Dump()), counts, kept)
	if d >= time.Minute && (counts.Stored == 0 || counts.Superseded == 0 || counts.Overwritten == 0 || counts.BaseLost == 0) {
		t.Errorf("a class of outcomes is empty: %+v", counts)
	}
	if len(wrong) > 0 {
		t.Errorf("%s\nwrites\n%s", strings.Join(wrong, "\n"), strings.Join(h.Dump(), "\n"))
	}
}

// anyKey is one of the few files that all write.
func anyKey(rnd *rand.Rand) string { return fmt.Sprint("public/history", rnd.IntN(4)) }

// write is a program that reads a file, then replaces it or appends to it through the same descriptor.
func (w *world) write(h *history.History, name string, rnd *rand.Rand) {
	r := history.Write{Writer: name, Key: anyKey(rnd)}
	f, err := os.OpenFile(filepath.Join(w.Dir, r.Key), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return
	}
	old, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<20))
	r.Base = string(old)
	tag, off := h.Tag(name), 0
	r.Bytes = tag
	if err == nil && rnd.IntN(2) == 0 && len(old) < 1000 {
		off, r.Bytes = len(old), r.Base+tag
	} else if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteAt([]byte(tag), int64(off))
	}
	closed := f.Close()
	r.Acked = err == nil && closed == nil
	h.Wrote(r)
}

// replace is the direct writer, of any file.
func replace(t *testing.T, s store.Store, h *history.History, rnd *rand.Rand) error {
	t.Helper()
	switch rnd.IntN(12) {
	case 0, 1:
		return replaceKey(t, s, h, "public/history-fetched", fetched)
	case 2:
		return replaceKey(t, s, h, "public/history-copied", copied)
	}
	return replaceKey(t, s, h, anyKey(rnd), 0)
}

// replaceKey replaces a file, by a large one if it is given a size. The PUT is conditional only so that he knows what he
// replaces.
func replaceKey(t *testing.T, s store.Store, h *history.History, key string, size int) error {
	t.Helper()
	tag := h.Tag("raw")
	data := body(tag, size)
	for range 20 {
		was, cond := "", store.Cond{IfNoneMatch: true}
		body, o, err := s.Get(t.Context(), key, store.All, store.Cond{})
		if err == nil {
			p, rerr := io.ReadAll(body)
			_ = body.Close()
			if rerr != nil {
				return rerr
			}
			was, cond = textOf(p), store.Cond{IfMatch: o.ETag}
		} else if !errors.Is(err, store.ErrNotExist) {
			return err
		}
		_, err = s.Put(t.Context(), key, io.NewSectionReader(bytes.NewReader(data), 0, int64(len(data))), store.Headers{}, cond)
		if err == nil {
			h.Replaced(was, tag)
			return nil
		}
		if !errors.Is(err, store.ErrChanged) && !errors.Is(err, store.ErrExist) {
			return err
		}
	}
	return nil // somebody was faster each time
}

// baseLost lists the keys of what a mount has as base-lost.
func (w *world) baseLost(t *testing.T) (keys []string) {
	t.Helper()
	out, stderr, code := w.Run(t, "status", "--json", w.Dir)
	var all []struct {
		Uploads struct {
			Kept []struct {
				Key    string
				Reason string
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &all); err != nil || code != 0 || len(all) != 1 {
		t.Fatalf("status: exit %d, %v: %s%s", code, err, out, stderr)
	}
	for _, q := range all[0].Uploads.Kept {
		if q.Reason == "base-lost" {
			keys = append(keys, q.Key)
		}
	}
	return keys
}

// objects are those of the level that all write.
func objects(t *testing.T, s store.Store) map[string]string {
	t.Helper()
	all := map[string]string{}
	for page, err := range s.List(t.Context(), "public/history", store.ListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Objects {
			body, _, err := s.Get(t.Context(), o.Key, store.All, store.Cond{})
			if err != nil {
				t.Fatal(err)
			}
			p, err := io.ReadAll(body)
			_ = body.Close()
			if err != nil {
				t.Fatal(err)
			}
			all[o.Key] = textOf(p)
		}
	}
	return all
}
