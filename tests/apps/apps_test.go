// Package apps runs real programs in a real mount: what people do all day must
// work, and must still be there after a fresh mount with an empty cache.
package apps

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var bin string // the program under test

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "apps")
		if err != nil {
			panic(err)
		}
		defer func() { _ = os.RemoveAll(dir) }()
		bin = filepath.Join(dir, "s3levelfs")
		out, err := exec.Command("go", "build", "-o", bin, "../../cmd/s3levelfs").CombinedOutput()
		if err != nil {
			panic("build: " + string(out))
		}
		return m.Run()
	}())
}

func TestPrograms(t *testing.T) {
	scenarios := []string{
		"tree", "git", "tar", "rsync", "sqlite", "editors", "dd", "descriptors", "build", "restic", "persistence", "names",
	}
	for _, mode := range []string{"local", "endpoint"} {
		for _, s := range scenarios {
			t.Run(mode+"/"+s, func(t *testing.T) {
				top := t.TempDir()
				// unshare makes the namespace private, so that a mount can not outlive the scenario.
				cmd := exec.CommandContext(t.Context(), "unshare", "--mount", "--propagation", "private",
					"timeout", "--kill-after=5", "600", "bash", "testdata/scenarios.sh", s)
				cmd.Env = append(os.Environ(), "BIN="+bin, "TOP="+top, "MODE="+mode)
				out, err := cmd.CombinedOutput()
				if err != nil || !strings.Contains(string(out), "ok "+s) {
					t.Fatalf("%v\n%s", err, out)
				}
			})
		}
	}
}
