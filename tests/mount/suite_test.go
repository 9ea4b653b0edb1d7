package mount_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/s3levelfs/s3levelfs/tests/mount"
)

// onMount runs work in a fresh directory of the level that the signed-in owner
// has all rights in.
func onMount(t *testing.T, work func(t *testing.T, m *mount.Mount, dir string)) {
	t.Helper()
	mount.Run(t, mount.Options{Daemon: daemonName}, func(t *testing.T, m *mount.Mount) {
		dir := m.Path("private", "suite")
		must(t, os.MkdirAll(dir, 0o755))
		work(t, m, dir)
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantErr asserts an errno.
func wantErr(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: got %v, want %v", what, err, want)
	}
}

// write makes a file.
func write(t *testing.T, path string, content []byte) {
	t.Helper()
	must(t, os.WriteFile(path, content, 0o644))
}

// wantContent asserts what a fresh open reads.
func wantContent(t *testing.T, path string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Equal(got, want) {
		if len(got)+len(want) > 200 {
			t.Errorf("%s: %d bytes %x, want %d bytes %x", filepath.Base(path),
				len(got), sha256.Sum256(got), len(want), sha256.Sum256(want))
			return
		}
		t.Errorf("%s: got %q, want %q", filepath.Base(path), got, want)
	}
}

// pattern is n bytes that differ by seed and position.
func pattern(n int, seed byte) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i*7/3) ^ byte(i>>9) ^ seed
	}
	return p
}

// names lists a directory.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	list := make([]string, len(entries))
	for i, e := range entries {
		list[i] = e.Name()
	}
	return list
}
