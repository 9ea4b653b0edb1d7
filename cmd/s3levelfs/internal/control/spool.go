package control

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/internal/telemetry"
)

// SpoolCommand is `spool`: what waits for the bucket, by hand.
func SpoolCommand() *cli.Command {
	sub := func(name, args, usage, description string, action cli.ActionFunc, flags ...cli.Flag) *cli.Command {
		return &cli.Command{
			Name: name, ArgsUsage: args, Usage: usage, Description: description, Action: action,
			Flags: append(append(flags, cmdline.JSONFlag()), append(cmdline.GroupFlags(), cmdline.NamedFlags("state-dir", "local", "bucket", "endpoint",
				"identity-id", "guest", "public-prefix", "protected-prefix", "private-prefix")...)...),
		}
	}
	return &cli.Command{
		Name:  "spool",
		Usage: "look at what is not in the bucket yet, by hand: ls, retry, export, discard",
		Description: "The spool keeps every change on this machine until it is in the bucket. Most of it is uploaded by itself.\n" +
			"What is not is kept until you say what to do with it:\n\n" +
			"   quarantined  was open, neither closed nor synced, when its daemon was killed: perhaps half a file\n" +
			"   base-lost    changed parts of a file whose stored version was replaced or removed meanwhile\n\n" +
			"What a damaged disk has left of the spool is quarantined, too, with the reason.\n\n" +
			"Works with a running mount and without one. Without options it looks at all spools of yours; --bucket, --local\n" +
			"and the other store options name one.",
		Subcommands: []*cli.Command{
			sub("ls", " ", "list what is pending, what failed and why, and what is kept",
				"Ids are what export and discard take.", spoolLs),
			sub("retry", "[KEY…]", "try at once what has failed",
				"Without KEY all of it; a KEY that ends in / stands for all below it. Without a running mount there is\n"+
					"nothing to do: the next mount tries everything at once.", spoolRetry),
			sub("export", "ID|KEY", "write the bytes of something in the spool to a file",
				"For what is kept, and for what waits for its upload; the spool keeps it all the same. A file that exists is\n"+
					"never overwritten. Of base-lost changes only parts exist: the file has holes elsewhere, and FILE.ranges\n"+
					"(JSON) beside it lists offset and length of each part that is there.\n\n"+
					"   s3levelfs spool export private/…/report.odt -o ~/rescued/", spoolExport,
				&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "write to `FILE`, or into it under the key's last name if it is a directory (default: here)"}),
			sub("discard", "ID…", "remove what is kept and never uploaded by itself, for good",
				"Asks before on a terminal; elsewhere --yes is needed. What waits for its upload can not be discarded: remove\n"+
					"the file in the mount instead.", spoolDiscard,
				&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "do not ask"}),
		},
	}
}

// spoolListing is one spool in the JSON of `spool ls`.
type spoolListing struct {
	Dir        string `json:"state_dir"`
	Mountpoint string `json:"mountpoint,omitempty"`
	PID        int    `json:"pid,omitempty"`
	Bucket     string `json:"bucket"`
	Endpoint   string `json:"endpoint,omitempty"`
	Identity   string `json:"identity_id,omitempty"`
	telemetry.SpoolList
}

func spoolLs(c *cli.Context) error {
	if c.NArg() > 0 {
		return cmdline.WithCode(cmdline.ExitUsage, errors.New("spool ls takes no arguments, only options"))
	}
	all, err := places(c)
	if err != nil {
		return err
	}
	list := make([]spoolListing, 0, len(all))
	var failed error // of one that can not be looked at the others are still told
	for _, p := range all {
		l := spoolListing{Dir: p.Dir, Bucket: p.Owner.Bucket, Endpoint: p.Owner.Endpoint, Identity: p.Owner.Identity}
		err := p.use(c.Context, func(s telemetry.Spooler) (err error) {
			l.SpoolList, err = s.SpoolList(c.Context)
			return err
		})
		if err != nil {
			failed = err
			continue
		}
		if p.Mount != nil {
			l.Mountpoint, l.PID = p.Mount.Mountpoint, p.Mount.PID
		}
		list = append(list, l)
	}
	if c.Bool("json") {
		return errors.Join(cmdline.PrintJSON(c.App.Writer, list), failed)
	}
	empty := true
	for i := range list {
		if l := &list[i]; len(l.Items)+len(l.Kept) > 0 {
			empty = false
			writeListing(c.App.Writer, l)
		}
	}
	if empty && failed == nil {
		_, err := fmt.Fprintln(c.App.Writer, "nothing is in the spool")
		return err
	}
	return failed
}

