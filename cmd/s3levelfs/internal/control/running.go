package control

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/fs"
	"github.com/s3levelfs/s3levelfs/internal/config"
	"github.com/s3levelfs/s3levelfs/internal/telemetry"
)

// StatusTimeout bounds a question that a healthy mount answers in milliseconds.
const StatusTimeout = 10 * time.Second

// exitGrace is how long a daemon that has nothing left to do may take to end.
const exitGrace = 20 * time.Second

// Registry is where the running mounts of this user are found.
func Registry() (*telemetry.Registry, error) {
	return telemetry.NewRegistry(config.RuntimeDir())
}

// findMount names the running mount that an argument lies in. Without one it
// is the only running mount, or else the one that holds the working directory.
func findMount(arg string) (telemetry.Mount, string, error) {
	reg, err := Registry()
	if err != nil {
		return telemetry.Mount{}, "", err
	}
	if arg != "" {
		abs, err := absolute(arg)
		if err != nil {
			return telemetry.Mount{}, "", err
		}
		if m, rest, ok := reg.Find(abs); ok {
			return m, rest, nil
		}
		return telemetry.Mount{}, "", fmt.Errorf("%s is not in a running mount of yours: `s3levelfs status` lists them", abs)
	}
	mounts, err := reg.List()
	switch {
	case err != nil:
		return telemetry.Mount{}, "", err
	case len(mounts) == 0:
		return telemetry.Mount{}, "", errors.New("nothing is mounted: `s3levelfs mount -h` tells how")
	case len(mounts) == 1:
		return mounts[0], "", nil
	}
	if wd, err := os.Getwd(); err == nil {
		if m, _, ok := reg.Find(wd); ok {
			return m, "", nil
		}
	}
	return telemetry.Mount{}, "", cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("%d mounts are running: name one by its path", len(mounts)))
}

// absolute resolves the symlinks of the path's directory without touching the
// path itself more than needed: a mount that hangs must not hang the command.
func absolute(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	reg, err := Registry()
	if err != nil {
		return "", err
	}
	if _, _, ok := reg.Find(abs); ok {
		return abs, nil
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(abs)); err == nil {
		return filepath.Join(dir, filepath.Base(abs)), nil
	}
	return abs, nil
}

// LeftError is what sync and umount say when something is left.
func LeftError(left telemetry.Left) error {
	if left.Files == 0 {
		return nil
	}
	text := fmt.Sprintf("%s (%s) not uploaded yet, kept in the spool", cmdline.Plural(left.Files, "change"), cmdline.BytesText(left.Bytes))
	if left.Failed > 0 {
		text += fmt.Sprintf("; %d of them failed and will be retried", left.Failed)
	}
	if left.Error != "" {
		text += ": " + left.Error
	}
	return cmdline.WithCode(cmdline.ExitUnsent, errors.New(text))
}

// waitUploaded waits for the uploads below path, showing progress. The end of the time is not an error of its own: what is
// left is.
func waitUploaded(c *cli.Context, client *telemetry.Client, path string) (telemetry.Left, error) {
	show, err := progressOf(c)
	if err != nil {
		return telemetry.Left{}, err
	}
	defer show(c.Context, client)()
	return client.Sync(c.Context, path, c.Duration("timeout"))
}

// waitGone waits for the end of a process, so that after umount the spool and the
// embedded S3 are free for the next command.
func waitGone(pid int, limit time.Duration) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("process %d: %w", pid, err)
	}
	defer func() { _ = unix.Close(fd) }()
	for end := time.Now().Add(limit); ; {
		left := max(time.Until(end), 0)
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(left.Milliseconds()))
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return fmt.Errorf("process %d: %w", pid, err)
		case n == 0:
			return fmt.Errorf("unmounted, but the daemon (process %d) is still busy", pid)
		default:
			return nil
		}
	}
}

