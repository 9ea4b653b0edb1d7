package fs_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/s3levelfs/s3levelfs/fs"
)

// TestCheckMountpoint: what can be said before anything is mounted. What needs
// a mount or another /dev is in tests/mount.
func TestCheckMountpoint(t *testing.T) {
	dir := t.TempDir()
	file, full, empty := filepath.Join(dir, "file"), filepath.Join(dir, "full"), filepath.Join(dir, "empty")
	if err := errors.Join(os.WriteFile(file, nil, 0o600), os.MkdirAll(filepath.Join(full, "x"), 0o700), os.Mkdir(empty, 0o700),
		os.Symlink("empty", filepath.Join(dir, "link"))); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		path string
		want error
		mend string
	}{
		{filepath.Join(dir, "absent"), fs.ErrNoMountpoint, "mkdir -p"},
		{filepath.Join(dir, "absent", "below"), fs.ErrNoMountpoint, "mkdir -p"},
		{file, fs.ErrNotDirectory, "choose"},
		{full, fs.ErrNotEmpty, "choose"},
		{filepath.Join(file, "below"), fs.ErrNoMountpoint, "choose"},
	} {
		_, err := fs.CheckMountpoint(tc.path)
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", tc.path, err, tc.want)
			continue
		}
		if text := err.Error(); !strings.Contains(text, tc.path) || !strings.Contains(text, tc.mend) || strings.Contains(text, "\n") {
			t.Errorf("message %q does not name thing and mend in one line", text)
		}
	}
	for _, path := range []string{empty, filepath.Join(dir, "link"), empty + "/"} {
		if got, err := fs.CheckMountpoint(path); err != nil || got != empty {
			t.Errorf("%s: got %q, %v", path, got, err)
		}
	}
}
