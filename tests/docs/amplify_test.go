package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestAmplifyDocument: docs/AMPLIFY.md is what its table makes, and each of its rows names tests, all of which exist.
func TestAmplifyDocument(t *testing.T) {
	got, err := os.ReadFile("../../docs/AMPLIFY.md")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "run", "./tests/docs/amplify")
	cmd.Dir = "../.."
	if want, err := cmd.Output(); err != nil || string(got) != string(want) {
		t.Errorf("docs/AMPLIFY.md is out of date: `make docs` writes it (%v)", err)
	}
	known := testNames(t)
	scripts, err := filepath.Glob("../script/testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range scripts {
		known[filepath.Base(s)] = true
	}
	name := regexp.MustCompile("`(Test\\w+|\\w+\\.txtar)`")
	rows, features := 0, map[string]bool{}
	for line := range strings.SplitSeq(string(got), "\n") {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| in Amplify") {
			continue
		}
		rows++
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		named := name.FindAllStringSubmatch(cells[len(cells)-1], -1)
		if len(cells) != 3 || len(named) == 0 {
			t.Errorf("a row without a test, or not of three cells: %s", line)
		}
		if strings.Contains(line, "|  |") || features[cells[0]] {
			t.Errorf("a cell is empty, or the row is there twice: %s", line)
		}
		features[cells[0]] = true
		for _, n := range named {
			if !known[n[1]] {
				t.Errorf("%s does not exist: %s", n[1], line)
			}
		}
	}
	if strings.Contains(strings.ToLower(string(got)), "planned") || rows < 40 {
		t.Errorf("%d rows", rows)
	}
	t.Logf("%d rows", rows)
}

// TestStorageScriptsAreInTheTable: a script of the storage guide that no row names shows nothing to anybody.
func TestStorageScriptsAreInTheTable(t *testing.T) {
	text, err := os.ReadFile("../../docs/AMPLIFY.md")
	if err != nil {
		t.Fatal(err)
	}
	scripts, err := filepath.Glob("../script/testdata/storage_*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range scripts {
		if !strings.Contains(string(text), "`"+filepath.Base(s)+"`") {
			t.Errorf("docs/AMPLIFY.md does not name %s", filepath.Base(s))
		}
	}
}

// TestPackagesWithoutFUSE: what other programs may import brings neither FUSE nor the command line along.
func TestPackagesWithoutFUSE(t *testing.T) {
	cmd := exec.Command("go", "list", "-deps", "./levels", "./store", "./store/s3store", "./cache", "./uploader", "./identity")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(out))
	if !slices.Contains(deps, "github.com/s3levelfs/s3levelfs/levels") {
		t.Fatalf("%q", deps)
	}
	for _, d := range deps {
		for _, not := range []string{"go-fuse", "urfave", "versitygw", "s3levelfs/fs", "s3levelfs/cmd"} {
			if strings.Contains(d, not) {
				t.Errorf("%s is brought along", d)
			}
		}
	}
}
