package object

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"strings"
	"sync"

	"github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/store"
)

// manyFlags are those of the commands that work on folders.
func manyFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.BoolFlag{Name: "recursive", Aliases: []string{"r"}, Usage: "work on all that is below a folder"},
		parallelFlag(),
	}, matchFlags()...)
}

func parallelFlag() cli.Flag {
	return &cli.IntFlag{Name: "parallel", Value: 4, Usage: "with -r: work on `N` objects at the same time (1 to 256)"}
}

func parallelOf(c *cli.Context) (int, error) {
	const most = 256
	if n := c.Int("parallel"); n >= 1 && n <= most {
		return n, nil
	}
	return 0, cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("--parallel: %d is not from 1 to %d", c.Int("parallel"), most))
}

// checkMany refuses options of many objects where one is named, as they would not be looked at, and options of one with -r.
func checkMany(c *cli.Context) error {
	many := c.Bool("recursive")
	for _, name := range []string{"include", "exclude", "filter", "parallel", "whole-level"} {
		if !many && c.IsSet(name) {
			return cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("--%s: chooses among many, %s without -r takes what it is given: add -r, or leave it out", name, c.Command.Name))
		}
	}
	for _, name := range []string{"range", "if-match"} {
		if many && c.IsSet(name) {
			return cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("--%s: is of one object: leave it or -r out", name))
		}
	}
	return nil
}

// sameHelp is what the help says of what is there already.
func sameHelp(what string) string {
	return "What is there already\n" +
		"is not " + what + " again: files are compared with objects by their size and the store's checksum, or its ETag where that is made of MD5s, of\n" +
		"all bytes, never by their times; what can not be compared so is " + what + ". So the same command goes on where it was interrupted."
}

// folder is what a command with -r works below: "" is the whole level, else a slash ends it.
func folder(name string) string {
	if name == "" || strings.HasSuffix(name, "/") {
		return name
	}
	return name + "/"
}

// listedObject is an object of a listing.
type listedObject struct {
	store.Object
	name string // below the folder
}

// below lists the objects below a folder of the area that are wanted.
func (v *verb) below(ctx context.Context, a *area, folder string, m *matcher) iter.Seq2[listedObject, error] {
	return func(yield func(listedObject, error) bool) {
		for page, err := range v.backend.Store.List(ctx, a.prefix+folder, store.ListOptions{}) {
			if err != nil {
				yield(listedObject{}, err)
				return
			}
			for i := range page.Objects {
				o := listedObject{page.Objects[i], strings.TrimPrefix(page.Objects[i].Key, a.prefix+folder)}
				if !a.holds(o.Key) || o.Key == a.prefix || !m.match(o.name) {
					continue
				}
				if !yield(o, nil) {
					return
				}
			}
		}
	}
}

// tally counts what has become of many.
type tally struct {
	mu           sync.Mutex
	done, failed int
	first        error
}

// each does all items, n at a time. What fails is named on standard error and counted, and the others go on; a failure that all of
// them would have ends it. That there is nothing to do is said.
func each[T any](v *verb, n int, items iter.Seq2[T, error], name func(T) string, do func(context.Context, T) error) (*tally, error) {
	t := &tally{}
	g, ctx := errgroup.WithContext(v.ctx)
	g.SetLimit(n)
	var listErr error
	for item, err := range items {
		if err != nil {
			listErr = err
			break
		}
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error {
			err := do(ctx, item)
			if err != nil && hopeless(ctx, err) {
				return err
			}
			t.note(v, name(item), err)
			return nil
		})
	}
	err := errors.Join(g.Wait(), listErr, v.ctx.Err())
	if err == nil && t.done+t.failed == 0 {
		v.notice("nothing was found to " + v.command + ": is the folder's name right?")
	}
	return t, v.explainFailure(err)
}

// note counts one.
func (t *tally) note(v *verb, name string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil {
		t.done++
		return
	}
	err = v.explainFailure(err)
	t.failed++
	if t.first == nil {
		t.first = err
	}
	_, _ = fmt.Fprintf(os.Stderr, "s3levelfs: %s: %s\n", cmdline.Printable(name), cmdline.OneLine(err.Error()))
}

// result is the command's: the exit code is that of the first failure.
func (t *tally) result() error {
	if t.failed == 0 {
		return nil
	}
	return cmdline.WithCode(cmdline.ExitCode(t.first), fmt.Errorf("%d of %s failed, see above",
		t.failed, cmdline.Plural(t.done+t.failed, "object")))
}

// hopeless tells whether what failed one item will fail all others.
func hopeless(ctx context.Context, err error) bool {
	for _, kind := range []error{store.ErrNoBucket, store.ErrCredentials, store.ErrExpired, store.ErrClockSkew} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return ctx.Err() != nil
}
