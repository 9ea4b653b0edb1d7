package object

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/internal/tracking"
	"github.com/s3levelfs/s3levelfs/internal/transfer"
	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
)

// copyFlags are those of cp and mv.
func copyFlags() []cli.Flag {
	return levelFlags(append(manyFlags(),
		&cli.StringFlag{Name: "to-level", Usage: "`LEVEL` of TARGET; default: that of SOURCE"},
		&cli.StringFlag{Name: "to-owner", Usage: "TARGET is below the protected files of this identity `ID`"},
		&cli.BoolFlag{Name: "if-none-match", Aliases: []string{"prevent-overwrite"}, Usage: "refuse when TARGET exists, with exit code 73"},
		transferProgressFlag())...)
}

const copyHelp = "The server copies, nothing is downloaded; more than 5 GB go in parts. All headers, metadata and tags are kept, and it is one version\n" +
	"that is copied. With -r all that is below the folder SOURCE gets below the folder TARGET (\"\" is the level itself),\n" +
	"but for what would get back into SOURCE, which fails.\n"

func cpCommand() *cli.Command {
	return &cli.Command{
		Name:        "cp",
		Usage:       "copy objects on the server, also between levels, without a mount; prints {\"key\": …}",
		ArgsUsage:   "SOURCE TARGET",
		Description: copyHelp + "Tags that these credentials have no right to (s3:GetObjectTagging, s3:PutObjectTagging) are left out, which is said once.\n" + keysHelp,
		Flags:       copyFlags(),
		Action:      func(c *cli.Context) error { return copyObjects(c, levels.Get, (*transfer.Client).Copy) },
	}
}

func mvCommand() *cli.Command {
	return &cli.Command{
		Name:      "mv",
		Usage:     "move objects on the server, also between levels, without a mount; prints {\"key\": …}",
		ArgsUsage: "SOURCE TARGET",
		Description: copyHelp + "What is removed is the version that was copied: where SOURCE has been changed meanwhile both objects stay, and the command fails.\n" +
			"What has tags that these credentials have no right to copy (s3:GetObjectTagging, s3:PutObjectTagging) is not moved, but with --drop-tags.\n" +
			keysHelp,
		Flags: append(copyFlags(),
			&cli.BoolFlag{Name: "drop-tags", Usage: "move also what has tags that these credentials may not copy: they are lost"}),
		Action: func(c *cli.Context) error { return copyObjects(c, levels.Get|levels.Delete, (*transfer.Client).Move) },
	}
}

// copier is Copy or Move of a client.
type copier func(c *transfer.Client, ctx context.Context, source, target string, cond store.Cond) (transfer.Stored, error)

// copying is one run of cp or mv.
type copying struct {
	*verb
	to   *area
	cond store.Cond
	do   copier
	move bool // do removes the source, too
	json bool
}

// copyObjects is cp and mv; want is what they need of the source.
func copyObjects(c *cli.Context, want levels.Perm, do copier) error {
	if c.NArg() != 2 {
		return usageOf(c)
	}
	if err := checkMany(c); err != nil {
		return err
	}
	many := c.Bool("recursive")
	v, err := openMany(c, want)
	if err != nil {
		return err
	}
	defer v.close()
	p := &copying{verb: v, cond: store.Cond{IfNoneMatch: c.Bool("if-none-match")}, do: do, move: want.Has(levels.Delete), json: c.Bool("json")}
	if p.to, err = v.targetArea(c); err != nil {
		return err
	}
	if many {
		return p.tree(c)
	}
	source, err := v.key(c.Args().Get(0))
	if err != nil {
		return err
	}
	target, err := p.to.key(c.Args().Get(1))
	if err != nil {
		return err
	}
	return v.explainFailure(p.one(v.ctx, source, target))
}

// targetArea is where a copy gets to.
func (v *verb) targetArea(c *cli.Context) (*area, error) {
	level, owner := c.String("to-level"), c.String("to-owner")
	switch level {
	case "public", "protected", "private":
	case "":
		if level = v.level; owner != "" {
			level = "protected"
		} else {
			owner = c.String("owner")
		}
	default:
		return nil, cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("--to-level: %q is not one of public, protected, private", level))
	}
	a, err := newArea(v.policy, level, owner)
	if err != nil {
		return nil, err
	}
	return a, a.may(levels.Put)
}

func (p *copying) one(ctx context.Context, source, target string) error {
	got, err := p.do(p.client, ctx, source, target, p.cond)
	p.track.Track(tracking.Of(tracking.Copy, err))
	if err != nil {
		return err
	}
	if p.move {
		p.track.Track(tracking.Of(tracking.Remove, nil))
	}
	out := stored{Key: p.to.name(target)}
	if p.json {
		out.ETag, out.VersionID, out.Size = got.ETag, got.VersionID, &got.Size
	}
	return p.print(out)
}

// tree copies all below a folder. A target below its own source would be listed, and copied, again and again.
func (p *copying) tree(c *cli.Context) error {
	n, err := parallelOf(c)
	if err != nil {
		return err
	}
	m, err := newMatcher(c)
	if err != nil {
		return err
	}
	from, to := folder(c.Args().Get(0)), folder(c.Args().Get(1))
	if source, target := p.prefix+from, p.to.prefix+to; len(target) >= len(source) && target[:len(source)] == source {
		return cmdline.WithCode(cmdline.ExitUsage, errors.New("TARGET is below SOURCE: name a folder beside it"))
	}
	t, err := each(p.verb, n, p.below(p.ctx, p.area, from, m), func(o listedObject) string { return p.name(o.Key) }, func(ctx context.Context, o listedObject) error {
		target, err := p.to.key(to + o.name)
		if err != nil {
			return err
		}
		if strings.HasPrefix(target, p.prefix+from) { // SOURCE is below TARGET: it would replace what is still to be copied, or has come from elsewhere
			return cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("key %q would become %q, which is in SOURCE itself: copy or move it alone, afterwards", p.name(o.Key), p.to.name(target)))
		}
		return p.one(ctx, o.Key, target)
	})
	if err != nil {
		return err
	}
	return t.result()
}
