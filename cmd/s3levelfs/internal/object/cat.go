package object

import (
	"github.com/urfave/cli/v2"

	"github.com/s3levelfs/s3levelfs/internal/tracking"
	"github.com/s3levelfs/s3levelfs/levels"
)

func catCommand() *cli.Command {
	return &cli.Command{
		Name:      "cat",
		Usage:     "write objects to standard output, one behind the other, without a mount",
		ArgsUsage: "KEY…",
		Description: "Each object is read in one version, and compared with the store's checksum where there is one; a difference ends the\n" +
			"command with an error behind the bytes.\n" + keysHelp,
		Flags:  levelFlags(rangeFlag()),
		Action: cat,
	}
}

func cat(c *cli.Context) error {
	if c.NArg() == 0 {
		return usageOf(c)
	}
	o, err := parseRange(c.String("range"))
	if err != nil {
		return err
	}
	v, err := openVerb(c, levels.Get)
	if err != nil {
		return err
	}
	defer v.close()
	for _, name := range c.Args().Slice() {
		key, err := v.key(name)
		if err != nil {
			return err
		}
		got, err := v.client.Get(v.ctx, key, c.App.Writer, o)
		v.track.Track(tracking.Download(got.Size, err))
		if err != nil {
			return v.explainFailure(err)
		}
	}
	return nil
}
