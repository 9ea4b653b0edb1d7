package object

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/backend"
	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/internal/config"
	"github.com/s3levelfs/s3levelfs/internal/tracking"
	"github.com/s3levelfs/s3levelfs/levels"
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
			"PATH with a slash at its end (\"photos\" also finds photos123.jpg). --json prints a list of {key,eTag,lastModified,size}; with\n" +
			"--page-size, --next-token or --delimiter it is {items:[…],excludedSubpaths:[…],nextToken}, as Amplify's.",
		Flags: levelFlags(
			&cli.IntFlag{Name: "page-size", DefaultText: "all of them", Usage: "list `N` keys (1 to 1000), and say how the next ones are had; with --all: N keys a request"},
			&cli.StringFlag{Name: "next-token", Usage: "go on behind a page, by the `TOKEN` that it has ended with"},
			&cli.BoolFlag{Name: "all", Usage: "list all pages; the default where no --page-size is given"},
			&cli.StringFlag{Name: "delimiter", Usage: "show keys up to the next `TEXT` behind PATH once, as a subpath: \"/\" lists one folder"},
			filterFlag(""),
		),
		Action: ls,
	}
}

func ls(c *cli.Context) error {
	if c.NArg() > 1 {
		return cmdline.WithCode(cmdline.ExitUsage, errors.New("ls takes one PATH: quote a name with spaces"))
	}
	what, err := lsRequestOf(c)
	if err != nil {
		return err
	}
	v, err := openVerb(c, levels.List)
	if err != nil {
		return err
	}
	defer v.close()
	what.path, what.prefix = v.path, v.prefix
	err = printListing(v.ctx, v.backend.Store, v.policy, what, v)
	v.track.Track(tracking.Of(tracking.List, err))
	if err != nil {
		return backend.Describe(err, v.bucket)
	}
	return nil
}

// lsRequestOf is what the flags ask for, without the place.
func lsRequestOf(c *cli.Context) (lsRequest, error) {
	const most = 1000 // Source: S3 API reference, ListObjectsV2, max-keys
	m, err := newMatcher(c)
	if err != nil {
		return lsRequest{}, err
	}
	what := lsRequest{
		first: c.Args().First(), json: c.Bool("json"), pageSize: c.Int("page-size"), all: c.Bool("all") || !c.IsSet("page-size"),
		delimiter: c.String("delimiter"), match: m.match,
	}
	if c.IsSet("page-size") && (what.pageSize < 1 || what.pageSize > most) {
		return what, cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("--page-size: %d is not from 1 to %d", what.pageSize, most))
	}
	if text := c.String("next-token"); text != "" {
		after, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			return what, cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("--next-token: %q is none that a page has ended with", text))
		}
		what.after = string(after)
	}
	what.paged = c.IsSet("page-size") || what.after != "" || what.delimiter != ""
	return what, nil
}

// inLevel: with custom prefixes one level's listing can show keys that are another's.
func inLevel(p *levels.Policy, key, path string) bool {
	at, ok := p.PathOf(key)
	if !ok && strings.HasSuffix(key, "/") { // the marker of the level itself
		at, ok = p.PathOf(strings.TrimSuffix(key, "/"))
	}
	return ok && (at == path || strings.HasPrefix(at, path+"/"))
}

// loadLevelConfig reads the settings of a command whose --level is where to
// work, not what a mount shows.
func loadLevelConfig(c *cli.Context) (*config.Loaded, error) {
	switch c.String("level") {
	case "public", "protected", "private":
	default:
		return nil, cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("--level: %q is not one of public, protected, private", c.String("level")))
	}
	cfg, err := cmdline.LoadConfig(c)
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
		return "", cmdline.WithCode(cmdline.ExitUsage, errors.New("--owner goes with --level protected: the other levels are not shared by identity"))
	}
	t, err := p.Resolve(path)
	if err != nil {
		return "", fmt.Errorf("level %s: %w", level, err)
	}
	return t.Prefix, nil
}
