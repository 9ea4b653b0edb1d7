package app

import (
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/internal/config"
)

func manCommand() *cli.Command {
	return &cli.Command{
		Name:        "man",
		Usage:       "print the manual page s3levelfs(1)",
		ArgsUsage:   " ",
		Description: "It is made of the same table as the help of the commands.",
		Action: func(c *cli.Context) error {
			text, err := manPage()
			if err != nil {
				return err
			}
			_, err = io.WriteString(c.App.Writer, text)
			return err
		},
	}
}

// shared are the groups of options that the manual page has once, at its end.
func shared() map[string][]cli.Flag {
	return map[string][]cli.Flag{
		"store options":  cmdline.GroupFlags(config.GroupStore),
		"mount options":  cmdline.TableFlags(config.GroupMount),
		"object options": cmdline.TableFlags(config.GroupObject),
		"log options":    cmdline.TableFlags(config.GroupLog),
	}
}

// manPage is s3levelfs(1), as roff. It is written for no version, so that it can be compared.
func manPage() (string, error) {
	app := newApp()
	app.UsageText = "s3levelfs COMMAND [OPTIONS] [ARGUMENTS]"
	app.Description = "The levels of a bucket, as AWS Amplify Storage lays them out, as directories (mount), and its objects by commands without a mount.\n" +
		strings.TrimSpace(settingsHelp)
	app.Flags = nil
	forMan(app.Commands, "")
	groups := shared()
	for _, name := range []string{"store options", "mount options", "object options", "log options"} {
		sayDefaults(groups[name])
		app.Commands = append(app.Commands, &cli.Command{Name: strings.ToUpper(name), Flags: escaped(groups[name])})
	}
	return app.ToManWithSection(1)
}

// forMan gives commands the names, the text and the options that they have in the page: the library leaves descriptions out, so they are usage texts.
func forMan(commands []*cli.Command, above string) {
	for _, cmd := range commands {
		name := above + cmd.Name
		var text strings.Builder
		text.WriteString("s3levelfs " + name + " [OPTIONS] " + strings.TrimSpace(cmd.ArgsUsage) + "\n")
		if cmd.Description != "" {
			text.WriteString("\n" + cmd.Description + "\n")
		}
		var more []string
		for _, group := range []string{"store options", "mount options", "object options", "log options"} {
			flags := shared()[group]
			if rest := without(cmd.Flags, flags); len(rest) == len(cmd.Flags)-len(flags) {
				cmd.Flags, more = rest, append(more, strings.ToUpper(group))
			}
		}
		if len(more) > 0 {
			text.WriteString("\nTakes besides, see there: " + strings.Join(more, ", ") + "\n")
		}
		text.WriteString(pages().sections(name, cmd))
		cmd.UsageText = text.String()
		cmd.Flags = escaped(cmd.Flags)
		if cmd.Name == "vault" {
			cmd.Subcommands = nil // they are the commands of the same names
		}
		forMan(cmd.Subcommands, name+" ")
		cmd.Name = name
	}
}

// without are flags but for those of some names.
func without(flags, but []cli.Flag) []cli.Flag {
	return slices.DeleteFunc(slices.Clone(flags), func(f cli.Flag) bool {
		return slices.ContainsFunc(but, func(o cli.Flag) bool { return o.Names()[0] == f.Names()[0] })
	})
}

// escaped makes the texts of flags those of Markdown, in which they are literal but for the names of their values.
func escaped(flags []cli.Flag) []cli.Flag {
	literal := strings.NewReplacer(`*`, `\*`, `_`, `\_`, `<`, `\<`, `[`, `\[`)
	text := func(s string) string {
		parts := strings.Split(s, "`")
		for i := 0; i < len(parts); i += 2 { // every second one is a name
			parts[i] = literal.Replace(parts[i])
		}
		return strings.Join(parts, "`")
	}
	for _, f := range flags {
		switch f := f.(type) {
		case *cli.StringFlag:
			f.Usage = text(f.Usage)
		case *cli.StringSliceFlag:
			f.Usage = text(f.Usage)
		case *cli.BoolFlag:
			f.Usage = text(f.Usage)
		case *cli.IntFlag:
			f.Usage = text(f.Usage)
		case *cli.DurationFlag:
			f.Usage = text(f.Usage)
		}
	}
	return flags
}
