package main

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

	"github.com/s3levelfs/s3levelfs/internal/config"
	"github.com/s3levelfs/s3levelfs/internal/telemetry"
	"github.com/s3levelfs/s3levelfs/uploader"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// place is one state directory with a spool, and the mount that has it, if one runs.
type place struct {
	dir   string
	owner config.Owned
	mount *telemetry.Mount // nil: none runs
}

func (p *place) spoolDir() string { return filepath.Join(p.dir, "spool") }

// name says which spool it is, for people.
func (p *place) name() string {
	where := p.owner.Bucket
	if p.owner.Endpoint != "" {
		where += " at " + p.owner.Endpoint
	}
	if p.mount != nil {
		return fmt.Sprintf("%s (%s)", p.mount.Mountpoint, where)
	}
	return fmt.Sprintf("%s (%s, not mounted)", p.dir, where)
}

// places finds the spools that a command's options mean: that of the bucket and identity that are named, else
// all of this user.
func places(c *cli.Context) ([]*place, error) {
	cfg, err := loadConfig(c)
	if err != nil {
		return nil, err
	}
	reg, err := registry()
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
	var found []*place
	for _, dir := range slices.Compact(dirs) {
		p := &place{dir: dir, mount: mountOf[dir]}
		owner, err := spool.OwnerOf(p.spoolDir())
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errNotDir) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("spool in %s: %w", dir, err)
		}
		p.owner, _ = config.ParseOwner(owner)
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
			return "", withCode(exitConfig, fmt.Errorf("--local: there is no data, so no spool of it: %w", err))
		}
	}
	id, err := resolveIdentity(cfg)
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
func (p *place) use(ctx context.Context, do func(telemetry.Spooler) error) error {
	if p.mount != nil {
		err := p.useMount(ctx, do)
		if !died(err) {
			return err
		}
		p.mount = nil // killed: what it has left can be opened
	}
	sp, recovery, err := openSpoolAlone(p.spoolDir())
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
		return fmt.Errorf("spool in %s can not be replayed: %w", p.dir, err)
	}
	return errors.Join(do(hand{u}), u.Leave(ctx))
}

// useMount asks the mount whether it answers before anything is done.
func (p *place) useMount(ctx context.Context, do func(telemetry.Spooler) error) error {
	client := telemetry.Dial(p.mount.Socket)
	short, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	var s mountStatus
	if err := client.Status(short, &s); err != nil {
		if died(err) {
			return err
		}
		return notAnswering(*p.mount, err)
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
func findGeneration(ctx context.Context, all []*place, idOrKey string, kept bool) (at *place, id string, err error) {
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
		return nil, "", fmt.Errorf("%s: nothing in the spool has this id or key: `s3levelfs spool ls` lists what there is", printable(idOrKey))
	case 1:
		return at, ids[0], nil
	}
	return nil, "", withCode(exitUsage, fmt.Errorf("%s: several generations have this key: name one by its id: %s",
		printable(idOrKey), strings.Join(ids, ", ")))
}
