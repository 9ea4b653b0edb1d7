package daemon

import (
	"context"
	"errors"
	"os"
	"os/signal"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/backend"
	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/fs"
	"github.com/s3levelfs/s3levelfs/internal/config"
)

// MountCommand is `mount`: the daemon, and what starts it.
func MountCommand() *cli.Command {
	return &cli.Command{
		Name:      "mount",
		Usage:     "mount the bucket's access levels as a file system",
		ArgsUsage: "MOUNTPOINT",
		Description: "Shows public/, protected/<identity id>/ and private/ of one bucket below MOUNTPOINT (an empty\n" +
			"directory) and returns when the mount can be used; a daemon serves it until `s3levelfs umount`.\n\n" +
			"   s3levelfs mount --local ~/data ~/cloud                    no account needed: the embedded S3\n" +
			"   s3levelfs mount --bucket B --region R --identity-id ID ~/cloud\n" +
			"   s3levelfs mount --bucket B --endpoint http://127.0.0.1:9000 --identity-id ID ~/cloud\n" +
			"   s3levelfs mount --per-user --config /etc/s3levelfs/amplify_outputs.json /srv/cloud      as root, for all users of the machine",
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "foreground", Aliases: []string{"f"}, Usage: "stay in the foreground; Ctrl-C unmounts", Category: "mount options"},
			&cli.BoolFlag{Name: loginOrGuestFlag, Hidden: true},
		}, cmdline.GroupFlags(config.GroupStore, config.GroupMount, config.GroupObject, config.GroupTrack, config.GroupLog)...),
		Action: mount,
	}
}

func mount(c *cli.Context) error {
	cfg, err := cmdline.LoadConfig(c)
	if err != nil {
		return err
	}
	if c.NArg() != 1 {
		return cmdline.WithCode(cmdline.ExitUsage, errors.New("mount needs one MOUNTPOINT, an empty directory: see `s3levelfs mount -h`"))
	}
	if err := cfg.RequireStore(); err != nil {
		return err
	}
	if _, err := backend.ObjectRules(cfg); err != nil {
		return err
	}
	if err := checkObservers(cfg, c.Bool("foreground")); err != nil {
		return err
	}
	mountpoint, err := fs.CheckMountpoint(c.Args().First())
	if err != nil {
		return mountFailed(err)
	}
	if cfg.PerUser {
		if err := checkPerUser(cfg); err != nil {
			return err
		}
	}
	if !c.Bool("foreground") {
		return startDaemon(c.Context, os.Args[1:])
	}
	ctx, stop := signal.NotifyContext(c.Context, unix.SIGINT, unix.SIGTERM)
	defer stop()
	ready, err := readiness()
	if err != nil {
		return err
	}
	if cfg.PerUser {
		return mountPerUser(ctx, stop, cfg, mountpoint, ready)
	}
	if c.Bool(loginOrGuestFlag) {
		if err := beGuestWithoutLogin(ctx, cfg); err != nil {
			ready.failed(err)
			return err
		}
	}
	go boundMemory(ctx, cfg.Memory-cacheMemory(cfg.Memory)) // the cache's blocks are not the collector's
	s, err := openSession(ctx, cfg, mountpoint, ready.daemon())
	if err != nil {
		ready.failed(err)
		return err
	}
	if err := ready.ok(s.socket()); err != nil {
		s.log.Warn("the command that started the mount has gone")
	}
	return s.serve(ctx, stop)
}

// contextWithout keeps values but not the end of a context: what must be
// finished after a signal runs under it.
func contextWithout(ctx context.Context) context.Context { return context.WithoutCancel(ctx) }
