package control

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/backend"
	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/internal/config"
	"github.com/s3levelfs/s3levelfs/internal/telemetry"
	"github.com/s3levelfs/s3levelfs/uploader"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// Place is one state directory with a spool, and the mount that has it, if one runs.
type Place struct {
	Dir   string
	Owner config.Owned
	Mount *telemetry.Mount // nil: none runs
}

// SpoolDir is the directory of the spool.
func (p *Place) SpoolDir() string { return filepath.Join(p.Dir, "spool") }

// name says which spool it is, for people.
func (p *Place) name() string {
	where := p.Owner.Bucket
	if p.Owner.Endpoint != "" {
		where += " at " + p.Owner.Endpoint
	}
	if p.Mount != nil {
		return fmt.Sprintf("%s (%s)", p.Mount.Mountpoint, where)
	}
	return fmt.Sprintf("%s (%s, not mounted)", p.Dir, where)
}

// places finds the spools that a command's options mean: that of the bucket and identity that are named, else
// all of this user.
func places(c *cli.Context) ([]*Place, error) {
	cfg, err := cmdline.LoadConfig(c)
	if err != nil {
		return nil, err
	}
	reg, err := Registry()
	if err != nil {
		return nil, err
	}
	mounts, err := reg.List()
	if err != nil {
		return nil, err
	}
	mountOf := map[string]*telemetry.Mount{}
	for i := range mounts {
		mountOf[mounts[i].State] = &mounts[i]
	}
	var dirs []string
	if cfg.Bucket != "" || cfg.Local != "" {
		dir, err := namedPlace(cfg)
		if err != nil {
			return nil, err
		}
		dirs = []string{dir}
	} else {
		if dirs, err = filepath.Glob(filepath.Join(cfg.StateBase(), "*")); err != nil {
			return nil, err
		}
		for dir := range mountOf {
			dirs = append(dirs, dir)
		}
	}
	slices.Sort(dirs)
	var found []*Place
	for _, dir := range slices.Compact(dirs) {
		p := &Place{Dir: dir, Mount: mountOf[dir]}
		owner, err := spool.OwnerOf(p.SpoolDir())
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrNotDir) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("spool in %s: %w", dir, err)
		}
		p.Owner, _ = config.ParseOwner(owner)
		found = append(found, p)
	}
	return found, nil
}

// namedPlace is the state directory of the bucket and identity of the options; nothing is made.
func namedPlace(cfg *config.Loaded) (string, error) {
	if err := cfg.RequireStore(); err != nil {
		return "", err
	}
	if cfg.Local != "" {
		if _, err := os.Stat(cfg.Local); err != nil {
			return "", cmdline.WithCode(cmdline.ExitConfig, fmt.Errorf("--local: there is no data, so no spool of it: %w", err))
		}
	}
	id, err := backend.ResolveIdentity(cfg)
	if err != nil {
		return "", err
	}
	base, err := filepath.Abs(cfg.StateBase())
	if err != nil {
		return "", err
	}
	return filepath.Join(base, config.Partition(cfg.Owner(id.ID))), nil
}

// use lets do work with the spool: through the socket of the mount that has it, else it is opened for that time.
func (p *Place) use(ctx context.Context, do func(telemetry.Spooler) error) error {
	if p.Mount != nil {
		err := p.useMount(ctx, do)
		if !Died(err) {
			return err
		}
		p.Mount = nil // killed: what it has left can be opened
	}
	sp, recovery, err := openSpoolAlone(p.SpoolDir())
	if err != nil {
		return err
	}
	defer func() { _ = sp.Close() }() // synced by Leave
	log, closeLog, err := telemetry.NewLog(telemetry.LogConfig{Level: "warn"})
	if err != nil {
		return err
	}
	defer closeLog()
	u, err := uploader.New(uploader.Config{Store: uploader.Offline(), Spool: sp, Recovery: recovery, Log: log})
	if err != nil {
		return fmt.Errorf("spool in %s can not be replayed: %w", p.Dir, err)
	}
	return errors.Join(do(Hand{Uploader: u}), u.Leave(ctx))
}

// useMount asks the mount whether it answers before anything is done.
func (p *Place) useMount(ctx context.Context, do func(telemetry.Spooler) error) error {
	client := telemetry.Dial(p.Mount.Socket)
	short, cancel := context.WithTimeout(ctx, StatusTimeout)
	defer cancel()
	var s MountStatus
	if err := client.Status(short, &s); err != nil {
		if Died(err) {
			return err
		}
		return notAnswering(*p.Mount, err)
	}
	return do(client)
}

const (
	// lockPatience is how long a command waits for a spool whose holder answers nobody: a process that was killed a moment ago
	// has it until its memory has been taken back.
	lockPatience = 2 * time.Second
	lockLook     = 20 * time.Millisecond
)

func openSpoolAlone(dir string) (*spool.Spool, *spool.Recovery, error) {
	owner, err := spool.OwnerOf(dir)
	if err != nil {
		return nil, nil, err
	}
	for until := time.Now().Add(lockPatience); ; time.Sleep(lockLook) {
		sp, recovery, err := spool.Open(spool.Config{Dir: dir, Owner: owner})
		locked, ok := errors.AsType[*spool.ErrLocked](err)
		switch {
		case !ok:
			return sp, recovery, err
		case !time.Now().Before(until):
			return nil, nil, fmt.Errorf("process %d has the spool in %s and no control socket of yours: it is being mounted, "+
				"or mounted elsewhere: try again, or as the user who mounted it", locked.PID, filepath.Dir(dir))
		}
	}
}

// generationNamed finds what an id or a key names in a list. kept: of what is never uploaded by itself alone.
func generationNamed(l telemetry.SpoolList, idOrKey string, kept bool) (ids []string) {
	add := func(id, key string) {
		if id != "" && (id == idOrKey || key == idOrKey) && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	for _, k := range l.Kept {
		add(k.Generation, k.Key)
	}
	for _, i := range l.Items {
		if !kept {
			add(i.Generation, i.Key)
		}
	}
	return ids
}

// findGeneration finds the one spool that has what an id or a key names.
func findGeneration(ctx context.Context, all []*Place, idOrKey string, kept bool) (at *Place, id string, err error) {
	var ids []string
	for _, p := range all {
		err := p.use(ctx, func(s telemetry.Spooler) error {
			l, err := s.SpoolList(ctx)
			if err != nil {
				return err
			}
			if here := generationNamed(l, idOrKey, kept); len(here) > 0 {
				at, ids = p, append(ids, here...)
			}
			return nil
		})
		if err != nil {
			return nil, "", err
		}
	}
	switch len(ids) {
	case 0:
		return nil, "", fmt.Errorf("%s: nothing in the spool has this id or key: `s3levelfs spool ls` lists what there is", cmdline.Printable(idOrKey))
	case 1:
		return at, ids[0], nil
	}
	return nil, "", cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("%s: several generations have this key: name one by its id: %s",
		cmdline.Printable(idOrKey), strings.Join(ids, ", ")))
}
