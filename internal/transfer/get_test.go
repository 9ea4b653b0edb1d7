package transfer_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/s3levelfs/s3levelfs/cache"
	"github.com/s3levelfs/s3levelfs/internal/transfer"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/store/faultstore"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/op"
)

func root(t *testing.T) *os.Root {
	t.Helper()
	r, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// only wants one file in the directory, with these bytes.
func only(t *testing.T, r *os.Root, name string, data []byte) {
	t.Helper()
	got, err := r.ReadFile(name)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("%s: %d bytes, want %d, %v", name, len(got), len(data), err)
	}
	if all, _ := os.ReadDir(r.Name()); len(all) != 1 {
		t.Errorf("in the directory: %v", all)
	}
}

// TestGetSizes: objects of all sizes around a piece's come whole, to a file and to a stream, with bodies that break off.
func TestGetSizes(t *testing.T) {
	for _, n := range []int{0, 1, partSize, partSize + 1, 9*partSize + 3} {
		mem, data := small(), noise(n)
		mem.PutString("a//b", string(data))
		f := faultstore.New(mem, faultstore.Rule{Op: op.Get, Nth: 1, Count: 2, Fault: faultstore.Cut(100)})
		c, r := client(f, ""), root(t)
		if _, err := c.GetFile(t.Context(), "a//b", r, "b"); err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		only(t, r, "b", data)
		var out bytes.Buffer
		if _, err := c.Get(t.Context(), "a//b", &out, transfer.GetOptions{}); err != nil || !bytes.Equal(out.Bytes(), data) {
			t.Errorf("%d bytes as a stream: %d, %v", n, out.Len(), err)
		}
	}
}

// TestGetRange: as HTTP has ranges; one that begins behind the end is refused.
func TestGetRange(t *testing.T) {
	mem := small()
	mem.PutString("k", "0123456789")
	c := client(mem, "")
	for want, o := range map[string]transfer.GetOptions{
		"345":        {Range: &store.Range{Off: 3, Len: 3}},
		"89":         {Range: &store.Range{Off: 8, Len: 100}},
		"56789":      {Range: &store.Range{Off: 5, Len: -1}},
		"789":        {Suffix: 3},
		"0123456789": {Suffix: 30},
	} {
		var out bytes.Buffer
		if _, err := c.Get(t.Context(), "k", &out, o); err != nil || out.String() != want {
			t.Errorf("%+v: %q, %v, want %q", o, out.String(), err, want)
		}
	}
	if _, err := c.Get(t.Context(), "k", &bytes.Buffer{}, transfer.GetOptions{Range: &store.Range{Off: 10, Len: 1}}); err == nil || !strings.Contains(err.Error(), "10 bytes") {
		t.Errorf("behind the end: %v", err)
	}
}

// TestGetResume: what has arrived is not got again, and the file has its name only when it is whole.
func TestGetResume(t *testing.T) {
	const pieces = 12
	mem, data, r := small(), noise(pieces*partSize), root(t)
	mem.PutString("k", string(data))
	ctx, cancel := context.WithCancel(t.Context())
	f := faultstore.New(mem, faultstore.Rule{Op: op.Get, Nth: 10, Fault: faultstore.Do("interrupt", cancel)})
	if _, err := client(f, "").GetFile(ctx, "k", r, "file"); !errors.Is(err, context.Canceled) {
		t.Fatalf("interrupted: %v", err)
	}
	if _, err := r.Stat("file"); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("half a file: %v", err)
	}
	mem.ResetCounts()
	if _, err := client(mem, "").GetFile(t.Context(), "k", r, "file"); err != nil {
		t.Fatal(err)
	}
	only(t, r, "file", data)
	if n := mem.Counts()[op.Get]; n > pieces-5 {
		t.Errorf("%d of %d pieces got again", n, pieces)
	}
}

// TestGetOfAnotherVersion: what has arrived of a version that is gone is not used, and does not stay.
func TestGetOfAnotherVersion(t *testing.T) {
	mem, r := small(), root(t)
	mem.PutString("k", string(noise(12*partSize)))
	ctx, cancel := context.WithCancel(t.Context())
	f := faultstore.New(mem, faultstore.Rule{Op: op.Get, Nth: 8, Fault: faultstore.Do("interrupt", cancel)})
	if _, err := client(f, "").GetFile(ctx, "k", r, "file"); err == nil {
		t.Fatal("not interrupted")
	}
	second := bytes.Repeat([]byte("second "), 2000)
	mem.PutString("k", string(second))
	if _, err := client(mem, "").GetFile(t.Context(), "k", r, "file"); err != nil {
		t.Fatal(err)
	}
	only(t, r, "file", second)
}

// TestGetWhileItChanges: two versions are never mixed.
func TestGetWhileItChanges(t *testing.T) {
	mem, r := small(), root(t)
	mem.PutString("k", string(noise(12*partSize)))
	f := faultstore.New(mem, faultstore.Rule{Op: op.Get, Nth: 4, Fault: faultstore.Do("act", func() { mem.PutString("k", "other") })})
	if _, err := client(f, "").GetFile(t.Context(), "k", r, "file"); !errors.Is(err, transfer.ErrChanged) {
		t.Errorf("%v", err)
	}
	if all, _ := os.ReadDir(r.Name()); len(all) != 0 {
		t.Errorf("left: %v", all)
	}
}

// TestGetVerifies: flipped bits get no name.
func TestGetVerifies(t *testing.T) {
	mem, r := small(), root(t)
	mem.PutString("k", string(noise(5*partSize)))
	mem.Corrupt("k", 3*partSize)
	if _, err := client(mem, "").GetFile(t.Context(), "k", r, "file"); !errors.Is(err, cache.ErrCorrupt) {
		t.Errorf("%v", err)
	}
	if all, _ := os.ReadDir(r.Name()); len(all) != 0 {
		t.Errorf("left: %v", all)
	}
}

// TestGetStaysBelow: a symbolic link does not lead out of the directory.
func TestGetStaysBelow(t *testing.T) {
	mem, r, outside := small(), root(t), t.TempDir()
	mem.PutString("k", "x")
	if err := os.Symlink(outside, filepath.Join(r.Name(), "link")); err != nil {
		t.Fatal(err)
	}
	if _, err := client(mem, "").GetFile(t.Context(), "k", r, "link/file"); err == nil {
		t.Error("the link was followed")
	}
	if all, _ := os.ReadDir(outside); len(all) != 0 {
		t.Errorf("outside: %v", all)
	}
}

// TestRemove: all keys go, in as few requests as the store has; the failed ones are named.
func TestRemove(t *testing.T) {
	mem := memstore.New(memstore.Config{Allow: func(what, key string) error {
		if what == op.DeleteMany && key == "k7" {
			return errors.New("not this one")
		}
		return nil
	}})
	keys := []string{"absent"}
	for _, k := range []string{"k1", "k7", "a//b", "..", "d/"} {
		mem.PutString(k, "x")
		keys = append(keys, k)
	}
	var gone []string
	failed, err := client(mem, "").Remove(t.Context(), keys, func(k []string) { gone = append(gone, k...) })
	if err != nil || len(failed) != 1 || failed[0].Key != "k7" || len(gone) != 5 || len(mem.Keys()) != 1 {
		t.Errorf("failed %v, %v; gone %q; left %q", failed, err, gone, mem.Keys())
	}
	if n := mem.Counts()[op.DeleteMany]; n != 1 {
		t.Errorf("%d requests", n)
	}
}
