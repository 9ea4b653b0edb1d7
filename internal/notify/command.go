package notify

import (
	"context"
	"fmt"
	"html"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/s3levelfs/s3levelfs/internal/command"
)

// Desktop is the value of --notify that means notify-send(1).
const Desktop = "desktop"

// ByDesktop tells by notify-send; an error: this machine has none.
func ByDesktop() (func(context.Context, Event) error, error) {
	program, err := exec.LookPath("notify-send")
	if err != nil {
		return nil, fmt.Errorf("--notify desktop: %w: install libnotify-bin, or name a command", err)
	}
	return func(ctx context.Context, e Event) error {
		// The body may be read as markup.
		return command.Run(exec.CommandContext(ctx, program, "--app-name=s3levelfs", "--", e.Title(), html.EscapeString(e.Text()))) //nolint:gosec // no shell reads the text
	}, nil
}

// ByCommand tells by a shell command, with what there is to tell in its environment: S3LEVELFS_EVENT, _PATH, _OTHER, _ERROR,
// _MORE, _TEXT.
func ByCommand(line string) func(context.Context, Event) error {
	return func(ctx context.Context, e Event) error {
		cmd := exec.CommandContext(ctx, "/bin/sh", "-c", line) //nolint:gosec // the user's own command
		cmd.Env = os.Environ()
		for name, value := range map[string]string{
			"EVENT": string(e.Kind), "PATH": e.Path, "OTHER": e.Other, "ERROR": e.Err, "MORE": strconv.Itoa(e.More), "TEXT": e.Text(),
		} {
			cmd.Env = append(cmd.Env, "S3LEVELFS_"+name+"="+strings.ReplaceAll(value, "\x00", ""))
		}
		return command.Run(cmd)
	}
}