// removeDead takes away the mount of a daemon that was killed: there is nothing that could be asked.
func removeDead(arg string) (bool, error) {
	abs, err := filepath.Abs(arg)
	if err != nil {
		return false, err
	}
	removed, err := fs.RemoveDead(abs)
	if removed && err == nil {
		_, _ = fmt.Fprintf(os.Stderr, "s3levelfs: %s: its process had died, the mount is removed; "+
			"what was closed is in the spool, and the next mount uploads it\n", abs)
	}
	return removed, err
}

// Died tells whether a question failed because the process that serves the socket has ended.
func Died(err error) bool {
	return errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.ENOENT)
}

// notAnswering says of a mount whose control socket does not answer why, and what to do.
func notAnswering(m telemetry.Mount, err error) error {
	if Died(err) {
		return fmt.Errorf("%s: its process (%d) has died: `s3levelfs umount %s` removes the mount; mount again, "+
			"and what was closed is uploaded", m.Mountpoint, m.PID, m.Mountpoint)
	}
	return fmt.Errorf("%s (process %d) does not answer: %w", m.Mountpoint, m.PID, err)
}

// SyncCommand is `sync`: it waits for the uploads of a mount.
func SyncCommand() *cli.Command {
	return &cli.Command{
		Name:      "sync",
		Usage:     "wait until what was written is in the bucket",
		ArgsUsage: "[PATH]",
		Description: "Waits for the uploads below PATH (default: all of the mount). sync(1) can not do this.\n" +
			"Exits with 75 when something failed or the time ran out; it stays in the spool and is retried.",
		Flags: []cli.Flag{
			&cli.DurationFlag{Name: "timeout", Usage: "give up after `TIME`; 0 waits as long as uploads go on"},
			progressFlag(), cmdline.JSONFlag(),
		},
		Action: func(c *cli.Context) error {
			m, rest, err := findMount(c.Args().First())
			if err != nil {
				return err
			}
			left, err := waitUploaded(c, telemetry.Dial(m.Socket), rest)
			if Died(err) {
				return notAnswering(m, err)
			}
			if err != nil {
				return err
			}
			if c.Bool("json") {
				if err := cmdline.PrintJSON(c.App.Writer, left); err != nil {
					return err
				}
			}
			return LeftError(left)
		},
	}
}

// UmountCommand is `umount`: it ends a mount when all is in the bucket.
func UmountCommand() *cli.Command {
	return &cli.Command{
		Name:      "umount",
		Usage:     "wait for the uploads, then unmount",
		ArgsUsage: "MOUNTPOINT",
		Description: "Drains the spool, then takes the mount away. What is left when the time is over stays in the\n" +
			"spool, is counted here (exit code 75) and uploaded by the next mount of the same bucket and identity.",
		Flags: []cli.Flag{
			&cli.DurationFlag{Name: "timeout", Value: 5 * time.Minute, Usage: "unmount after `TIME` even if uploads are left"},
			&cli.BoolFlag{Name: "no-wait", Usage: "unmount at once; the daemon drains on its own"},
			progressFlag(), cmdline.JSONFlag(),
		},
		Action: umount,
	}
}

func umount(c *cli.Context) error {
	if c.NArg() != 1 {
		return cmdline.WithCode(cmdline.ExitUsage, errors.New("umount needs one MOUNTPOINT"))
	}
	m, rest, err := findMount(c.Args().First())
	if removed, err := removeDead(c.Args().First()); removed || err != nil {
		return err
	}
	if err != nil {
		return err
	}
	if rest != "" {
		return cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("%s is inside a mount: its mountpoint is %s", c.Args().First(), m.Mountpoint))
	}
	client := telemetry.Dial(m.Socket)
	var left telemetry.Left
	if !c.Bool("no-wait") {
		if left, err = waitUploaded(c, client, ""); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(c.Context, 2*StatusTimeout)
	defer cancel()
	if err := client.Unmount(ctx); err != nil {
		return err
	}
	if !c.Bool("no-wait") {
		if err := waitGone(m.PID, exitGrace); err != nil && left.Files == 0 {
			return err // else what is left is the news, and the daemon is still at it
		}
	}
	if c.Bool("json") {
		if err := cmdline.PrintJSON(c.App.Writer, left); err != nil {
			return err
		}
	}
	return LeftError(left)
}
