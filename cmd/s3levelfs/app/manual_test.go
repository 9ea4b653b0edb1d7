package app

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
)

// placeholder finds the names of values in the text of an option.
var placeholder = regexp.MustCompile("`([^`]+)`")

// walk visits all commands that the help shows, by their names.
func walk(commands []*cli.Command, above string, visit func(name string, cmd *cli.Command)) {
	for _, cmd := range commands {
		if cmd.Hidden || cmd.Name == "help" {
			continue
		}
		visit(above+cmd.Name, cmd)
		walk(cmd.Subcommands, above+cmd.Name+" ", visit)
	}
}

// helpOf is what -h prints.
func helpOf(t *testing.T, name string) string {
	t.Helper()
	var out bytes.Buffer
	app := newApp()
	app.Writer = &out
	if err := app.RunContext(t.Context(), append(append([]string{"s3levelfs"}, strings.Fields(name)...), "-h")); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return out.String()
}

// section is what stands below a heading of a help text.
func section(help, heading string) string {
	_, after, _ := strings.Cut(help, "\n"+heading+":\n")
	body, _, _ := strings.Cut(after, "\n\n")
	return body
}

// TestHelpOfEveryCommand: each command says what it does, gives an example and its exit codes; each of its options says what it is, of what kind
// its value is, in which unit, and what it is by default.
func TestHelpOfEveryCommand(t *testing.T) {
	options, commands := 0, 0
	walk(newApp().Commands, "", func(name string, cmd *cli.Command) {
		commands++
		help := helpOf(t, name)
		if _, ok := pages()[strings.TrimPrefix(name, "vault ")]; !ok && len(cmd.Subcommands) == 0 {
			t.Errorf("%s has no page in pages()", name)
		}
		if cmd.Usage == "" || section(help, "EXAMPLES") == "" {
			t.Errorf("%s: usage %q, examples %q", name, cmd.Usage, section(help, "EXAMPLES"))
		}
		for _, code := range append([]int{cmdline.ExitOK, cmdline.ExitOther, cmdline.ExitUsage}, pages().pageOf(name, cmd).codes...) {
			if line := fmt.Sprintf("   %2d  %s", code, cmdline.ExitText(code)); cmdline.ExitText(code) == "" || !strings.Contains(section(help, "EXIT CODES"), line) {
				t.Errorf("%s: exit code %d is not told", name, code)
			}
		}
		for _, f := range cmd.VisibleFlags() {
			options++
			for _, problem := range problemsOf(f.(cli.DocGenerationFlag), help) {
				t.Errorf("%s --%s: %s", name, f.Names()[0], problem)
			}
		}
	})
	t.Logf("%d commands, %d options", commands, options)
}

// problemsOf is what the help of a command leaves out of an option.
func problemsOf(f cli.DocGenerationFlag, help string) (bad []string) {
	if f.GetUsage() == "" {
		return []string{"has no text"}
	}
	_, options, _ := strings.Cut(help, "\nOPTIONS:\n")
	i := max(strings.Index(options, "   --"+f.Names()[0]+" "), strings.Index(options, "   --"+f.Names()[0]+","))
	if i < 0 {
		return []string{"is not listed"}
	}
	line, _, _ := strings.Cut(options[i:], "\n")
	if !strings.Contains(line, "default") && f.Names()[0] != "help" {
		bad = append(bad, "says no default: "+line)
	}
	if !f.TakesValue() {
		return bad
	}
	kinds := placeholder.FindAllStringSubmatch(f.GetUsage(), -1)
	if len(kinds) == 0 {
		bad = append(bad, "does not name its value")
	}
	for _, k := range kinds {
		for _, u := range units() {
			if k[1] == u[0] && !strings.Contains(section(help, "VALUES"), u[1]) {
				bad = append(bad, "the unit of "+u[0]+" is not told")
			}
		}
	}
	return bad
}

// TestExamplesAreRight: the commands and options of all examples, in the pages and in the descriptions, exist.
func TestExamplesAreRight(t *testing.T) {
	seen := 0
	walk(newApp().Commands, "", func(name string, cmd *cli.Command) {
		lines := slices.Clone(pages().pageOf(name, cmd).examples)
		for line := range strings.SplitSeq(cmd.Description, "\n") {
			if strings.HasPrefix(line, "   s3levelfs ") {
				lines = append(lines, strings.TrimSpace(line))
			}
		}
		for _, line := range lines {
			seen++
			if bad := wrongWords(line); bad != "" {
				t.Errorf("%s: %q: %s", name, line, bad)
			}
		}
	})
	for name := range pages() {
		if find(newApp().Commands, strings.Fields(name)) == nil {
			t.Errorf("pages() has %q, which is no command", name)
		}
	}
	t.Logf("%d examples", seen)
}

// wrongWords is what an example names that there is not.
func wrongWords(line string) string {
	_, after, ok := strings.Cut(line, "s3levelfs ")
	if !ok {
		return "is no example of s3levelfs"
	}
	commands := newApp().Commands
	var cmd *cli.Command
	for word := range strings.FieldsSeq(after) {
		if word == "|" || word == ">" {
			break
		}
		if next := find(commands, []string{word}); next != nil {
			cmd, commands = next, next.Subcommands
			continue
		}
		if cmd == nil || len(cmd.Subcommands) > 0 && cmd.Name != "vault" && commands != nil && len(commands) > 0 {
			return "no command " + word
		}
		commands = nil
		if name := strings.TrimLeft(word, "-"); strings.HasPrefix(word, "-") && word != "-" &&
			!slices.ContainsFunc(cmd.Flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) }) {
			return "no option " + word
		}
	}
	return ""
}
