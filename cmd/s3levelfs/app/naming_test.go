package app

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/store/memstore"
)

// writeFiles makes files that hold their own names.
func writeFiles(t *testing.T, names ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, name := range names {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestPutOfFilesWithOneKey: of two files that --file-to-key or --escape-spaces give the same key the first by name is stored, the second is
// named and not stored, and the command fails.
func TestPutOfFilesWithOneKey(t *testing.T) {
	for _, c := range []struct {
		options []string
		files   []string
		keys    []string
		refused string
	}{
		{[]string{"--escape-spaces"}, []string{"a b", "a_b", "c"}, []string{"public/a_b", "public/c"}, "a_b"},
		{[]string{"--file-to-key", "same.{ext}"}, []string{"1.txt", "2.txt", "3.png"}, []string{"public/same.txt", "public/same.png"}, "2.txt"},
		{[]string{"--file-to-key", "{name}"}, []string{"d/x", "e/x"}, []string{"public/d/x", "public/e/x"}, ""},
	} {
		mem := memstore.New(memstore.Config{})
		run := command(t, mem)
		dir := writeFiles(t, c.files...)
		_, code := run(append(append([]string{"put", "-r"}, c.options...), dir)...)
		if keys := mem.Keys(); !slices.Equal(keys, slices.Sorted(slices.Values(c.keys))) {
			t.Errorf("%q: stored %q, want %q", c.options, keys, c.keys)
		}
		if (code == cmdline.ExitOK) != (c.refused == "") {
			t.Errorf("%q: exit %d", c.options, code)
		}
		if o, ok := mem.Object(c.keys[0]); c.refused != "" && (!ok || string(o.Data) == c.refused) {
			t.Errorf("%q: %q is the second file's", c.options, c.keys[0])
		}
	}
}

// TestFieldsOfTemplates: fields are what the mount makes of names, and a name that begins with a dot has no extension.
func TestFieldsOfTemplates(t *testing.T) {
	for _, c := range []struct{ file, template, key string }{
		{"d/photo.jpg", "{dir}/{stem}-{size}.{ext}", "public/d/photo-11.jpg"},
		{"d/.bashrc", "{stem}|{ext}", "public/.bashrc|"},
		{"d/.a.b", "{stem}|{ext}", "public/.a|b"},
		{"d/no dots", "{stem}|{ext}", "public/no dots|"},
		{"d/bell\x01.txt", "{stem}+{name}", "public/bell‛01+bell‛01.txt"},
		{"e\xff/x", "{dir}", "public/e‛ff"},
		{"d/‛2E‛2E", "a/{name}/b", "public/a/../b"},
	} {
		mem := memstore.New(memstore.Config{})
		run := command(t, mem)
		file := filepath.Join(writeFiles(t, c.file), c.file)
		if out, code := run("put", "--file-to-key", c.template, file); code != cmdline.ExitOK {
			t.Errorf("%q by %q: %s", c.file, c.template, out)
		}
		if keys := mem.Keys(); len(keys) != 1 || keys[0] != c.key {
			t.Errorf("%q by %q: %q, want %q", c.file, c.template, keys, c.key)
		}
	}
}
