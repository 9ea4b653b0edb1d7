package daemon

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/backend"
	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/identity"
	"github.com/s3levelfs/s3levelfs/internal/config"
	"github.com/s3levelfs/s3levelfs/levels"
)

// loginOrGuestFlag is what --per-user starts a user's mount with: only that user's process can look for the login.
const loginOrGuestFlag = "login-or-guest"

// beGuestWithoutLogin is --guest where nobody has signed in. A login that is there and can not be used is an error: somebody who has
// an account is not a guest.
func beGuestWithoutLogin(ctx context.Context, cfg *config.Loaded) error {
	if cfg.Guest || !backend.UsesCognito(cfg) {
		return nil
	}
	c, err := backend.NewCognito(cfg)
	if err != nil {
		return err
	}
	if c.Users != nil {
		ctx, cancel := context.WithTimeout(ctx, backend.ReachTimeout) // the keyring may wait for its owner
		defer cancel()
		_, _, err := c.Tokens.Load(ctx, c.Slot)
		if !errors.Is(err, identity.ErrLoginNeeded) {
			return err
		}
	}
	cfg.Guest = true
	return nil
}

// leastMemory is what a mount needs: the least that --memory takes.
const leastMemory = 16 << 20

// checkPerUser finds what would make each user's mount fail, or not be that user's.
func checkPerUser(cfg *config.Loaded) error {
	usage := func(format string, args ...any) error {
		return cmdline.WithCode(cmdline.ExitUsage, fmt.Errorf("--per-user: "+format, args...))
	}
	switch given := cfg.Origin; {
	case os.Geteuid() != 0:
		return cmdline.WithCode(cmdline.ExitPermission, errors.New("--per-user: only root can start mounts for all users: use sudo, or leave it out"))
	case !backend.UsesCognito(cfg):
		return cmdline.WithCode(cmdline.ExitConfig, errors.New("--per-user: each user needs an identity of the own: give the app's pools "+
			"(--config FILE of the app, or --identity-pool-id, --user-pool-id and --client-id), and neither --local nor --identity-id"))
	case len(cfg.ProviderSettings) > 0:
		return usage("the provider %s has settings in %s, which users' mounts do not read: use another provider", cmdline.ProviderOf(cfg), cfg.File)
	case cfg.Level != "":
		return usage("--level %s would show one level alone: leave it out", cfg.Level)
	case cfg.AllowOther:
		return usage("--allow-other would let users into each other's mounts: leave it out")
	case cfg.Metrics != "":
		return usage("--metrics %s can be only one mount's: leave it out", cfg.Metrics)
	case cfg.Memory/int64(cfg.PerUserMax) < leastMemory:
		return usage("--memory %s among %d mounts is less than 16MiB for each: give more, or a smaller --per-user-max", cmdline.BytesText(cfg.Memory), cfg.PerUserMax)
	case given["profile"] != "":
		return usage("--profile names credentials of yours, which users do not get: leave it out")
	}
	if cfg.App == nil {
		return nil
	}
	info, err := os.Stat(cfg.App.File)
	if err != nil {
		return cmdline.WithCode(cmdline.ExitConfig, fmt.Errorf("--per-user: %w", err))
	}
	if info.Mode()&0o004 == 0 {
		return cmdline.WithCode(cmdline.ExitConfig, fmt.Errorf("--per-user: %s must be readable by all users, whose mounts read it: chmod o+r %s", cfg.App.File, cfg.App.File))
	}
	return nil
}

// notPassed are settings of the front that are not its users', or that they get changed.
func notPassed(name string) bool {
	switch name {
	case "storage-bucket", "memory", "state-dir", "cache-dir", "log-file", "vault", "level", "metrics", "allow-other", "profile":
		return true
	}
	return strings.HasPrefix(name, "per-user")
}

// userArgs are the arguments of each user's mount: the settings that somebody has given, wherever. No option's value is a secret.
func userArgs(cfg *config.Loaded) ([]string, error) {
	args := []string{"--" + loginOrGuestFlag, "--memory=" + strconv.FormatInt(cfg.Memory/int64(cfg.PerUserMax), 10)}
	for _, o := range cfg.Table() {
		if _, given := cfg.Origin[o.Name]; given && !notPassed(o.Name) {
			args = append(args, "--"+o.Name+"="+o.String())
		}
	}
	if cfg.App != nil { // it has the rules of the app's paths
		file, err := filepath.Abs(cfg.App.File)
		if err != nil {
			return nil, err
		}
		args = append(args, "--config="+file)
	}
	return args, nil
}

// linkNames are the names in the root of anybody's mount: for whom one of them is nothing, it leads nowhere.
func linkNames(cfg *config.Loaded) ([]string, error) {
	const somebody = "us-east-1:00000000-0000-0000-0000-000000000000"
	who := []levels.Identity{{ID: somebody, Authenticated: true}, {}, {ID: somebody}}
	groups := map[string]bool{}
	if cfg.AppBucket != nil {
		for _, p := range cfg.AppBucket.Paths {
			for rule := range p.Rules {
				if group, is := strings.CutPrefix(rule, "groups"); is {
					groups[group] = true
				}
			}
		}
	}
	for _, g := range slices.Sorted(maps.Keys(groups)) {
		who = append(who, levels.Identity{ID: somebody, Authenticated: true, Groups: []string{g}})
	}
	var names []string
	var first error
	for _, id := range who {
		p, err := backend.NewPolicy(cfg, id)
		if err != nil {
			first = cmp.Or(first, err) // rules that give nothing to some give others something
			continue
		}
		for _, n := range p.Roots() {
			if !slices.Contains(names, n.Name) {
				names = append(names, n.Name)
			}
		}
	}
	if len(names) == 0 {
		return nil, cmp.Or(first, cmdline.WithCode(cmdline.ExitConfig, errors.New("--per-user: there is nothing that anybody may see: check --grants and the app's path rules")))
	}
	return names, nil
}
