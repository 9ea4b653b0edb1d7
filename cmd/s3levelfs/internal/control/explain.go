package control

import (
	"context"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/internal/telemetry"
)

// Explanation is what a mount knows of one path.
type Explanation struct {
	Path     string            `json:"path"`
	Level    string            `json:"level"`
	Owner    string            `json:"owner,omitempty"`
	Key      string            `json:"key,omitempty"`
	Rights   []string          `json:"rights"`
	Kind     string            `json:"kind"` // file, directory, symlink, absent
	Size     int64             `json:"size"`
	Modified time.Time         `json:"modified,omitzero"`
	Mode     string            `json:"mode,omitempty"`
	State    string            `json:"state,omitempty"` // of the upload: clean, queued, sending, failed …
	Error    string            `json:"error,omitempty"`
	Details  map[string]string `json:"details,omitempty"`
}

// ExplainCommand is `explain`: what is known of one file of a mount.
func ExplainCommand() *cli.Command {
	return &cli.Command{
		Name:      "explain",
		Usage:     "tell level, key, rights and upload state of a path in a mount",
		ArgsUsage: "PATH",
		Flags:     []cli.Flag{cmdline.JSONFlag()},
		Action: func(c *cli.Context) error {
			if c.NArg() != 1 {
				return cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("explain needs one PATH"))
			}
			m, rest, err := findMount(c.Args().First())
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(c.Context, 3*StatusTimeout)
			defer cancel()
			var e Explanation
			if err := telemetry.Dial(m.Socket).Explain(ctx, rest, &e); Died(err) {
				return notAnswering(m, err)
			} else if err != nil {
				return err
			}
			if c.Bool("json") {
				return cmdline.PrintJSON(c.App.Writer, e)
			}
			return writeExplanation(c, &e)
		},
	}
}

func writeExplanation(c *cli.Context, e *Explanation) error {
	rows := [][2]string{
		{"path", cmdline.Printable(e.Path)},
		{"level", e.Level},
		{"owner", e.Owner},
		{"key", cmdline.Printable(e.Key)},
		{"rights", fmt.Sprint(e.Rights)},
		{"kind", e.Kind},
		{"mode", e.Mode},
		{"upload", e.State},
		{"error", e.Error},
	}
	if e.Kind == "file" {
		rows = append(rows, [2]string{"size", fmt.Sprintf("%d (%s)", e.Size, cmdline.BytesText(e.Size))})
	}
	if !e.Modified.IsZero() {
		rows = append(rows, [2]string{"modified", e.Modified.Format(time.RFC3339)})
	}
	for k, v := range e.Details {
		rows = append(rows, [2]string{k, v})
	}
	for _, r := range rows {
		if r[1] == "" {
			continue
		}
		if _, err := fmt.Fprintf(c.App.Writer, "%-12s %s\n", r[0], r[1]); err != nil {
			return err
		}
	}
	return nil
}
