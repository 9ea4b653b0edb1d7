package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/backend"
	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/control"
	"github.com/s3levelfs/s3levelfs/fs"
	"github.com/s3levelfs/s3levelfs/internal/config"
	"github.com/s3levelfs/s3levelfs/internal/peruser"
	"github.com/s3levelfs/s3levelfs/internal/telemetry"
)

// front is the mount of --per-user: links that lead each user into a mount of the own.
type front struct {
	cfg        *config.Loaded
	mountpoint string
	started    time.Time
	log        *zap.Logger

	spawner *peruser.Spawner
	table   *peruser.Table
	fuse    *fs.Server
	mounted chan struct{} // closed when fuse is set

	unmounting sync.RWMutex // as in a session
	closers    []func()
}

func (f *front) onClose(do func()) { f.closers = append(f.closers, do) }

func (f *front) close() {
	for _, c := range slices.Backward(f.closers) {
		c()
	}
	f.closers = nil
}

// mountPerUser serves the front until it is unmounted or told to end, and then ends all users' mounts.
func mountPerUser(ctx context.Context, stop context.CancelFunc, cfg *config.Loaded, mountpoint string, ready readyPipe) error {
	f := &front{cfg: cfg, mountpoint: mountpoint, started: time.Now(), mounted: make(chan struct{})}
	if err := f.open(ctx, ready.daemon()); err != nil {
		if f.table != nil {
			f.table.Leave()
		}
		f.close()
		ready.failed(err)
		return err
	}
	if err := ready.ok(f.socket()); err != nil {
		f.log.Warn("the command that started the mount has gone")
	}
	return f.serve(ctx, stop)
}

// name tells this front from others on the machine: users see it in `pwd`.
func (f *front) name() string {
	return filepath.Base(f.mountpoint) + "-" + config.Partition(f.mountpoint)[:8]
}

func (f *front) base() string   { return filepath.Join(f.cfg.PerUserDir, f.name()) }
func (f *front) socket() string { return filepath.Join(f.base(), "control") }

// state is the front's own directory for what lasts: its log.
func (f *front) state() string { return filepath.Join(f.cfg.StateBase(), "front-"+f.name()) }

func (f *front) open(ctx context.Context, daemon bool) error {
	names, err := linkNames(f.cfg)
	if err != nil {
		return err
	}
	if f.cfg.PerUserDir, err = filepath.Abs(f.cfg.PerUserDir); err != nil {
		return err
	}
	if f.spawner, err = f.newSpawner(); err != nil {
		return err
	}
	f.onClose(f.spawner.Close)
	earlier, cancel := context.WithTimeout(ctx, spoolWait)
	defer cancel()
	if err := f.spawner.Lock(earlier); err != nil {
		return cmdline.WithCode(cmdline.ExitOther, err)
	}
	logDir := ""
	if daemon {
		logDir = f.state()
		if err := os.MkdirAll(logDir, 0o700); err != nil {
			return cmdline.WithCode(cmdline.ExitConfig, fmt.Errorf("state directory: %w", err))
		}
	}
	log, closeLog, err := backend.OpenLog(f.cfg, logDir)
	if err != nil {
		return err
	}
	f.log = log
	f.onClose(closeLog)
	f.spawner.SetLog(log.Named("users"))
	left, err := f.spawner.Left(ctx)
	if err != nil {
		return fmt.Errorf("mounts of an earlier front in %s: %w", f.base(), err)
	}
	f.table = peruser.New(f.spawner, peruser.Config{Max: f.cfg.PerUserMax, Idle: f.cfg.PerUserIdle, Log: log.Named("users")})
	for uid, m := range left {
		log.Info("a user's mount of an earlier front is taken over", zap.Uint32("uid", uid))
		f.table.Adopt(uid, m)
	}
	if err := f.publish(); err != nil {
		return err
	}
	f.fuse, err = fs.MountLinks(f.mountpoint, names, f.target, fs.Options{FsName: "s3levelfs:" + f.cfg.Bucket, Log: log.Named("fs")})
	if err != nil {
		return mountFailed(err)
	}
	close(f.mounted)
	log.Info("mounted for all users", zap.String("mountpoint", f.mountpoint), zap.String("bucket", f.cfg.Bucket),
		zap.Strings("names", names), zap.String("version", cmdline.Version))
	return nil
}

