package spool_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fatal is what *testing.T, *testing.B, *testing.F and *rapid.T have in common.
type fatal interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// fastDir is a directory in memory where there is one: most tests sync a lot.
func fastDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "spool-test-") //nolint:usetesting // t.TempDir is on a disk
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// config is one without background syncs, so that tests decide.
func config(dir string) spool.Config {
	return spool.Config{Dir: dir, Owner: "owner", BootID: "boot-1", GroupSync: -1}
}

func open(t fatal, c spool.Config) (*spool.Spool, *spool.Recovery) {
	t.Helper()
	s, rec, err := spool.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	return s, rec
}

func check(t fatal, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func write(t fatal, c *spool.Content, p []byte, off int64) {
	t.Helper()
	if n, err := c.WriteAt(p, off); err != nil || n != len(p) {
		t.Fatalf("write %d at %d: %d, %v", len(p), off, n, err)
	}
}

// read reads the whole content and one byte more.
func read(t fatal, c *spool.Content, base spool.BaseFunc) []byte {
	t.Helper()
	p := make([]byte, c.Size()+1)
	n, err := c.ReadAt(p, 0, base)
	if !errors.Is(err, io.EOF) || int64(n) != c.Size() {
		t.Fatalf("read %s: %d of %d, %v", c.Gen(), n, c.Size(), err)
	}
	return p[:n]
}

func same(t fatal, what string, got, want []byte) {
	t.Helper()
	if bytes.Equal(got, want) {
		return
	}
	if len(got) != len(want) {
		t.Fatalf("%s: %d bytes, want %d", what, len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("%s: byte %d of %d is %#x, want %#x", what, i, len(got), got[i], want[i])
		}
	}
}

// basePattern is the content of the object that deltas build on.
func basePattern(off int64) byte { return byte(off*7+off/251) | 1 }

func baseBytes(off, n int64) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = basePattern(off + int64(i))
	}
	return p
}

func readBase(p []byte, off int64) error {
	copy(p, baseBytes(off, int64(len(p))))
	return nil
}

// pattern is data that differs by seed and position and has no zeros.
func pattern(seed byte, n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i*13+i/255)*2 + seed | 1
	}
	return p
}

// create logs a CREATE and makes the content.
func create(t fatal, s *spool.Spool, gen string) *spool.Content {
	t.Helper()
	check(t, s.Append(&spool.Record{Type: spool.TypeCreate, Gen: gen, Key: "key-" + gen}))
	return s.NewContent(gen, 0)
}

func seal(t fatal, s *spool.Spool, c *spool.Content) {
	t.Helper()
	ext := c.Seal()
	check(t, s.Append(&spool.Record{Type: spool.TypeSeal, Gen: c.Gen(), Key: "key-" + c.Gen(), Size: c.Size(), Extents: ext}))
}

func stored(t fatal, s *spool.Spool, gen string, data []byte) *spool.Content {
	t.Helper()
	c := create(t, s, gen)
	write(t, c, data, 0)
	seal(t, s, c)
	return c
}

// lastSeal finds what the log says of a generation.
func lastSeal(t fatal, rec *spool.Recovery, gen string) *spool.Record {
	t.Helper()
	var found *spool.Record
	for i := range rec.Records {
		if r := &rec.Records[i]; r.Gen == gen && r.Type == spool.TypeSeal {
			found = r
		}
	}
	if found == nil {
		t.Fatalf("no SEAL of %s", gen)
	}
	return found
}

func adopt(t fatal, s *spool.Spool, rec *spool.Recovery, gen string) *spool.Content {
	t.Helper()
	r := lastSeal(t, rec, gen)
	c, err := s.Adopt(gen, r.Size, r.Extents)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// snapshot copies a spool's directory, as a kill -9 leaves it.
func snapshot(t fatal, from, to string) {
	t.Helper()
	check(t, os.RemoveAll(to), os.CopyFS(to, os.DirFS(from)))
}

func storageFiles(t fatal, dir string) (files []string) {
	t.Helper()
	for _, sub := range []string{"seg", "data"} {
		entries, err := os.ReadDir(filepath.Join(dir, sub))
		check(t, err)
		for _, e := range entries {
			files = append(files, filepath.Join(dir, sub, e.Name()))
		}
	}
	return files
}
