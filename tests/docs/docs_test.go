// Package docs holds the documents to their word: each promise of
// docs/SEMANTICS.md names tests, and they exist.
package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestEveryPromiseHasItsTests(t *testing.T) {
	text, err := os.ReadFile("../../docs/SEMANTICS.md")
	if err != nil {
		t.Fatal(err)
	}
	known := testNames(t)
	names := regexp.MustCompile("`(Test[A-Za-z0-9_]+)`").FindAllStringSubmatch(string(text), -1)
	if len(names) == 0 {
		t.Fatal("no test is named")
	}
	for _, n := range names {
		if !known[n[1]] {
			t.Errorf("docs/SEMANTICS.md names %s, which does not exist", n[1])
		}
	}
	// Each paragraph that promises something is followed by its tests.
	for p := range strings.SplitSeq(string(text), "\n\n") {
		if strings.HasPrefix(p, "**") && !strings.Contains(p, "\nTests: ") {
			t.Errorf("a promise without a test: %.60q", p)
		}
	}
}

// testNames finds the test functions of the module.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	known := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		src, err := os.ReadFile(path)
		for _, m := range declared.FindAllSubmatch(src, -1) {
			known[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return known
}
