package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
			&cli.StringFlag{Name: "level", Value: "public", Usage: "`LEVEL` to list: public, protected or private", DefaultText: "--default-level, else public"},
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
	if err := printListing(ctx, backend.store, backend.policy, lsRequest{path, prefix, c.Args().First(), c.Bool("json")}, c.App.Writer); err != nil {
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

// lsRequest is what ls is asked for.
type lsRequest struct {
	path, prefix string // of the level, in the mount and in the bucket
	first        string // what the keys begin with in the level
	json         bool
}

// printListing prints each page as it comes: the first line after one request, and in the same memory however many keys there are.
func printListing(ctx context.Context, from store.Reader, policy *levels.Policy, what lsRequest, to io.Writer) error {
	out := &listingWriter{w: bufio.NewWriter(to), json: what.json}
	err := func() error {
		for page, err := range from.List(ctx, what.prefix+what.first, store.ListOptions{}) {
			if err != nil {
				return err
			}
			for i := range page.Objects {
				if o := &page.Objects[i]; inLevel(policy, o.Key, what.path) {
					if err := out.add(listed{Key: strings.TrimPrefix(o.Key, what.prefix), ETag: o.ETag, LastModified: o.LastModified, Size: o.Size}); err != nil {
						return err
					}
				}
			}
			if err := out.w.Flush(); err != nil {
				return err
			}
		}
		return out.end()
	}()
	if err != nil {
		return err
	}
	if out.n == 0 && strings.HasPrefix(what.first, "/") {
		_, _ = fmt.Fprintf(os.Stderr, "s3levelfs: nothing begins with %s: keys in a level begin without a slash\n", printable(what.first))
	}
	return nil
}

// listingWriter prints objects one by one, as lines or as one JSON list. A list that ends early, after an error, is no JSON.
type listingWriter struct {
	w    *bufio.Writer
	json bool
	n    int
}

func (l *listingWriter) add(o listed) error {
	l.n++
	if !l.json {
		_, err := fmt.Fprintf(l.w, "%12d  %s  %s\n", o.Size, o.LastModified.UTC().Format(time.RFC3339), printable(o.Key))
		return err
	}
	separator := ",\n  "
	if l.n == 1 {
		separator = "[\n  "
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("  ", "  ")
	if err := encoder.Encode(o); err != nil {
		return err
	}
	_, err := l.w.WriteString(separator + strings.TrimSuffix(text.String(), "\n"))
	return err
}

func (l *listingWriter) end() error {
	if l.json {
		end := "\n]\n"
		if l.n == 0 {
			end = "[]\n"
		}
		if _, err := l.w.WriteString(end); err != nil {
			return err
		}
	}
	return l.w.Flush()
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
	if c.String("owner") != "" && !c.IsSet("level") { // no other level has owners
		if err := c.Set("level", "protected"); err != nil {
			return nil, err
		}
	}
	if !c.IsSet("level") {
		if err := c.Set("level", cfg.DefaultLevel); err != nil {
			return nil, err
		}
	}
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
