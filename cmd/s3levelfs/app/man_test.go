package app

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// manFile is the page that is installed.
const manFile = "../../../docs/s3levelfs.1"

// TestManPageIsCurrent: the page in docs is what the program prints.
func TestManPageIsCurrent(t *testing.T) {
	want, err := manPage()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(manFile)
	if err != nil || string(got) != want {
		t.Errorf("docs/s3levelfs.1 is out of date: `make docs` writes it (%v)", err)
	}
}

// TestManPageRenders: man shows the page without a complaint, with all commands, all options and no trace of Markdown.
func TestManPageRenders(t *testing.T) {
	page, err := filepath.Abs(manFile)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("man", "--warnings=all", "-P", "cat", "-l", page)
	cmd.Env = append(os.Environ(), "MANWIDTH=200", "GROFF_NO_SGR=1", "MAN_KEEP_FORMATTING=", "LC_ALL=C.UTF-8")
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil || said.Len() > 0 {
		t.Fatalf("%v: %s", err, said.String())
	}
	text := strings.Join(strings.Fields(string(out)), " ")
	walk(newApp().Commands, "", func(name string, cmd *cli.Command) {
		if strings.HasPrefix(name, "vault ") {
			return
		}
		if !strings.Contains(text, "s3levelfs "+name+" [OPTIONS]") {
			t.Errorf("%s is not in the page", name)
		}
		for _, f := range cmd.VisibleFlags() {
			if n := f.Names()[0]; n != "help" && !strings.Contains(text, "--"+n) {
				t.Errorf("%s --%s is not in the page", name, n)
			}
		}
	})
	for _, trace := range []string{"\\*", "**", "\\_", "```"} {
		if i := strings.Index(text, trace); i >= 0 && !strings.Contains(text[max(0, i-40):i+40], "crosses") {
			t.Errorf("Markdown is left: %q", text[max(0, i-40):min(len(text), i+40)])
		}
	}
	if !strings.Contains(text, "[a-z], ** crosses") {
		t.Error("stars are lost")
	}
}
