package app

import (
	"os"
	"regexp"
	"testing"

	"github.com/urfave/cli/v2"
)

// TestDocumentsNameWhatThereIs: the commands and options that docs/AMPLIFY.md and README.md name in code exist.
func TestDocumentsNameWhatThereIs(t *testing.T) {
	options := map[string]bool{"--help": true}
	walk(newApp().Commands, "", func(_ string, cmd *cli.Command) {
		for _, f := range cmd.Flags {
			for _, n := range f.Names() {
				options["--"+n] = true
			}
		}
	})
	code := regexp.MustCompile("`([^`]+)`")
	option := regexp.MustCompile(`(?:^|\s)(--[a-z][a-z-]+)`)
	command := regexp.MustCompile(`^(?:bin/)?s3levelfs ([a-z]+)`)
	for _, name := range []string{"AMPLIFY.md", "../README.md"} {
		text, err := os.ReadFile("../../../docs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		spans := 0
		for _, span := range code.FindAllStringSubmatch(string(text), -1) {
			spans++
			if m := command.FindStringSubmatch(span[1]); m != nil && find(newApp().Commands, m[1:2]) == nil {
				t.Errorf("%s names %q, which is no command", name, span[1])
			}
			for _, m := range option.FindAllStringSubmatch(span[1], -1) {
				if !options[m[1]] {
					t.Errorf("%s names %s, which is no option: %q", name, m[1], span[1])
				}
			}
		}
		if spans < 50 {
			t.Errorf("%s: %d spans of code", name, spans)
		}
	}
}
