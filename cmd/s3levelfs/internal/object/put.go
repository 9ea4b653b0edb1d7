package object

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/backend"
	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/internal/config"
	"github.com/s3levelfs/s3levelfs/internal/objectopts"
	"github.com/s3levelfs/s3levelfs/internal/tracking"
	"github.com/s3levelfs/s3levelfs/internal/transfer"
	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
)

// stored is what put prints: Amplify's {key}, and with --json what the store has said.
type stored struct {
	Key         string `json:"key"` // below the level
	ETag        string `json:"eTag,omitempty"`
	VersionID   string `json:"versionId,omitempty"`
	ContentType string `json:"contentType,omitempty"`
	Size        *int64 `json:"size,omitempty"`      // bytes
	Unchanged   bool   `json:"unchanged,omitempty"` // it was there already, and nothing was sent
}

func putCommand() *cli.Command {
	return &cli.Command{
		Name:      "put",
		Usage:     "store a file, standard input or a folder, without a mount; prints {\"key\": …}",
		ArgsUsage: "FILE|- KEY, or -r DIR [FOLDER]",
		Description: "The object is there whole or not at all: nothing is stored of a file that changes while it is sent. A file of more than\n" +
			"8 MiB goes in parts; after an interruption (Ctrl-C, kill -9) the same put goes on, and sends at most one part again for each of\n" +
			"--part-streams. What is known of such uploads is kept below the user's state directory, in puts/. Standard input (-) can have any\n" +
			"length, and starts over. What is under the key already is replaced, but with --if-none-match (exit code 73). The\n" +
			"object options give it headers, as they do in a mount, and so do the [[objects]] of the TOML file.\n" + keysHelp + "\n" +
			"With -r each file below DIR becomes an object below FOLDER (default: the level itself), one {\"key\": …} a line. Symbolic links to\n" +
			"files are followed, those to directories and special files are left out and named. " + sameHelp("sent"),
		Flags: append(levelFlags(append(manyFlags(), append(nameFlags(),
			&cli.BoolFlag{Name: "if-none-match", Aliases: []string{"prevent-overwrite"}, Usage: "refuse when the key exists, with exit code 73 (Amplify's preventOverwrite)"},
			&cli.StringFlag{Name: "if-match", Usage: "replace only the version with this `ETAG`"},
			&cli.IntFlag{Name: "part-streams", Value: 1, Usage: "send `N` parts of one file at the same time (1 to 64); each may have to be sent again after an interruption"},
			transferProgressFlag())...)...), cmdline.TableFlags(config.GroupObject)...),
		Action: put,
	}
}

func put(c *cli.Context) error {
	if most := 64; c.Int("part-streams") < 1 || c.Int("part-streams") > most {
		return cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("--part-streams: %d is not from 1 to %d", c.Int("part-streams"), most))
	}
	if err := checkMany(c); err != nil {
		return err
	}
	naming, err := newNaming(c)
	if err != nil {
		return err
	}
	v, err := openVerb(c, levels.Put)
	if err != nil {
		return err
	}
	defer v.close()
	p := &putting{verb: v, json: c.Bool("json"), naming: naming}
	if p.cond, err = putCond(c); err != nil {
		return err
	}
	if p.rules, err = backend.PutRules(v.settings); err != nil {
		return err
	}
	switch {
	case c.Bool("recursive"):
		return p.tree(c)
	case c.NArg() == 2, c.NArg() == 1 && naming.template != "":
	default:
		return usageOf(c)
	}
	name := c.Args().Get(0)
	key, err := p.key(c.Args().Get(1), name)
	if err != nil {
		return err
	}
	return v.explainFailure(p.one(v.ctx, key, name))
}

// putCond is what the flags demand of what is there.
func putCond(c *cli.Context) (store.Cond, error) {
	cond := store.Cond{IfNoneMatch: c.Bool("if-none-match"), IfMatch: c.String("if-match")}
	if cond.IfNoneMatch && cond.IfMatch != "" {
		return cond, cmdline.WithCode(cmdline.ExitUsage, errors.New("--if-none-match wants the key to be absent, --if-match to be there: give one of them"))
	}
	return cond, nil
}

// errStreamInterrupted is the end of a put of standard input that can not go on later.
var errStreamInterrupted = errors.New("interrupted: nothing of standard input was stored, and the next put of it starts over")

// putting is one run of put.
type putting struct {
	*verb
	cond    store.Cond
	rules   *objectopts.Rules // of the objects' headers
	json    bool
	naming  *naming
	compare bool // with what is there: what is the same is not sent
}

// key is what a file is stored under: the KEY that is given, behind which a template's name stands.
func (p *putting) key(given, file string) (string, error) {
	name := given
	if p.naming.template != "" {
		made, err := p.naming.name(file)
		if err != nil {
			return "", err
		}
		name += made
	}
	return p.verb.key(p.naming.escape(name))
}

// one stores a file, or standard input, and prints its key.
func (p *putting) one(ctx context.Context, key, file string) error {
	var (
		got  transfer.Stored
		same bool
		err  error
	)
	now := time.Now()
	options := transfer.PutOptions{Headers: p.rules.Headers(key, now), Cond: p.cond}
	options.ExpiresFloats = options.Headers.Expires != p.rules.Headers(key, now.Add(time.Hour)).Expires
	switch {
	case file == "-":
		got, err = p.stream(ctx, key, options)
	case p.compare:
		got, same, err = p.client.PutChanged(ctx, key, file, options)
	default:
		got, err = p.client.PutFile(ctx, key, file, options)
	}
	if !same { // else nothing was put
		p.track.Track(tracking.Of(tracking.Put, err))
	}
	if err != nil {
		return err
	}
	out := stored{Key: p.name(key)}
	if p.json {
		out.ETag, out.VersionID, out.ContentType, out.Size, out.Unchanged = got.ETag, got.VersionID, got.ContentType, &got.Size, same
	}
	return p.print(out)
}

// stream stores standard input.
func (p *putting) stream(ctx context.Context, key string, o transfer.PutOptions) (transfer.Stored, error) {
	in, err := newPrompt(ctx, os.Stdin)
	if err != nil {
		return transfer.Stored{}, err
	}
	defer in.close()
	got, err := p.client.PutStream(ctx, key, "standard input", in, o)
	if err != nil && ctx.Err() != nil {
		err = errStreamInterrupted
	}
	return got, err
}
