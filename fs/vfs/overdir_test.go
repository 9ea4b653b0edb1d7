package vfs_test

import (
	"syscall"
	"testing"

	"github.com/s3levelfs/s3levelfs/store/op"
)

// TestFileInPlaceOfADirectory: a directory was removed, a file has got its name, and the store knows neither: it is
// one file, for lookup and readdir, before and after a crash, until the store knows and then.
func TestFileInPlaceOfADirectory(t *testing.T) {
	for name, closed := range map[string]bool{"file is being written": false, "file is stored": true} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t, envConfig{})
			defer e.close(t)
			_, err := e.fs.Mkdir(t.Context(), "public/a", 0o755)
			must(t, err)
			e.drain(t)
			e.mem.SetBusy(func(kind, key string) bool {
				return kind == op.Delete || kind == op.DeleteMany || !closed && kind == op.Put && key == "public/a"
			})
			must(t, e.fs.Rmdir(t.Context(), "public/a"))
			writeFile(t, e.fs, "public/a", []byte("x"))
			wantOneFile(t, e)
			e.stop(t, true)
			e.start(t)
			wantOneFile(t, e)
			e.mem.SetBusy(nil)
			e.up.RetryKeys()
			e.drain(t)
			wantOneFile(t, e)
		})
	}
}

func wantOneFile(t *testing.T, e *env) {
	t.Helper()
	entries, err := e.fs.ReadDir(t.Context(), "public")
	must(t, err)
	if len(entries) != 1 || entries[0].Name != "a" || entries[0].Attr.Mode&syscall.S_IFMT != syscall.S_IFREG {
		t.Errorf("readdir: %+v", entries)
	}
	if a := mustLookup(t, e, "public/a"); a.Mode&syscall.S_IFMT != syscall.S_IFREG {
		t.Errorf("lookup: mode %o", a.Mode)
	}
	wantFile(t, e, "public/a", "x")
}
