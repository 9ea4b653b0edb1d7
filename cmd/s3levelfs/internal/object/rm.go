package object

import (
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/internal/tracking"
	"github.com/s3levelfs/s3levelfs/internal/transfer"
	"github.com/s3levelfs/s3levelfs/levels"
)

func rmCommand() *cli.Command {
	return &cli.Command{
		Name:      "rm",
		Usage:     "remove objects, without a mount",
		ArgsUsage: "KEY…",
		Description: "A KEY that does not exist is no error, as with Amplify's remove. With -r a KEY is a folder: the object KEY/ and all below it go, in\n" +
			"requests of up to 1,000. A whole level is removed only with --whole-level.\n" + keysHelp,
		Flags: levelFlags(append([]cli.Flag{
			&cli.BoolFlag{Name: "recursive", Aliases: []string{"r"}, Usage: "remove all that is below the folder KEY"},
			&cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "print what would be removed, remove nothing"},
			&cli.BoolFlag{Name: "whole-level", Usage: "with -r and the KEY \"\": remove everything in the level"},
		}, matchFlags()...)...),
		Action: rm,
	}
}

// removed is what rm --json prints of an object.
type removed struct {
	Key    string `json:"key"`
	DryRun bool   `json:"dryRun,omitempty"`
}

func rm(c *cli.Context) error {
	if c.NArg() == 0 {
		return usageOf(c)
	}
	if err := checkMany(c); err != nil {
		return err
	}
	m, err := newMatcher(c)
	if err != nil {
		return err
	}
	v, err := openMany(c, levels.Delete)
	if err != nil {
		return err
	}
	defer v.close()
	r := &removing{verb: v, json: c.Bool("json"), dry: c.Bool("dry-run"), tally: &tally{}}
	if !c.Bool("recursive") {
		return r.keys(c.Args().Slice())
	}
	for _, name := range c.Args().Slice() {
		if err := r.tree(name, c.Bool("whole-level"), m); err != nil {
			return err
		}
	}
	return r.tally.result()
}

// removing is one run of rm.
type removing struct {
	*verb
	json, dry bool
	tally     *tally
}

// keys removes single objects; a name that is not one of the level keeps all from going.
func (r *removing) keys(names []string) error {
	keys := make([]string, 0, len(names))
	for _, name := range names {
		key, err := r.key(name)
		if err != nil {
			return err
		}
		keys = append(keys, key)
	}
	if err := r.batch(keys); err != nil {
		return err
	}
	return r.tally.result()
}

// tree removes all below a folder.
func (r *removing) tree(name string, whole bool, m *matcher) error {
	if strings.Trim(name, "/") == "" && !whole || name == "*" {
		return cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("rm -r %q: would remove all of level %s: name a folder, or say so with \"\" and --whole-level", name, r.level))
	}
	if name != "" {
		if _, err := r.key(folder(name)); err != nil {
			return err
		}
	}
	var keys []string
	for o, err := range r.below(r.ctx, r.area, folder(name), m) {
		if err != nil {
			return r.explainFailure(err)
		}
		if keys = append(keys, o.Key); len(keys) == r.backend.Store.Limits().MaxDelete {
			if err := r.batch(keys); err != nil {
				return err
			}
			keys = nil
		}
	}
	return r.batch(keys)
}

// batch removes keys, or says that it would.
func (r *removing) batch(keys []string) error {
	if r.dry {
		return r.tell(keys)
	}
	var printed error
	failed, err := r.client.Remove(r.ctx, keys, func(gone []string) {
		r.tally.done += len(gone)
		for range gone {
			r.track.Track(tracking.Of(tracking.Remove, nil))
		}
		if r.json {
			printed = errors.Join(printed, r.tell(gone))
		}
	})
	for _, f := range failed {
		r.track.Track(tracking.Of(tracking.Remove, f.Err))
		r.noteFailure(f)
	}
	if err != nil {
		r.track.Track(tracking.Of(tracking.Remove, err))
	}
	return errors.Join(r.explainFailure(err), printed)
}

func (r *removing) noteFailure(f transfer.Failure) { r.tally.note(r.verb, r.name(f.Key), f.Err) }

// tell prints keys, one a line.
func (r *removing) tell(keys []string) error {
	for _, k := range keys {
		var err error
		if r.json {
			err = r.print(removed{r.name(k), r.dry})
		} else {
			_, err = fmt.Fprintln(r.out, cmdline.Printable(r.name(k)))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
