package trigger_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/s3levelfs/s3levelfs/internal/command"
	"github.com/s3levelfs/s3levelfs/internal/trigger"
)

// No secret of the mount's environment reaches a command.
func TestEnvironHasNoSecrets(t *testing.T) {
	got := trigger.Environ([]string{
		"PATH=/bin", "HOME=/h", "AWS_PROFILE=p", "AWS_REGION=r", "AWS_SECRET_ACCESS_KEY=x", "AWS_ACCESS_KEY_ID=x", "AWS_SESSION_TOKEN=x",
		"S3LEVELFS_CLIENT_SECRET=x", "S3LEVELFS_TRACK_TOKEN=x", "HTTPS_PROXY=http://u:x@h", "LD_PRELOAD=x", "MY_TOKEN=x", "S3LEVELFS_MOUNTPOINT=x",
	}, "/mnt/c")
	if want := []string{"PATH=/bin", "HOME=/h", "AWS_PROFILE=p", "AWS_REGION=r", "S3LEVELFS_MOUNTPOINT=/mnt/c"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// A program gets the message and its words as they are; no shell sees the object's name.
func TestProgram(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	run := trigger.Program(trigger.Environ(os.Environ(), "/mnt/c"))
	path := "public/$(touch pwned); x"
	err := run(t.Context(), trigger.Call{
		Args:  []string{"/bin/sh", "-c", `{ cat; echo; pwd; echo "$1 $S3LEVELFS_MOUNTPOINT $S3LEVELFS_PATH"; } >"$2"`, "sh", "$HOME *", out},
		Stdin: []byte(`{"Records":[]}`), Path: path,
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if want := "{\"Records\":[]}\n/\n$HOME * /mnt/c " + path + "\n"; string(text) != want {
		t.Errorf("%q, want %q", text, want)
	}
	err = run(t.Context(), trigger.Call{Args: []string{"/bin/sh", "-c", "echo no disk >&2; exit 4"}})
	if f, ok := err.(*command.Failure); !ok || f.Code != 4 || f.Last != "no disk" { //nolint:errorlint // as Run returns it
		t.Errorf("%v", err)
	}
}

func TestResolve(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "hook"), []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	if got, err := trigger.Resolve("./hook 'a b'"); err != nil || !slices.Equal(got, []string{filepath.Join(dir, "hook"), "a b"}) {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := trigger.Resolve("sh -c x"); err != nil || !filepath.IsAbs(got[0]) || got[2] != "x" {
		t.Errorf("%q, %v", got, err)
	}
	for _, line := range []string{"", "none-such-program x", "./none", "'sh", dir} {
		if got, err := trigger.Resolve(line); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %q, %v", line, got, err)
		}
	}
}
