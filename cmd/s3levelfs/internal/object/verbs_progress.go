package object

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/schollz/progressbar/v3"
	"github.com/urfave/cli/v2"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/internal/transfer"
)

// transferProgressFlag is the --progress of the commands that send or get.
func transferProgressFlag() cli.Flag {
	return &cli.StringFlag{
		Name: "progress", Value: "auto",
		Usage: "`HOW` progress is told, on standard error: auto (a bar on a terminal, else nothing), json (a line {loaded,total,key,part} for each part; bytes, total -1 is not known), none",
	}
}

// showProgress chooses how the progress of transfers is told; end takes the bar away. Without the option there is none.
func showProgress(c *cli.Context, a *area) (show func(transfer.Progress), end func(), err error) {
	end = func() {}
	switch how := c.String("progress"); how {
	case "json":
		lines := json.NewEncoder(os.Stderr)
		lines.SetEscapeHTML(false)
		return func(p transfer.Progress) {
			p.Key = a.name(p.Key)
			_ = lines.Encode(p) // who does not read it does not want it
		}, end, nil
	case "auto":
		if cmdline.IsTerminal(os.Stderr) {
			b := &transferBar{loaded: map[string]int64{}}
			return b.draw, b.end, nil
		}
	case "none", "":
	default:
		return nil, end, cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("--progress: %q is not one of auto, json, none", how))
	}
	return nil, end, nil
}

// transferBar draws the sum of all objects on a terminal.
type transferBar struct {
	bar         *progressbar.ProgressBar
	loaded      map[string]int64 // of objects under way
	done, total int64            // bytes
	unknown     bool             // how much there is
}

func (b *transferBar) draw(p transfer.Progress) {
	before, known := b.loaded[p.Key]
	if !known && p.Total >= 0 {
		b.total += p.Total
	}
	b.unknown = b.unknown || p.Total < 0
	b.loaded[p.Key] = p.Loaded
	b.done += p.Loaded - before
	most := b.total
	if b.unknown {
		most = -1
	}
	if b.bar == nil {
		b.bar = progressbar.NewOptions64(most, progressbar.OptionSetWriter(os.Stderr), progressbar.OptionShowBytes(true),
			progressbar.OptionClearOnFinish(), progressbar.OptionFullWidth())
	}
	if !b.unknown {
		b.bar.ChangeMax64(max(most, 1))
	}
	b.bar.Describe(cmdline.Printable(p.Key))
	_ = b.bar.Set64(b.done)
}

func (b *transferBar) end() {
	if b.bar != nil {
		_ = b.bar.Clear()
	}
}
