// Package examples holds the programs below examples/ to what their READMEs say: each is a module of its own, which needs nothing that only this
// module may import and no module that this one has not, and does its work.
package examples

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/s3levelfs/s3levelfs/tests/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

// tool runs the go command in an example's directory. What is not in the module cache already is not there: nothing is fetched.
func tool(t *testing.T, example string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = filepath.Join("..", "..", "examples", example)
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOPROXY=off", "GOFLAGS=-mod=readonly")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go %s in %s: %v\n%s", strings.Join(args, " "), example, err, out)
	}
	return string(out)
}

// build makes an example's program.
func build(t *testing.T, example string) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), example)
	tool(t, example, "build", "-o", bin, ".")
	return bin
}

func lines(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(text), "\n")
}

// TestExamplesStandAlone: they are modules from elsewhere, need the versions of modules that this one needs, and their own tests pass.
func TestExamplesStandAlone(t *testing.T) {
	ours := lines(t, "../../go.sum")
	for _, example := range []string{"provider", "upload"} {
		if name := strings.TrimSpace(tool(t, example, "list", "-m")); strings.HasPrefix(name, "github.com/s3levelfs/") {
			t.Errorf("%s is module %s, which may import what nobody else may", example, name)
		}
		for _, sum := range lines(t, filepath.Join("..", "..", "examples", example, "go.sum")) {
			if !slices.Contains(ours, sum) {
				t.Errorf("%s needs %s, this module does not", example, sum)
			}
		}
		tool(t, example, "vet", "./...")
		tool(t, example, "test", "-race", "-shuffle=on", "-count=1", "./...")
	}
}
