package account

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/gofrs/flock"
	"github.com/urfave/cli/v2"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/backend"
	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/control"
	"github.com/s3levelfs/s3levelfs/identity"
	"github.com/s3levelfs/s3levelfs/internal/config"
	"github.com/s3levelfs/s3levelfs/internal/telemetry"
	"github.com/s3levelfs/s3levelfs/uploader"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// LogoutCommand is `logout`.
func LogoutCommand() *cli.Command {
	return &cli.Command{
		Name:      "logout",
		Usage:     "end the sign-in: at Cognito, and on this machine",
		ArgsUsage: " ",
		Description: "A running mount goes on until its credentials expire (an hour at most), then it waits for a login.\n" +
			"With --purge also what this machine has of the identity's files goes: the read cache, and the spools if all\n" +
			"in them is uploaded. If not, nothing is done and the exit code is 75; --force throws the unsent data away.",
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "purge", Usage: "remove cache and spools of the identity, too"},
			&cli.BoolFlag{Name: "force", Usage: "with --purge: also spools with data that is in no bucket yet"},
		}, append(cmdline.GroupFlags(config.GroupStore), cmdline.NamedFlags("state-dir", "cache-dir")...)...),
		Action: logout,
	}
}

func logout(c *cli.Context) error {
	cfg, err := cmdline.LoadConfig(c)
	if err != nil {
		return err
	}
	if c.NArg() > 0 {
		return cmdline.WithCode(cmdline.ExitUsage, errors.New("logout takes no arguments: see `s3levelfs logout -h`"))
	}
	if c.Bool("force") && !c.Bool("purge") {
		return cmdline.WithCode(cmdline.ExitUsage, errors.New("--force goes with --purge: a logout alone throws nothing away"))
	}
	if err := backend.NeedPools(cfg); err != nil {
		return err
	}
	app, err := backend.NewCognito(cfg)
	if err != nil {
		return err
	}
	l, _, err := app.Tokens.Load(c.Context, app.Slot)
	if errors.Is(err, identity.ErrLoginNeeded) {
		_, err := fmt.Fprintln(c.App.Writer, "nobody is signed in")
		return err
	}
	if err != nil {
		return cmdline.WithCode(cmdline.ExitConfig, err)
	}
	if c.Bool("purge") {
		if err := purge(cfg, l.IdentityID, c.Bool("force")); err != nil {
			return err
		}
	}
	nobody := func(*identity.Login) (*identity.Login, error) { return nil, nil }
	if err := app.Tokens.Update(c.Context, app.Slot, nobody); err != nil {
		return cmdline.WithCode(cmdline.ExitConfig, err)
	}
	if err := app.Users.SignOut(c.Context, l); err != nil {
		return fmt.Errorf("%s is signed out on this machine, but Cognito was not told, where the login ends by itself: %w", cmdline.Printable(l.Username), err)
	}
	_, err = fmt.Fprintf(c.App.Writer, "%s is signed out\n", cmdline.Printable(l.Username))
	return err
}

// purge removes what this machine has of an identity's files. Unsent data stops it before anything is removed.
func purge(cfg *config.Loaded, identityID string, force bool) error {
	found, err := partitionsOf(cfg, identityID)
	if err != nil {
		return err
	}
	var locks []*flock.Flock
	defer func() {
		for _, l := range locks {
			_ = l.Close()
		}
	}()
	unsent, where := 0, ""
	for _, p := range found {
		lock := flock.New(filepath.Join(p.SpoolDir(), "lock"), flock.SetFlag(os.O_RDWR)) // as the spool itself locks it
		if ok, err := lock.TryLock(); !ok {
			return inUse(p, err)
		}
		locks = append(locks, lock)
		n, err := unsentIn(p)
		if err != nil {
			return err
		}
		if n > 0 {
			unsent, where = unsent+n, p.Dir
		}
	}
	if unsent > 0 && !force {
		return cmdline.WithCode(cmdline.ExitUnsent, fmt.Errorf("%s not in the bucket yet, in %s: mount once more and `s3levelfs umount`, "+
			"or save them with `s3levelfs spool export`; --force throws them away; nothing was done", cmdline.Plural(unsent, "change"), where))
	}
	for _, p := range found {
		if err := errors.Join(os.RemoveAll(p.cache), os.RemoveAll(p.Dir)); err != nil {
			return cmdline.WithCode(cmdline.ExitOther, fmt.Errorf("purge: %w", err))
		}
	}
	return nil
}

// inUse names who has a spool.
func inUse(p partition, err error) error {
	if p.Mount != nil {
		return cmdline.WithCode(cmdline.ExitOther, fmt.Errorf("%s is mounted with it: `s3levelfs umount %s` first; nothing was done", p.Mount.Mountpoint, p.Mount.Mountpoint))
	}
	if err == nil {
		err = errors.New("another process has it")
	}
	return cmdline.WithCode(cmdline.ExitOther, fmt.Errorf("spool in %s: %w: wait for its uploads; nothing was done", p.Dir, err))
}

// unsentIn counts what a spool has that is in no bucket: what waits, and what is kept for its owner to look at.
func unsentIn(p partition) (int, error) {
	v, err := spool.Look(p.SpoolDir())
	if err != nil {
		return 0, cmdline.WithCode(cmdline.ExitOther, fmt.Errorf("spool in %s can not be read, so it is kept: %w", p.Dir, err))
	}
	pending, kept := uploader.Survey(slices.Concat(v.Records, v.Salvaged))
	return len(pending) + len(kept) + len(v.Damaged), nil
}

// partition is what a machine has of one bucket for one identity.
type partition struct {
	control.Place
	cache string // directory
}

// partitionsOf finds the partitions of an identity below the state directory.
func partitionsOf(cfg *config.Loaded, identityID string) ([]partition, error) {
	dirs, err := filepath.Glob(filepath.Join(control.AbsoluteOr(cfg.StateBase()), "*"))
	if err != nil {
		return nil, err
	}
	mounts, err := telemetry.LookUp(config.RuntimeDir())
	if err != nil {
		return nil, err
	}
	var found []partition
	for _, dir := range dirs {
		p := partition{Place: control.Place{Dir: dir}}
		text, err := spool.OwnerOf(p.SpoolDir())
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, control.ErrNotDir) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("spool in %s: %w", dir, err)
		}
		owner, ok := config.ParseOwner(text)
		if !ok || identityID == "" || owner.Identity != identityID {
			continue
		}
		p.Owner, p.cache = owner, filepath.Join(control.AbsoluteOr(cfg.CacheBase()), config.Partition(text))
		if i := slices.IndexFunc(mounts, func(m telemetry.Mount) bool { return m.State == dir }); i >= 0 {
			p.Mount = &mounts[i]
		}
		found = append(found, p)
	}
	return found, nil
}
