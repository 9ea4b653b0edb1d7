package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/s3levelfs/s3levelfs/internal/config"
	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
)

// listed is one object as Amplify's list names its fields.
type listed struct {
	Key          string    `json:"key"`  // relative to the level
	ETag         string    `json:"eTag"` // with quotes, as S3 sends it
	LastModified time.Time `json:"lastModified"`
	Size         int64     `json:"size"` // bytes
}

func lsCommand() *cli.Command {
	return &cli.Command{
		Name:      "ls",
		Usage:     "list the objects of a level whose keys begin with PATH, without a mount",
		ArgsUsage: "[PATH]",
		Description: "As Amplify's list: every key below the level that begins with PATH, however deep. A folder is\n" +
			"PATH with a slash at its end (\"photos\" also finds photos123.jpg).",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "level", Value: "public", Usage: "`LEVEL` to list: public, protected or private"},
			&cli.StringFlag{Name: "owner", Usage: "list the protected files of this identity `ID`; default: the own ones"},
			jsonFlag(),
		}, groupFlags(config.GroupStore, config.GroupLog)...),
		Action: ls,
	}
}

func ls(c *cli.Context) error {
	if c.NArg() > 1 {
		return withCode(exitUsage, errors.New("ls takes one PATH: quote a name with spaces"))
	}
	cfg, err := loadLevelConfig(c)
	if err != nil {
		return err
	}
	if cfg.Local != "" {
		if _, err := os.Stat(cfg.Local); err != nil { // a mount would make it, a look does not
			return withCode(exitConfig, fmt.Errorf("--local: there is no data to list: %w", err))
		}
	}
	ctx := c.Context
	log, closeLog, err := openLog(cfg, "")
	if err != nil {
		return err
	}
	defer closeLog()
	backend, err := openStore(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer func() { _ = backend.store.Close() }()
	path := levelPath(backend.policy, c.String("level"), c.String("owner"))
	prefix, err := levelPrefix(backend.policy, path, c.String("level"), c.String("owner"))
	if err != nil {
		return err
	}
	if err := printListing(ctx, c, backend, path, prefix); err != nil {
		return describe(err, cfg.Bucket)
	}
	return nil
}

// inLevel: with custom prefixes one level's listing can show keys that are another's.
func inLevel(p *levels.Policy, key, path string) bool {
	at, ok := p.PathOf(key)
	if !ok && strings.HasSuffix(key, "/") { // the marker of the level itself
		at, ok = p.PathOf(strings.TrimSuffix(key, "/"))
	}
	return ok && (at == path || strings.HasPrefix(at, path+"/"))
}

func printListing(ctx context.Context, c *cli.Context, b *backend, path, prefix string) error {
	all, found := []listed{}, false
	for page, err := range b.store.List(ctx, prefix+c.Args().First(), store.ListOptions{}) {
		if err != nil {
			return err
		}
		for _, o := range page.Objects {
			if !inLevel(b.policy, o.Key, path) {
				continue
			}
			found = true
			l := listed{Key: strings.TrimPrefix(o.Key, prefix), ETag: o.ETag, LastModified: o.LastModified, Size: o.Size}
			if c.Bool("json") {
				all = append(all, l)
				continue
			}
			if _, err := fmt.Fprintf(c.App.Writer, "%12d  %s  %s\n", l.Size, l.LastModified.UTC().Format(time.RFC3339), printable(l.Key)); err != nil {
				return err
			}
		}
	}
	if first := c.Args().First(); !found && strings.HasPrefix(first, "/") {
		_, _ = fmt.Fprintf(os.Stderr, "s3levelfs: nothing begins with %s: keys in a level begin without a slash\n", printable(first))
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, all)
	}
	return nil
}

// loadLevelConfig reads the settings of a command whose --level is where to
// work, not what a mount shows.
func loadLevelConfig(c *cli.Context) (*config.Loaded, error) {
	switch c.String("level") {
	case "public", "protected", "private":
	default:
		return nil, withCode(exitUsage, fmt.Errorf("--level: %q is not one of public, protected, private", c.String("level")))
	}
	cfg, err := loadConfig(c)
	if err != nil {
		return nil, err
	}
	cfg.Level = ""
	return cfg, cfg.RequireStore()
}

// levelPath is the mount's path of what a command works in.
func levelPath(p *levels.Policy, level, owner string) string {
	switch {
	case owner != "":
		return "protected/" + owner
	case level == "protected":
		return "protected/" + p.Identity().ID
	}
	return level
}

// levelPrefix is the key prefix that a command works in.
func levelPrefix(p *levels.Policy, path, level, owner string) (string, error) {
	if owner != "" && level != "protected" {
		return "", withCode(exitUsage, errors.New("--owner goes with --level protected: the other levels are not shared by identity"))
	}
	t, err := p.Resolve(path)
	if err != nil {
		return "", fmt.Errorf("level %s: %w", level, err)
	}
	return t.Prefix, nil
}
