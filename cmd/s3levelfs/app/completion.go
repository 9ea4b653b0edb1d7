package app

import (
	_ "embed"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/s3levelfs/s3levelfs/internal/config"
)

// The scripts ask the program itself what fits: so they know the options of the program that is installed, and nothing is written twice.
var (
	//go:embed completion/s3levelfs.bash
	bashCompletion string
	//go:embed completion/s3levelfs.zsh
	zshCompletion string
	//go:embed completion/s3levelfs.fish
	fishCompletion string
)

func completionCommand() *cli.Command {
	shell := func(name, script string) *cli.Command {
		return &cli.Command{
			Name: name, Usage: "print the script for " + name, ArgsUsage: " ",
			Action: func(c *cli.Context) error {
				_, err := io.WriteString(c.App.Writer, script)
				return err
			},
		}
	}
	return &cli.Command{
		Name:        "completion",
		Usage:       "print a script by which a shell completes commands, options and their values",
		Description: "The script goes where the shell looks for such ones, or is read once: source <(s3levelfs completion bash).",
		Subcommands: []*cli.Command{shell("bash", bashCompletion), shell("zsh", zshCompletion), shell("fish", fishCompletion)},
	}
}

// completeCommand is what the scripts ask: its arguments are the words of the command line without the program, the last one being typed. It
// prints what fits, a line each, behind a tab what that is; nothing where a file or a key may stand.
func completeCommand() *cli.Command {
	return &cli.Command{
		Name: "__complete", Hidden: true, SkipFlagParsing: true,
		Action: func(c *cli.Context) error {
			for _, one := range candidates(newApp().Commands, c.Args().Slice()) {
				if _, err := fmt.Fprintf(c.App.Writer, "%s\t%s\n", one.word, one.text); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// candidate is a word that fits, and what it is.
type candidate struct{ word, text string }

// candidates are what may stand in the place of the last word.
func candidates(commands []*cli.Command, words []string) []candidate {
	if len(words) == 0 {
		words = []string{""}
	}
	var (
		cmd     *cli.Command
		waiting string // the option whose value comes next
	)
	last := len(words) - 1
	for _, w := range words[:last] {
		switch {
		case w == "--":
			return nil
		case w == "=": // bash cuts there
		case waiting != "":
			waiting = ""
		case strings.HasPrefix(w, "-") && w != "-":
			if name, _, given := strings.Cut(strings.TrimLeft(w, "-"), "="); !given && takesValue(cmd, name) {
				waiting = name
			}
		default:
			cmd = find(commands, []string{w})
			if cmd == nil {
				return nil
			}
			commands = cmd.Subcommands
		}
	}
	return fitting(cmd, commands, waiting, strings.TrimPrefix(words[last], "="))
}

// fitting are what may stand behind a command, and begins with what is typed.
func fitting(cmd *cli.Command, commands []*cli.Command, waiting, typed string) (all []candidate) {
	add := func(word, text string) {
		if strings.HasPrefix(word, typed) {
			all = append(all, candidate{word, text})
		}
	}
	name, _, given := strings.Cut(strings.TrimLeft(typed, "-"), "=")
	switch {
	case waiting != "":
		for _, value := range choices(waiting) {
			add(value, "")
		}
	case strings.HasPrefix(typed, "-") && given:
		for _, value := range choices(name) {
			add("--"+name+"="+value, "")
		}
	case strings.HasPrefix(typed, "-") && cmd != nil:
		for _, f := range cmd.VisibleFlags() {
			if d, ok := f.(cli.DocGenerationFlag); ok {
				add("--"+f.Names()[0], strings.ReplaceAll(d.GetUsage(), "`", ""))
			}
		}
	default:
		for _, c := range commands {
			if !c.Hidden {
				add(c.Name, c.Usage)
			}
		}
	}
	return all
}

// find is a command by its names.
func find(commands []*cli.Command, words []string) *cli.Command {
	i := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(words[0]) })
	switch {
	case i < 0:
		return nil
	case len(words) == 1:
		return commands[i]
	}
	return find(commands[i].Subcommands, words[1:])
}

// takesValue tells whether the option of a command is followed by its value.
func takesValue(cmd *cli.Command, name string) bool {
	if cmd == nil {
		return false
	}
	for _, f := range cmd.Flags {
		if d, ok := f.(cli.DocGenerationFlag); ok && slices.Contains(f.Names(), name) {
			return d.TakesValue()
		}
	}
	return false
}

// choices are the values of an option that has only so many.
func choices(name string) []string {
	for _, o := range config.Default().Table() {
		if o.Name == strings.TrimPrefix(name, "to-") {
			return o.Choices()
		}
	}
	return nil
}
