package trigger

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/s3levelfs/s3levelfs/internal/command"
)

// passed are the variables of the mount that a command gets: they say how this machine is and whose the session is, none is a secret.
func passed() []string {
	return []string{
		"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_MESSAGES", "TZ", "TMPDIR",
		"XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "DISPLAY", "WAYLAND_DISPLAY",
		"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE",
	}
}

// Environ is the environment of commands: of the mount's what is known to be no secret, and where it is mounted.
func Environ(own []string, mountpoint string) []string {
	var env []string
	for _, pair := range own {
		name, _, _ := strings.Cut(pair, "=")
		if slices.Contains(passed(), name) {
			env = append(env, pair)
		}
	}
	return append(env, "S3LEVELFS_MOUNTPOINT="+mountpoint)
}

// Program runs commands as programs, each in a process group of its own, with env and S3LEVELFS_PATH, the path of the object below the
// mountpoint. Their working directory is the root: one in the mount would keep it from being taken away. Their output goes nowhere but for the last line of standard error of one that fails. What they leave in the background ends with them.
func Program(env []string) func(context.Context, Call) error {
	return func(ctx context.Context, c Call) error {
		cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...) //nolint:gosec // the user's own command
		cmd.Env = append(slices.Clone(env), "S3LEVELFS_PATH="+strings.ReplaceAll(c.Path, "\x00", ""))
		cmd.Dir = "/"
		cmd.Stdin = bytes.NewReader(c.Stdin)
		return command.RunGroup(cmd)
	}
}

// Resolve reads a command line, as [command.Split] separates its words, and finds its program, as an absolute path.
func Resolve(line string) ([]string, error) {
	words, err := command.Split(line)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", line, err)
	}
	program, err := exec.LookPath(words[0])
	if err != nil {
		return nil, fmt.Errorf("%q: %w: name a program; pipes and variables want a shell: sh -c '…'", line, err)
	}
	if words[0], err = filepath.Abs(program); err != nil {
		return nil, fmt.Errorf("%q: %w", line, err)
	}
	return words, nil
}
