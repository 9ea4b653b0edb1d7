package app

import (
	"bytes"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/memstore/memhttp"
)

// command runs the program against a store that has any key.
func command(t *testing.T, mem *memstore.Store) func(args ...string) (string, int) {
	t.Helper()
	return commandTo(t, mem, os.Stderr)
}

// commandTo is command with another standard error.
func commandTo(t *testing.T, mem *memstore.Store, stderr io.Writer) func(args ...string) (string, int) {
	t.Helper()
	return commandAt(t, httptest.NewServer(memhttp.Handler("bucket", mem)), stderr)
}

// commandAt is command at a server.
func commandAt(t *testing.T, server *httptest.Server, stderr io.Writer) func(args ...string) (string, int) {
	t.Helper()
	t.Cleanup(server.Close)
	for name, value := range map[string]string{
		"HOME": t.TempDir(), "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1",
		"S3LEVELFS_ENDPOINT": server.URL, "S3LEVELFS_BUCKET": "bucket", "S3LEVELFS_PATH_STYLE": "true",
		"S3LEVELFS_IDENTITY_ID": "us-east-1:11111111-2222-3333-4444-555555555555",
	} {
		t.Setenv(name, value)
	}
	return func(args ...string) (string, int) {
		var out bytes.Buffer
		app := newApp()
		app.Writer, app.ErrWriter = &out, stderr
		err := app.RunContext(t.Context(), cmdline.Permute(app, append([]string{"s3levelfs"}, args...)))
		if err != nil {
			return err.Error(), cmdline.ExitCode(err)
		}
		return out.String(), cmdline.ExitOK
	}
}

// TestTreeOfHostileKeys: keys that are no paths are put, listed, got as the mount names them, and removed; nothing leaves the directory.
func TestTreeOfHostileKeys(t *testing.T) {
	mem := memstore.New(memstore.Config{})
	run := command(t, mem)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{ // by key
		"a//b": "a/‛2F/b", "../../up": "‛2E‛2E/‛2E‛2E/up", "dir/..": "dir/‛2E‛2E", "pair": "pair‛", "pair/below": "pair/below",
		"slash/": "slash/‛2F", "pair-between": "pair-between", " +%20é": " +%20é",
	}
	for key := range files {
		if out, code := run("put", file, key); code != cmdline.ExitOK {
			t.Fatalf("put %q: %s", key, out)
		}
		if _, ok := mem.Object("public/" + key); !ok {
			t.Errorf("%q is not what was stored: %q", key, mem.Keys())
		}
		if out, code := run("cat", key); code != cmdline.ExitOK || out != "x" {
			t.Errorf("cat %q: %q", key, out)
		}
		if out, code := run("ls", key); code != cmdline.ExitOK || !strings.Contains(out, key) {
			t.Errorf("ls %q: %q", key, out)
		}
	}
	dir := filepath.Join(t.TempDir(), "below", "dir")
	if out, code := run("get", "-r", "--parallel", "1", "", dir); code != cmdline.ExitOK {
		t.Fatalf("get -r: %s", out)
	}
	got := map[string]bool{}
	err := filepath.WalkDir(filepath.Dir(filepath.Dir(dir)), func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			got[strings.TrimPrefix(path, dir+"/")] = true
		}
		return err
	})
	if err != nil || len(got) != len(files) {
		t.Errorf("%v, %v", got, err)
	}
	for key, name := range files {
		if !got[name] {
			t.Errorf("%q did not become %q: %v", key, name, got)
		}
		if out, code := run("rm", key); code != cmdline.ExitOK {
			t.Errorf("rm %q: %s", key, out)
		}
	}
	if left := mem.Keys(); len(left) != 0 {
		t.Errorf("left: %q", left)
	}
}
