package app

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/internal/config"
	"github.com/s3levelfs/s3levelfs/store"
	_ "github.com/s3levelfs/s3levelfs/store/memstore" // registers the provider mem
	"github.com/s3levelfs/s3levelfs/store/s3store"
)

func providersCommand() *cli.Command {
	return &cli.Command{
		Name:      "providers",
		Usage:     "list the storage providers that --provider can name, and what each can do",
		ArgsUsage: " ",
		Description: "All put, get, remove and list; CAN is what a provider does itself beyond that. What it can not is made of those: without\n" +
			"multipart objects are sent whole, and without conditions another program may write between a look and our write.\n" +
			"SETTINGS stand under [provider.NAME] of the TOML file; those with a * must be there. Programs can bring providers\n" +
			"of their own: see examples/provider.\n\n" +
			"mem is for trying out: its objects end with the process.",
		Flags:  []cli.Flag{cmdline.JSONFlag()},
		Action: listProviders,
	}
}

// provider is a line of the list.
type provider struct {
	store.Description
	Default bool `json:"default"`
}

func listProviders(c *cli.Context) error {
	if c.NArg() > 0 {
		return cmdline.WithCode(cmdline.ExitUsage, errors.New("providers takes no arguments, only --json: see `s3levelfs providers -h`"))
	}
	var all []provider
	for _, d := range store.Providers() {
		all = append(all, provider{d, d.Name == s3store.ProviderName})
	}
	if c.Bool("json") {
		return cmdline.PrintJSON(c.App.Writer, all)
	}
	t := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
	_, err := fmt.Fprintln(t, "NAME\tALIASES\tCATEGORY\tCAN\tSETTINGS")
	for _, p := range all {
		var settings []string
		for _, s := range p.Settings {
			if s.Required {
				s.Name += "*"
			}
			settings = append(settings, s.Name)
		}
		list := func(of []string) string {
			if len(of) == 0 {
				return "-"
			}
			return strings.Join(of, ",")
		}
		if _, lineErr := fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", p.Name, list(p.Aliases), p.Category, list(p.Can), list(settings)); lineErr != nil {
			return lineErr
		}
	}
	return errors.Join(err, t.Flush())
}

// shownProviders are the file's settings of providers; what the provider has not said to be no secret is not shown.
func shownProviders(cfg *config.Loaded) (all []shown) {
	open := map[string]bool{}
	for _, d := range store.Providers() {
		for _, s := range d.Settings {
			for _, n := range append([]string{d.Name}, d.Aliases...) {
				open[n+"."+s.Name] = !s.Secret
			}
		}
	}
	for name, t := range cfg.Providers {
		for key, value := range t.Values {
			if !open[name+"."+key] {
				value = "(set)"
			}
			all = append(all, shown{"provider." + name + "." + key, value, t.Origins[key]})
		}
	}
	slices.SortFunc(all, func(a, b shown) int { return strings.Compare(a.Name, b.Name) })
	return all
}
