// Package script holds the command line to its contract: names, exit codes,
// one-line messages, JSON. Each testdata/*.txtar is one script.
package script

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/tests/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

func TestScripts(t *testing.T) { runScripts(t, "testdata") }

// TestScriptsAlone runs those that look at all mounts of the machine: others would show them dead ones.
func TestScriptsAlone(t *testing.T) { runScripts(t, filepath.Join("testdata", "alone")) }

func runScripts(t *testing.T, dir string) {
	t.Helper()
	server := rig.StartServer(t, filepath.Join(t.TempDir(), "data"))
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", filepath.Dir(rig.Bin)+":"+os.Getenv("PATH"))
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("XDG_RUNTIME_DIR", filepath.Join(e.WorkDir, "run"))
			e.Setenv("ENDPOINT", server.Endpoint)
			e.Setenv("BUCKET", rig.Bucket)
			e.Setenv("ID", rig.Identity)
			for _, pair := range server.Env {
				name, value, _ := strings.Cut(pair, "=")
				e.Setenv(name, value)
			}
			e.Defer(func() { detach(e.WorkDir) })
			return os.Mkdir(filepath.Join(e.WorkDir, "run"), 0o700)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"code": code},
	})
}

// code runs a command and wants its exit code and one line on standard error
// at most: code N PROGRAM ARGS…
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N PROGRAM ARGS…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if ee, ok := err.(*exec.ExitError); ok { //nolint:errorlint // as Exec returns it
		got = ee.ExitCode()
	} else {
		ts.Check(err)
	}
	stderr := ts.ReadFile("stderr")
	if got != want {
		ts.Fatalf("exit code %d, want %d: %s", got, want, stderr)
	}
	if want != 0 && strings.Count(stderr, "\n") != 1 {
		ts.Fatalf("want one line on standard error, got %q", stderr)
	}
}

// detach takes away whatever a failed script left mounted.
func detach(dir string) {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return
	}
	for line := range strings.Lines(string(table)) {
		if f := strings.Fields(line); len(f) > 4 && strings.HasPrefix(f[4], dir) {
			_ = unix.Unmount(f[4], unix.MNT_DETACH)
		}
	}
}
