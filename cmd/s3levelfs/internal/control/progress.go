package control

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/urfave/cli/v2"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/internal/telemetry"
)

// How often progress is asked for and shown.
const (
	drawEvery = 300 * time.Millisecond
	lineEvery = time.Second
)

// progress is what a wait for uploads has come to. Its total grows with what is written meanwhile.
type progress struct {
	FilesDone int     `json:"files_done"`
	FilesLeft int     `json:"files_left"`
	Failed    int     `json:"failed"` // of those left
	BytesDone int64   `json:"bytes_done"`
	BytesLeft int64   `json:"bytes_left"`
	Rate      int64   `json:"bytes_per_second"`
	Seconds   float64 `json:"seconds_left"` // -1: not known

	files     int   // the most that was left, and
	bytes     int64 // its bytes
	committed int64 // BytesDone without what is on its way
	sent      int64 // by the mount, at the last look that found something committed
	first     time.Time
	began     int64 // sent then
}

// look takes a new state into account: what is left, and how many bytes the mount has sent since it began.
func (p *progress) look(left telemetry.Left, sent int64, now time.Time) {
	if p.first.IsZero() {
		p.first, p.began, p.sent = now, sent, sent
	}
	p.FilesLeft, p.Failed = left.Files, left.Failed
	p.files = max(p.files, left.Files)
	p.FilesDone = p.files - left.Files
	p.bytes = max(p.bytes, left.Bytes)
	if done := p.bytes - left.Bytes; done != p.committed {
		p.committed, p.sent = done, sent
	}
	// Of a large file parts have gone when it is not in the bucket yet; of one that failed they may go again.
	p.BytesDone = p.committed + min(max(sent-p.sent, 0), left.Bytes)
	p.BytesLeft = p.bytes - p.BytesDone
	p.Rate, p.Seconds = 0, -1
	if took := now.Sub(p.first); took > 0 {
		p.Rate = int64(float64(sent-p.began) / took.Seconds())
	}
	if p.Rate > 0 {
		p.Seconds = float64(p.BytesLeft) / float64(p.Rate)
	}
}

// progressFlag is the --progress of the commands that wait.
func progressFlag() cli.Flag {
	return &cli.StringFlag{
		Name: "progress", Value: "auto",
		Usage: "`HOW` progress is told, on standard error: auto (a bar on a terminal, else nothing), json (a line a second), none",
	}
}

// progressOf chooses how progress is shown.
func progressOf(c *cli.Context) (show func(context.Context, *telemetry.Client) (stop func()), err error) {
	switch how := c.String("progress"); how {
	case "json":
		lines := json.NewEncoder(os.Stderr)
		return shower(lineEvery, func(p *progress) { _ = lines.Encode(p) }, func() {}), nil
	case "auto":
		if cmdline.IsTerminal(os.Stderr) {
			bar := &bar{out: os.Stderr}
			return shower(drawEvery, bar.draw, bar.end), nil
		}
	case "none":
	default:
		return nil, cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("--progress: %q is not one of auto, json, none", how))
	}
	return func(context.Context, *telemetry.Client) func() { return func() {} }, nil
}

// shower asks the mount now and then and shows what it says, until stop is called.
func shower(every time.Duration, draw func(*progress), end func()) func(context.Context, *telemetry.Client) func() {
	return func(ctx context.Context, client *telemetry.Client) (stop func()) {
		ctx, cancel := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer end()
			var p progress
			for ctx.Err() == nil {
				var s MountStatus
				if client.Status(ctx, &s) == nil {
					p.look(s.Left(), s.Requests.Sent, time.Now())
					draw(&p)
				}
				select {
				case <-ctx.Done():
				case <-time.After(every):
				}
			}
		}()
		return func() { cancel(); <-done }
	}
}

// bar draws progress on a terminal: of bytes, or of files where none has bytes.
type bar struct {
	out   io.Writer
	bar   *progressbar.ProgressBar
	bytes bool
	most  int64
}

func (b *bar) draw(p *progress) {
	done, most := int64(p.FilesDone), int64(p.files)
	if p.bytes > 0 {
		done, most = p.BytesDone, p.bytes
	}
	if b.bar == nil || b.bytes != (p.bytes > 0) {
		b.end()
		b.bytes, b.most = p.bytes > 0, most
		b.bar = progressbar.NewOptions64(max(most, 1), progressbar.OptionSetWriter(b.out),
			progressbar.OptionClearOnFinish(), progressbar.OptionSetPredictTime(false), progressbar.OptionFullWidth())
	}
	if most != b.most {
		b.most = most
		b.bar.ChangeMax64(max(most, 1))
	}
	b.bar.Describe(describeProgress(p))
	_ = b.bar.Set64(min(done, max(most, 1)-1)) // at its end it would be finished, and more may come
}

// describeProgress says in words what the bar can not.
func describeProgress(p *progress) string {
	text := cmdline.Plural(p.FilesLeft, "change") + " left"
	if p.Failed > 0 {
		text += fmt.Sprintf(" (%d failed)", p.Failed)
	}
	if p.BytesLeft > 0 {
		text += ", " + cmdline.BytesText(p.BytesLeft)
	}
	if p.Rate > 0 {
		text += fmt.Sprintf(", %s/s", cmdline.BytesText(p.Rate))
	}
	if p.Seconds >= 0 && p.BytesLeft > 0 {
		text += ", " + (time.Duration(p.Seconds+0.5) * time.Second).String()
	}
	return text
}

func (b *bar) end() {
	if b.bar != nil {
		_ = b.bar.Clear()
	}
}
