package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/gofrs/flock"
	"github.com/urfave/cli/v2"

	"github.com/s3levelfs/s3levelfs/identity"
	"github.com/s3levelfs/s3levelfs/internal/config"
	"github.com/s3levelfs/s3levelfs/internal/telemetry"
	"github.com/s3levelfs/s3levelfs/uploader"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

func logoutCommand() *cli.Command {
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
		}, append(groupFlags(config.GroupStore), namedFlags("state-dir", "cache-dir")...)...),
		Action: logout,
	}
}

func logout(c *cli.Context) error {
	cfg, err := loadConfig(c)
	if err != nil {
		return err
	}
	if c.NArg() > 0 {
		return withCode(exitUsage, errors.New("logout takes no arguments: see `s3levelfs logout -h`"))
	}
	if c.Bool("force") && !c.Bool("purge") {
		return withCode(exitUsage, errors.New("--force goes with --purge: a logout alone throws nothing away"))
	}
	if err := needPools(cfg); err != nil {
		return err
	}
	app, err := newCognito(cfg)
	if err != nil {
		return err
	}
	l, _, err := app.tokens.Load(c.Context, app.slot)
	if errors.Is(err, identity.ErrLoginNeeded) {
		_, err := fmt.Fprintln(c.App.Writer, "nobody is signed in")
		return err
	}
	if err != nil {
		return withCode(exitConfig, err)
	}
	if c.Bool("purge") {
		if err := purge(cfg, l.IdentityID, c.Bool("force")); err != nil {
			return err
		}
	}
	nobody := func(*identity.Login) (*identity.Login, error) { return nil, nil }
	if err := app.tokens.Update(c.Context, app.slot, nobody); err != nil {
		return withCode(exitConfig, err)
	}
	if err := app.users.SignOut(c.Context, l); err != nil {
		return fmt.Errorf("%s is signed out on this machine, but Cognito was not told, where the login ends by itself: %w", printable(l.Username), err)
	}
	_, err = fmt.Fprintf(c.App.Writer, "%s is signed out\n", printable(l.Username))
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
		lock := flock.New(filepath.Join(p.spoolDir(), "lock"), flock.SetFlag(os.O_RDWR)) // as the spool itself locks it
		if ok, err := lock.TryLock(); !ok {
			return inUse(p, err)
		}
		locks = append(locks, lock)
		n, err := unsentIn(p)
		if err != nil {
			return err
		}
		if n > 0 {
			unsent, where = unsent+n, p.dir
		}
	}
	if unsent > 0 && !force {
		return withCode(exitUnsent, fmt.Errorf("%s not in the bucket yet, in %s: mount once more and `s3levelfs umount`, "+
			"or save them with `s3levelfs spool export`; --force throws them away; nothing was done", plural(unsent, "change"), where))
	}
	for _, p := range found {
		if err := errors.Join(os.RemoveAll(p.cache), os.RemoveAll(p.dir)); err != nil {
			return withCode(exitOther, fmt.Errorf("purge: %w", err))
		}
	}
	return nil
}

// inUse names who has a spool.
func inUse(p partition, err error) error {
	if p.mount != nil {
		return withCode(exitOther, fmt.Errorf("%s is mounted with it: `s3levelfs umount %s` first; nothing was done", p.mount.Mountpoint, p.mount.Mountpoint))
	}
	if err == nil {
		err = errors.New("another process has it")
	}
	return withCode(exitOther, fmt.Errorf("spool in %s: %w: wait for its uploads; nothing was done", p.dir, err))
}

// unsentIn counts what a spool has that is in no bucket: what waits, and what is kept for its owner to look at.
func unsentIn(p partition) (int, error) {
	v, err := spool.Look(p.spoolDir())
	if err != nil {
		return 0, withCode(exitOther, fmt.Errorf("spool in %s can not be read, so it is kept: %w", p.dir, err))
	}
	pending, kept := uploader.Survey(slices.Concat(v.Records, v.Salvaged))
	return len(pending) + len(kept) + len(v.Damaged), nil
}

// partition is what a machine has of one bucket for one identity.
type partition struct {
	place
	cache string // directory
}

// partitionsOf finds the partitions of an identity below the state directory.
func partitionsOf(cfg *config.Loaded, identityID string) ([]partition, error) {
	dirs, err := filepath.Glob(filepath.Join(absoluteOr(cfg.StateBase()), "*"))
	if err != nil {
		return nil, err
	}
	mounts, err := telemetry.LookUp(config.RuntimeDir())
	if err != nil {
		return nil, err
	}
	var found []partition
	for _, dir := range dirs {
		p := partition{place: place{dir: dir}}
		text, err := spool.OwnerOf(p.spoolDir())
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNotDir) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("spool in %s: %w", dir, err)
		}
		owner, ok := config.ParseOwner(text)
		if !ok || identityID == "" || owner.Identity != identityID {
			continue
		}
		p.owner, p.cache = owner, filepath.Join(absoluteOr(cfg.CacheBase()), config.Partition(text))
		if i := slices.IndexFunc(mounts, func(m telemetry.Mount) bool { return m.State == dir }); i >= 0 {
			p.mount = &mounts[i]
		}
		found = append(found, p)
	}
	return found, nil
}
