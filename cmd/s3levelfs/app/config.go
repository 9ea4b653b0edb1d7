package app

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/internal/config"
)

func configCommand() *cli.Command {
	return &cli.Command{
		Name:  "config",
		Usage: "look at the settings",
		Description: "Settings come from, strongest first: options, environment variables, the TOML file, the Amplify app's own file.\n\n" +
			"An app's file is amplify_outputs.json, amplifyconfiguration.json (or .dart), awsconfiguration.json, aws-exports.js or .ts,\n" +
			"or a file with the Auth and Storage that are given to Amplify.configure. It is named by --config, or found in this\n" +
			"directory, in those above it, or in the configuration directory, where nothing else names a bucket.",
		Subcommands: []*cli.Command{{
			Name:      "show",
			Usage:     "print what each setting is and where it comes from",
			ArgsUsage: " ",
			Description: "Without --all what differs from the defaults, and what the app's file says besides (app.…). Secrets are told to\n" +
				"be there, never shown. The options of all commands can be given, to see what they would do.\n\n" +
				"   s3levelfs config show\n" +
				"   s3levelfs config show --config ~/app/amplify_outputs.json --storage-bucket media",
			Flags: append([]cli.Flag{
				cmdline.JSONFlag(),
				&cli.BoolFlag{Name: "all", Usage: "the defaults, too"},
			}, cmdline.GroupFlags(config.GroupStore, config.GroupMount, config.GroupObject, config.GroupTrack, config.GroupLog)...),
			Action: configShow,
		}},
	}
}

// shown is one line of `config show`.
type shown struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Origin string `json:"origin"` // --flag, variable, FILE:LINE, or default
}

func configShow(c *cli.Context) error {
	if c.NArg() > 0 {
		return cmdline.WithCode(cmdline.ExitUsage, errors.New("config show takes no arguments, only options: see `s3levelfs config show -h`"))
	}
	cfg, err := cmdline.LoadConfig(c)
	if err != nil {
		return err
	}
	all := slices.Concat(shownSettings(cfg, c.Bool("all")), shownProviders(cfg), shownApp(cfg))
	if c.Bool("json") {
		if all == nil {
			all = []shown{}
		}
		return cmdline.PrintJSON(c.App.Writer, all)
	}
	return writeShown(c.App.Writer, all)
}

// shownSettings are the options' values; without defaults only those that somebody has given.
func shownSettings(cfg *config.Loaded, defaults bool) (all []shown) {
	for _, o := range cfg.Table() {
		origin, given := cfg.Origin[o.Name]
		switch {
		case given:
		case defaults:
			origin = "default"
		default:
			continue
		}
		all = append(all, shown{o.Name, o.String(), origin})
	}
	return all
}

func writeShown(w io.Writer, all []shown) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "all settings have their defaults: --all shows them")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range all {
		value := cmdline.Printable(s.Value)
		if s.Value == "" {
			value = `""`
		}
		if _, err := fmt.Fprintf(t, "%s\t%s\t%s\n", cmdline.Printable(s.Name), value, cmdline.Printable(s.Origin)); err != nil {
			return err
		}
	}
	return t.Flush()
}
