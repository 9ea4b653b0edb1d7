package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/internal/feed"
	"github.com/s3levelfs/s3levelfs/internal/telemetry"
)

// WatchCommand is `watch`.
func WatchCommand() *cli.Command {
	return &cli.Command{
		Name:      "watch",
		Usage:     "show what happens in a running mount as it happens",
		ArgsUsage: "[MOUNTPOINT|KEY-PREFIX]",
		Description: "Uploads, copies, removals, conflicts, failures and logins from now on, until the mount ends or Ctrl-C: a line each, and JSON\n" +
			"documents ({\"time\",\"event\",\"path\",\"key\",…}) where nobody sits at standard output, or with --json. The first event is \"watching\", the\n" +
			"last one \"end\". Who reads too slowly loses events, and finds one \"lost\" with their count in their place.\n" +
			"A path in a mount limits it to what is below; anything else is the begin of keys in the only running mount.",
		Flags:  []cli.Flag{cmdline.JSONFlag()},
		Action: watch,
	}
}

func watch(c *cli.Context) error {
	if c.NArg() > 1 {
		return cmdline.WithCode(cmdline.ExitUsage, errors.New("watch takes one MOUNTPOINT or KEY-PREFIX: see `s3levelfs watch -h`"))
	}
	m, want, err := watched(c.Args().First())
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(c.Context, unix.SIGINT, unix.SIGTERM)
	defer stop()
	asJSON := c.Bool("json")
	if f, ok := c.App.Writer.(*os.File); !ok || !cmdline.IsTerminal(f) {
		asJSON = true
	}
	err = telemetry.Dial(m.Socket).Watch(ctx, want, func(event []byte) error { return writeEvent(c.App.Writer, event, asJSON) })
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, unix.EPIPE): // Ctrl-C, or the reader of a pipe has what it wanted
		return nil
	case errors.Is(err, telemetry.ErrWatchCut):
		return fmt.Errorf("%s: %w: `s3levelfs status` says whether it is there; mount again, and what was closed is uploaded", m.Mountpoint, err)
	case Died(err):
		return notAnswering(m, err)
	}
	return err
}

// watched is the mount that an argument lies in, and what of it; an argument that is in none is the begin of keys.
func watched(arg string) (telemetry.Mount, telemetry.WatchRequest, error) {
	if arg != "" {
		if m, rest, err := findMount(arg); err == nil {
			return m, telemetry.WatchRequest{Path: rest}, nil
		}
	}
	if strings.HasPrefix(arg, "/") || strings.HasPrefix(arg, ".") { // a path, and none of a mount
		m, _, err := findMount(arg)
		return m, telemetry.WatchRequest{}, err
	}
	m, _, err := findMount("")
	return m, telemetry.WatchRequest{Prefix: arg}, err
}

// writeEvent writes an event on a line of its own: as it came, or for people.
func writeEvent(out io.Writer, event []byte, asJSON bool) error {
	if asJSON {
		_, err := fmt.Fprintf(out, "%s\n", event)
		return err
	}
	var e feed.Event
	if err := json.Unmarshal(event, &e); err != nil {
		return fmt.Errorf("an event of the mount can not be read: %w", err)
	}
	_, err := fmt.Fprintln(out, eventText(e))
	return err
}

// eventText is an event for people.
func eventText(e feed.Event) string {
	text := fmt.Sprintf("%s  %-12s", e.At.Local().Format("15:04:05"), e.Kind)
	if e.Path != "" {
		text += " " + cmdline.Printable(e.Path)
	}
	switch {
	case e.Kind == feed.Copy:
		text += " from " + cmdline.Printable(e.Other)
	case e.Other != "":
		text += ", the other version is " + cmdline.Printable(e.Other)
	}
	if e.Size != nil {
		text += " (" + cmdline.BytesText(*e.Size) + ")"
	}
	if e.Kind == feed.Lost {
		text += " " + cmdline.Plural(e.Count, "event") + ": they were not read in time"
	}
	if e.Error != "" {
		text += ": " + cmdline.OneLine(e.Error)
	}
	return text
}
