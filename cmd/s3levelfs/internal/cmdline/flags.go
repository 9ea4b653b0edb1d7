package cmdline

import (
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/s3levelfs/s3levelfs/internal/config"
)

// GroupFlags makes flags of the option table's groups, and the one that names the file of all.
func GroupFlags(groups ...config.Group) []cli.Flag {
	return append(TableFlags(groups...), &cli.StringFlag{Name: "config", Usage: "read settings from `FILE`: TOML, or the file of an Amplify app (see `s3levelfs config -h`)", DefaultText: "s3levelfs/config.toml in the user's configuration directory", Category: "store options"})
}

// TableFlags makes flags of the option table's groups alone.
func TableFlags(groups ...config.Group) []cli.Flag {
	return tableFlags(func(o config.Option) bool { return slices.Contains(groups, o.Group) })
}

// NamedFlags makes flags of single options.
func NamedFlags(names ...string) []cli.Flag {
	return tableFlags(func(o config.Option) bool { return slices.Contains(names, o.Name) })
}

func tableFlags(want func(config.Option) bool) []cli.Flag {
	var flags []cli.Flag
	for _, o := range config.Default().Table() {
		if !want(o) {
			continue
		}
		category := map[config.Group]string{
			config.GroupStore: "store options", config.GroupMount: "mount options", config.GroupLog: "log options",
			config.GroupObject: "object options", config.GroupTrack: "tracking options",
		}[o.Group]
		if o.Bool() {
			flags = append(flags, &cli.BoolFlag{Name: o.Name, Usage: o.Usage, Category: category, EnvVars: nil})
			continue
		}
		def := o.String()
		flags = append(flags, &cli.StringFlag{Name: o.Name, Usage: o.Usage, Category: category, DefaultText: def})
	}
	return flags
}

// LoadConfig reads the settings that a command's flags, the environment and the file give.
func LoadConfig(c *cli.Context) (*config.Loaded, error) {
	given := map[string]string{}
	for _, name := range c.LocalFlagNames() {
		if c.IsSet(name) {
			given[name] = flagText(c, name)
		}
	}
	cfg, err := config.Load(config.Sources{Flags: given, File: c.String("config"), Dir: searchDir(c)})
	if err != nil {
		return nil, err
	}
	return cfg, settleProvider(cfg)
}

func flagText(c *cli.Context, name string) string {
	if v := c.Value(name); v == true {
		return "true"
	} else if v == false {
		return "false"
	}
	return c.String(name)
}

// Permute moves options in front of the arguments, as GNU programs allow them
// anywhere; the flag package stops at the first argument.
func Permute(app *cli.App, args []string) []string {
	if len(args) < 2 {
		return args
	}
	cmd, at := app.Command(args[1]), 2
	if cmd == nil || cmd.SkipFlagParsing {
		return args
	}
	for at < len(args) && len(cmd.Subcommands) > 0 {
		i := slices.IndexFunc(cmd.Subcommands, func(c *cli.Command) bool { return c.HasName(args[at]) })
		if i < 0 {
			return args
		}
		cmd, at = cmd.Subcommands[i], at+1
	}
	takesValue := map[string]bool{}
	for _, f := range cmd.Flags {
		_, isBool := f.(*cli.BoolFlag)
		for _, n := range f.Names() {
			takesValue[n] = !isBool
		}
	}
	out := slices.Clone(args[:at])
	var rest []string
	for i := at; i < len(args); i++ {
		a := args[i]
		if a == "--" {
			rest = append(rest, args[i+1:]...)
			break
		}
		if len(a) < 2 || a[0] != '-' {
			rest = append(rest, a)
			continue
		}
		out = append(out, a)
		name := strings.TrimLeft(a, "-")
		switch {
		case !takesValue[name]:
		case i+1 == len(args):
			return append(out, rest...) // its value is missing: nothing may stand in for that
		default:
			i++
			out = append(out, args[i])
		}
	}
	return append(append(out, "--"), rest...)
}

// JSONFlag is the --json of every command that prints.
func JSONFlag() cli.Flag {
	return &cli.BoolFlag{Name: "json", Usage: "print JSON for scripts"}
}

// searchDir is where a command looks for an app's file: those that could be told which of its buckets is meant.
func searchDir(c *cli.Context) string {
	for _, f := range c.Command.Flags {
		if f.Names()[0] != "storage-bucket" {
			continue
		}
		if dir, err := os.Getwd(); err == nil {
			return dir
		}
	}
	return ""
}