// writeListing lists a spool for people.
func writeListing(w io.Writer, l *spoolListing) {
	where := l.Dir + ", not mounted"
	if l.Mountpoint != "" {
		where = fmt.Sprintf("%s, process %d", l.Mountpoint, l.PID)
	}
	_, _ = fmt.Fprintf(w, "%s (%s)\n", cmp.Or(l.Bucket, "?"), where)
	row := func(state string, size int64, since time.Time, id, what, key, why string) {
		when := "-"
		if !since.IsZero() {
			when = cmdline.Ago(since)
		}
		_, _ = fmt.Fprintf(w, "  %-11s %9s  %-12s %-26s %-10s %s\n", state, cmdline.BytesText(size), when, cmp.Or(id, "-"), what, cmdline.Printable(key))
		if why != "" {
			_, _ = fmt.Fprintf(w, "              %s\n", cmdline.OneLine(why))
		}
	}
	for _, i := range l.Items {
		key, why := i.Key, ""
		if i.To != "" {
			key += " -> " + i.To
		}
		if i.Error != "" {
			why = "last time: " + i.Error
			if i.Attempts > 0 {
				why = fmt.Sprintf("tried %s: %s", times(i.Attempts), i.Error)
			}
			if next := time.Until(i.NextTry); next > 0 {
				why += fmt.Sprintf(" (again in %s)", next.Round(time.Second))
			}
		}
		row(i.State, i.Size, i.Since, i.Generation, i.What, key, why)
	}
	for _, k := range l.Kept {
		why := "open, neither closed nor synced, when its daemon ended: `spool export` writes it to a file"
		if k.Reason == ReasonBaseLost {
			why = "the stored version that it changed is gone: `spool export` writes what is ours of it"
		}
		if k.Why != "" {
			why = k.Why + ": `spool export` writes what there is to a file"
		}
		row(k.Reason, k.Size, k.Since, k.Generation, "kept", cmp.Or(k.Key, Nameless), why)
	}
}

// Nameless stands for the key of what no record names.
const Nameless = "(its name is not known)"

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

func spoolRetry(c *cli.Context) error {
	all, err := places(c)
	if err != nil {
		return err
	}
	n, waiting := 0, 0
	for _, p := range all {
		err := p.use(c.Context, func(s telemetry.Spooler) error {
			if p.Mount != nil {
				some, err := s.SpoolRetry(c.Context, c.Args().Slice())
				n += some
				return err
			}
			l, err := s.SpoolList(c.Context)
			waiting += len(l.Items)
			return err
		})
		if err != nil {
			return err
		}
	}
	if c.Bool("json") {
		return cmdline.PrintJSON(c.App.Writer, map[string]int{"retried": n, "not_mounted": waiting})
	}
	if n > 0 || waiting == 0 {
		if n == 0 && c.NArg() > 0 {
			return errors.New("nothing that has failed has such a key: `s3levelfs spool ls` lists what there is")
		}
		_, err = fmt.Fprintf(c.App.Writer, "%s tried again now\n", cmdline.Plural(n, "change"))
		return err
	}
	_, err = fmt.Fprintf(c.App.Writer, "%s in a spool that is not mounted: the next mount tries all at once\n", cmdline.Plural(waiting, "change"))
	return err
}

func spoolDiscard(c *cli.Context) error {
	if c.NArg() == 0 {
		return cmdline.WithCode(cmdline.ExitUsage, errors.New("spool discard needs the ID of what is to go: `s3levelfs spool ls` lists them"))
	}
	all, err := places(c)
	if err != nil {
		return err
	}
	gone := []string{}
	for _, id := range slices.Compact(c.Args().Slice()) {
		at, id, err := findGeneration(c.Context, all, id, true)
		if err != nil {
			return err
		}
		if err := confirm(c, "remove "+id+" from the spool of "+at.name()+" for good?"); err != nil {
			return err
		}
		if err := at.use(c.Context, func(s telemetry.Spooler) error { return s.SpoolDiscard(c.Context, id) }); err != nil {
			return err
		}
		gone = append(gone, id)
	}
	if c.Bool("json") {
		return cmdline.PrintJSON(c.App.Writer, map[string][]string{"discarded": gone})
	}
	_, err = fmt.Fprintln(c.App.Writer, "removed "+strings.Join(gone, ", "))
	return err
}

// confirm asks on a terminal, unless --yes was given.
func confirm(c *cli.Context, question string) error {
	if c.Bool("yes") {
		return nil
	}
	if !cmdline.IsTerminal(os.Stdin) {
		return cmdline.WithCode(cmdline.ExitUsage, errors.New("nobody can be asked here: give --yes"))
	}
	_, _ = fmt.Fprintf(os.Stderr, "%s [y/N] ", question)
	answer, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return errors.New("left as it is")
}
