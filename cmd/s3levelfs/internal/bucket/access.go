package bucket

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/backend"
	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/internal/access"
	"github.com/s3levelfs/s3levelfs/internal/config"
)

// AccessCommand is `access`: it probes what the identity may do and prints the truth table.
func AccessCommand() *cli.Command {
	return &cli.Command{
		Name:      "access",
		Usage:     "find out what these credentials may really do in each place, without leaving anything behind",
		ArgsUsage: " ",
		Description: "Asks the server about each operation in each place, and marks what differs from what a mount takes for granted. No object\n" +
			"is changed, and none is made: writes are asked for by requests that the server must refuse after it has judged the rights.\n\n" +
			"   yes, no    certain\n" +
			"   yes~, no~  probably; why stands below the table\n" +
			"   ?          not known: Amazon S3 answers 403 for an object that does not exist as for one that may not be read, so that\n" +
			"              reading in an empty place can not be told; --make-objects makes an object there, reads and removes it\n" +
			"   !          differs from what a mount takes for granted\n\n" +
			"Exits with 2 when something differs.",
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "make-objects", Usage: "settle what is not known by an object that is made, read and removed; a bucket that keeps versions keeps it"},
			cmdline.JSONFlag(),
		}, cmdline.GroupFlags(config.GroupStore)...),
		Action: probeAccess,
	}
}

func probeAccess(c *cli.Context) error {
	const command = "access"
	cfg, err := backend.LoadForBucket(c, command)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Context, backend.AdminTimeout)
	defer cancel()
	if err := cfg.RequireStore(); err != nil {
		return err
	}
	if err := backend.NotLocal(cfg, command); err != nil { // before an identity is made in its directory
		return err
	}
	w, err := backend.OpenIdentity(ctx, cfg)
	if err != nil {
		return err
	}
	defer w.Close()
	s, err := backend.OpenBucket(ctx, cfg, w.Credentials, command)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	cfg.Level, cfg.Uploads = "", true // every place is asked about
	policy, err := backend.NewPolicy(cfg, w.Identity)
	if err != nil {
		return err
	}
	report, err := access.Probe(ctx, s, access.Config{
		Policy: policy, Prefixes: prefixesOf(cfg), Paths: cfg.AppBucket != nil && len(cfg.AppBucket.Paths) > 0, MakeObjects: c.Bool("make-objects"),
	})
	if len(report.Left) > 0 {
		return fmt.Errorf("bucket %s: the server has stored a probe that may not be removed: remove %q", cfg.Bucket, strings.Join(report.Left, ", "))
	}
	if err != nil {
		return backend.Describe(err, cfg.Bucket)
	}
	if c.Bool("json") {
		err = cmdline.PrintJSON(c.App.Writer, report.Cells)
	} else {
		err = writeAccess(c.App.Writer, report)
	}
	if n := report.Differences(); err == nil && n > 0 {
		err = cmdline.WithCode(cmdline.ExitFound, fmt.Errorf("bucket %s: %s from what a mount takes for granted: check the role's policy (`s3levelfs policy -h`)", cfg.Bucket, differences(n)))
	}
	return err
}

func differences(n int) string {
	if n == 1 {
		return "1 right differs"
	}
	return fmt.Sprintf("%d rights differ", n)
}

// writeAccess is the table for people, one row a place, and below it why an answer is not certain.
func writeAccess(w io.Writer, r access.Report) error {
	var b strings.Builder
	width := len("protected other")
	for _, cell := range r.Cells {
		width = max(width, len(cell.Place))
	}
	fmt.Fprintf(&b, "%-*s ", width, "")
	for _, o := range access.Ops() {
		fmt.Fprintf(&b, "%-11s", o)
	}
	var notes []string
	for at := 0; at < len(r.Cells); {
		place := r.Cells[at].Place
		cells := map[access.Op]string{}
		for ; at < len(r.Cells) && r.Cells[at].Place == place; at++ {
			cell := r.Cells[at]
			cells[cell.Op] = answerText(cell)
			if !cell.Certain {
				notes = append(notes, fmt.Sprintf("%s, %s: %s", place, cell.Op, cmdline.OneLine(cell.Why)))
			}
		}
		fmt.Fprintf(&b, "\n%-*s ", width, place)
		for _, o := range access.Ops() {
			fmt.Fprintf(&b, "%-11s", cmp.Or(cells[o], "-"))
		}
	}
	b.WriteString("\n")
	for _, n := range notes {
		b.WriteString(n + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func answerText(c access.Cell) string {
	text := string(c.Answer)
	switch {
	case c.Answer == access.Unknown:
		text = "?"
	case !c.Certain:
		text += "~"
	}
	if c.Differs() {
		text += "!"
	}
	return text
}
