package main

import (
	"bytes"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store/memstore"
	"github.com/s3levelfs/s3levelfs/store/memstore/memhttp"
)

// TestAreaKeys: keys are prefix and name as they are; what is another level's, or no key, is refused.
func TestAreaKeys(t *testing.T) {
	empty := ""
	id := levels.Identity{ID: "us-east-1:11111111-2222-3333-4444-555555555555", Authenticated: true}
	custom, err := levels.New(id, levels.Options{Prefixes: levels.Prefixes{Public: &empty}})
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("n", 900)
	for _, c := range []struct {
		policy *levels.Policy
		name   string
		want   string // "" = refused
	}{
		{testPolicy(t), "a//b", "public/a//b"},
		{testPolicy(t), "..", "public/.."},
		{testPolicy(t), "../private/x", "public/../private/x"},
		{testPolicy(t), "/a/", "public//a/"},
		{testPolicy(t), long, "public/" + long},
		{testPolicy(t), "", ""},
		{testPolicy(t), strings.Repeat("n", 1018), ""},
		{testPolicy(t), "\xff", ""},
		{custom, "a", "a"},
		{custom, long, long},
		{custom, "private/somebody/a", ""},
		{custom, "private/" + id.ID + "/a", ""},
		{custom, "private/somebody/" + long, ""},
		{custom, "protected/somebody/a", ""},
	} {
		a, err := newArea(c.policy, "public", "")
		if err != nil {
			t.Fatal(err)
		}
		key, err := a.key(c.name)
		if key != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%.40q: %.40q, %v, want %.40q", c.name, key, err, c.want)
		}
	}
}

// command runs the program against a store that has any key.
func command(t *testing.T, mem *memstore.Store) func(args ...string) (string, int) {
	t.Helper()
	server := httptest.NewServer(memhttp.Handler("bucket", mem))
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
		app.Writer = &out
		err := app.RunContext(t.Context(), permute(app, append([]string{"s3levelfs"}, args...)))
		if err != nil {
			return err.Error(), exitCode(err)
		}
		return out.String(), exitOK
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
		if out, code := run("put", file, key); code != exitOK {
			t.Fatalf("put %q: %s", key, out)
		}
		if _, ok := mem.Object("public/" + key); !ok {
			t.Errorf("%q is not what was stored: %q", key, mem.Keys())
		}
		if out, code := run("cat", key); code != exitOK || out != "x" {
			t.Errorf("cat %q: %q", key, out)
		}
		if out, code := run("ls", key); code != exitOK || !strings.Contains(out, key) {
			t.Errorf("ls %q: %q", key, out)
		}
	}
	dir := filepath.Join(t.TempDir(), "below", "dir")
	if out, code := run("get", "-r", "--parallel", "1", "", dir); code != exitOK {
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
		if out, code := run("rm", key); code != exitOK {
			t.Errorf("rm %q: %s", key, out)
		}
	}
	if left := mem.Keys(); len(left) != 0 {
		t.Errorf("left: %q", left)
	}
}

// TestGlobs: the patterns of --include and --exclude.
func TestGlobs(t *testing.T) {
	for _, c := range []struct {
		glob, name string
		want       bool
	}{
		{"*.jpg", "a/b.jpg", true},
		{"*.jpg", "a/b.png", false},
		{"a/*.jpg", "a/b.jpg", true},
		{"a/*.jpg", "a/b/c.jpg", false},
		{"a/**", "a/b/c.jpg", true},
		{"**/c.jpg", "c.jpg", true},
		{"**/c.jpg", "a/b/c.jpg", true},
		{"[a-c]?", "b1", true},
		{"[^a]", "b", true},
		{`\*`, "*", true},
		{`\*`, "x", false},
		{"a.b", "axb", false},
	} {
		g, err := parseGlob(c.glob)
		if err != nil || g.match(c.name) != c.want {
			t.Errorf("%q on %q: not %v, %v", c.glob, c.name, c.want, err)
		}
	}
	for _, bad := range []string{"", "[", "[a", "a\\"} {
		if _, err := parseGlob(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