func (f *front) newSpawner() (*peruser.Spawner, error) {
	args, err := userArgs(f.cfg)
	if err != nil {
		return nil, err
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	uids, err := peruser.OwnUIDs()
	if err != nil {
		return nil, err
	}
	var dirs [2]string
	for i, dir := range []string{f.cfg.StateDir, f.cfg.CacheDir} {
		if dir == "" {
			continue // the users' own
		}
		if dirs[i], err = filepath.Abs(dir); err != nil {
			return nil, err
		}
	}
	s, err := peruser.NewSpawner(peruser.SpawnConfig{
		Exe: exe, Args: args, Base: f.base(), State: dirs[0], Cache: dirs[1],
		Environ: os.Environ(), ReadyVar: readyVar, UIDs: uids, LookUp: peruser.LookUp,
	})
	return s, cmdline.WithCode(cmdline.ExitConfig, err)
}

// target is where a link leads for a user, whose mount is started if there is none.
func (f *front) target(ctx context.Context, uid uint32, name string) (string, error) {
	if err := f.table.Use(ctx, uid); err != nil {
		return "", peruser.Errno(err) // the start's failure is logged where it was made
	}
	return filepath.Join(f.spawner.Dir(uid), name), nil
}

// publish opens the control socket and names the front in root's registry, as a session does.
func (f *front) publish() error {
	server, err := telemetry.Serve(f.socket(), &frontController{f}, f.log.Named("control"))
	if err != nil {
		return cmdline.WithCode(cmdline.ExitConfig, err)
	}
	f.onClose(server.Close)
	reg, err := control.Registry()
	if err != nil {
		return cmdline.WithCode(cmdline.ExitConfig, err)
	}
	m := telemetry.Mount{Mountpoint: f.mountpoint, Socket: f.socket(), PID: os.Getpid(), Bucket: f.cfg.Bucket, State: f.state()}
	if err := reg.Add(m); err != nil {
		return cmdline.WithCode(cmdline.ExitConfig, fmt.Errorf("registry of mounts: %w", err))
	}
	f.onClose(func() { _ = reg.Remove(m.Mountpoint, m.PID) })
	return nil
}

// serve is a session's serve for all users' mounts: what they leave is one error.
func (f *front) serve(ctx context.Context, stop context.CancelFunc) error {
	f.tellManager(daemon.SdNotifyReady)
	limit := time.Duration(0)
	select {
	case <-f.fuse.Done():
	case <-ctx.Done():
		stop()
		limit = f.cfg.StopTimeout
	}
	f.tellManager(daemon.SdNotifyStopping)
	// A second signal leaves the users' mounts to themselves: they go on uploading.
	again, stopAgain := signal.NotifyContext(contextWithout(ctx), unix.SIGINT, unix.SIGTERM)
	defer stopAgain()
	f.takeAway()
	left := f.table.Close(again, limit)
	f.unmounting.Lock()
	defer f.unmounting.Unlock()
	if left.Files > 0 {
		f.log.Warn("left in users' spools", zap.Int("files", left.Files), zap.Int64("bytes", left.Bytes), zap.Int("failed", left.Failed))
	}
	f.close()
	return control.LeftError(left)
}

func (f *front) tellManager(states ...string) {
	if _, err := daemon.SdNotify(false, strings.Join(states, "\n")); err != nil {
		f.log.Warn("the service manager can not be told", zap.Error(err))
	}
}

// takeAway takes the links away, who ever stands there or waits for one: nothing of anybody's is in them.
func (f *front) takeAway() {
	err := f.fuse.Unmount()
	if errors.Is(err, fs.ErrBusy) {
		err = f.fuse.Abort()
	}
	if err != nil {
		f.log.Warn("unmount", zap.Error(err))
	}
}
