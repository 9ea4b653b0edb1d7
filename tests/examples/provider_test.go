package examples

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/s3levelfs/s3levelfs/tests/rig"
)

// TestProviderExample: a program with a provider of its own mounts it, and what is written there are plain files.
func TestProviderExample(t *testing.T) {
	program := rig.Bin
	rig.Bin = build(t, "provider")
	defer func() { rig.Bin = program }()

	root := filepath.Join(t.TempDir(), "root")
	config := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(config, fmt.Appendf(nil, "[provider.files]\nroot = %q\n", root), 0o600); err != nil {
		t.Fatal(err)
	}
	options := []string{"--config", config, "--provider", "files", "--identity-id", rig.Identity}
	top := t.TempDir()
	m := rig.MountAt(t, top, nil, options...)
	mine, data := filepath.Join(m.Dir, "private"), filepath.Join(root, "data", "private", rig.Identity)
	large := strings.Repeat("0123456789abcdef", 1<<20) // 16 MiB: two parts, if there were parts
	for name, text := range map[string]string{"a.txt": "hello", "large.bin": large} {
		if err := os.WriteFile(filepath.Join(mine, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want(t, filepath.Join(mine, "a.txt"), "hello")
	if _, stderr, code := m.Run(t, "sync"); code != 0 {
		t.Fatalf("sync: %s", stderr)
	}
	want(t, filepath.Join(data, "large.bin"), large)
	for _, step := range []error{
		os.Mkdir(filepath.Join(mine, "dir"), 0o755),
		os.Rename(filepath.Join(mine, "a.txt"), filepath.Join(mine, "dir", "b.txt")),
		os.Rename(filepath.Join(mine, "large.bin"), filepath.Join(mine, "dir", "large.bin")),
		os.Chmod(filepath.Join(mine, "dir", "b.txt"), 0o600),
		appendTo(filepath.Join(mine, "dir", "large.bin"), "more"),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	if out, stderr, code := m.Run(t, "status"); code != 0 {
		t.Errorf("status: %s%s", out, stderr)
	}
	m.Unmount(t)
	want(t, filepath.Join(data, "dir", "b.txt"), "hello")
	want(t, filepath.Join(data, "dir", "large.bin"), large+"more")
	for _, gone := range []string{filepath.Join(data, "a.txt"), filepath.Join(data, "large.bin")} {
		if _, err := os.Stat(gone); !os.IsNotExist(err) {
			t.Errorf("%s: %v", gone, err)
		}
	}

	// What another program has put there is in the next mount, and commands work on it, too.
	if err := os.WriteFile(filepath.Join(data, "foreign.txt"), []byte("from elsewhere"), 0o644); err != nil {
		t.Fatal(err)
	}
	m = rig.MountAt(t, top, nil, options...)
	want(t, filepath.Join(mine, "foreign.txt"), "from elsewhere")
	if info, err := os.Stat(filepath.Join(mine, "dir", "b.txt")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info, err)
	}
	out, stderr, code := m.Run(t, append([]string{"cat", "--level", "private", "dir/b.txt"}, options...)...)
	if code != 0 || out != "hello" {
		t.Errorf("cat: %q, %s", out, stderr)
	}
	if out, _, _ := m.Run(t, "providers"); !strings.Contains(out, "\nfiles ") || !strings.Contains(out, "\nAWSS3 ") {
		t.Errorf("providers: %s", out)
	}
	m.Unmount(t)
}

func appendTo(name, text string) error {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(text); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}

func want(t *testing.T, name, text string) {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil || string(data) != text {
		t.Errorf("%s: %d bytes, %v, want %d", name, len(data), err, len(text))
	}
}
