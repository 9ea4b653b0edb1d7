package examples

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/s3levelfs/s3levelfs/tests/rig"
)

// TestUploadExample: a program without FUSE puts, lists and gets by the paths of the levels, and is refused where the identity may not.
func TestUploadExample(t *testing.T) {
	bin := build(t, "upload")
	dir := t.TempDir()
	server := rig.StartServer(t, filepath.Join(dir, "data"))
	run := func(args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), bin, append([]string{"-spool", filepath.Join(dir, "spool"), "-identity-id", rig.Identity}, args...)...)
		cmd.Env = append(append(os.Environ(), server.Env...), "S3_ENDPOINT="+server.Endpoint, "S3_BUCKET="+rig.Bucket, "AWS_REGION=us-east-1", "HOME="+dir)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	file, back := filepath.Join(dir, "file"), filepath.Join(dir, "back")
	for path, text := range map[string]string{
		"public/a b.txt": "hello", "private/notes.txt": "mine", "protected/me/large.bin": strings.Repeat("0123456789abcdef", 1<<20),
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := run("put", file, path); err != nil {
			t.Fatalf("put %s: %v: %s", path, err, out)
		}
		if out, err := run("get", path, back); err != nil {
			t.Errorf("get %s: %v: %s", path, err, out)
		}
		want(t, back, text)
	}
	if out, err := run("ls", "private"); err != nil || out != "           4  private/notes.txt\n" {
		t.Errorf("ls: %q, %v", out, err)
	}
	want(t, filepath.Join(dir, "data", rig.Bucket, "private", rig.Identity, "notes.txt"), "mine")
	if out, err := run("put", file, "protected/somebody-else/x"); err == nil || !strings.Contains(out, "permission") {
		t.Errorf("into another's directory: %q, %v", out, err)
	}
	if out, err := run("put", dir, "public/dir"); err == nil {
		t.Errorf("a directory was put: %s", out)
	}
	if out, err := run("ls", "public"); err != nil || strings.Contains(out, "public/dir") {
		t.Errorf("what could not be read was stored: %s, %v", out, err)
	}
}
