package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/s3levelfs/s3levelfs/cache"
	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/backend"
	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/control"
	"github.com/s3levelfs/s3levelfs/fs"
	"github.com/s3levelfs/s3levelfs/fs/vfs"
	"github.com/s3levelfs/s3levelfs/fs/vfs/attrs"
	"github.com/s3levelfs/s3levelfs/fs/vfs/listing"
	"github.com/s3levelfs/s3levelfs/internal/config"
	"github.com/s3levelfs/s3levelfs/internal/feed"
	"github.com/s3levelfs/s3levelfs/internal/notify"
	"github.com/s3levelfs/s3levelfs/internal/objectopts"
	"github.com/s3levelfs/s3levelfs/internal/telemetry"
	"github.com/s3levelfs/s3levelfs/internal/tracking"
	"github.com/s3levelfs/s3levelfs/internal/trigger"
	"github.com/s3levelfs/s3levelfs/uploader"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// session is a mount from its first file descriptor to its last. Parts are
// closed in the opposite order of their opening.
type session struct {
	cfg        *config.Loaded
	mountpoint string
	state      string // directory of this bucket's and identity's partition
	started    time.Time
	log        *zap.Logger

	objects  *objectopts.Rules // what objects get that are created
	who      *backend.Who
	backend  *backend.Backend
	spool    *spool.Spool
	uploader *uploader.Uploader
	disk     diskCache
	cache    *cache.Cache
	vfs      *vfs.FS
	notifier *fs.Notifier
	notices  *notify.Notifier // nil: nobody wants them
	seen     telemetry.EventCounts
	feed     *feed.Feed
	target   *tracking.Target   // nil: nobody tracks
	tracker  *tracking.Recorder // nil as well
	triggers *trigger.Runner    // nil: there are no commands
	fuse     *fs.Server
	mounted  chan struct{} // closed when fuse is set: the control socket is there before

	// unmounting is held for reading while a command unmounts. The kernel ends the requests of a mount before it has
	// forgotten all names of it, and only then the call that unmounts: the command gets its answer first.
	unmounting sync.RWMutex

	draining atomic.Bool
	closers  []func()
}

func (s *session) onClose(f func()) { s.closers = append(s.closers, f) }

func (s *session) close() {
	for _, c := range slices.Backward(s.closers) {
		c()
	}
	s.closers = nil
}

// openSession builds everything and mounts. On an error nothing is left behind.
func openSession(ctx context.Context, cfg *config.Loaded, mountpoint string, daemon bool) (_ *session, err error) {
	s := &session{cfg: cfg, mountpoint: mountpoint, started: time.Now(), mounted: make(chan struct{}), feed: feed.New()}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.objects, err = backend.ObjectRules(cfg); err != nil {
		return nil, err
	}
	if s.who, err = backend.OpenIdentity(ctx, cfg); err != nil {
		return nil, err
	}
	s.onClose(s.who.Close)
	if _, err := backend.NewPolicy(cfg, s.who.Identity); err != nil {
		return nil, err // before the identity becomes part of a directory's name
	}
	owner := cfg.Owner(s.who.ID)
	s.state = filepath.Join(cfg.StateBase(), config.Partition(owner))
	if err := os.MkdirAll(s.state, 0o700); err != nil {
		return nil, cmdline.WithCode(cmdline.ExitConfig, fmt.Errorf("state directory: %w", err))
	}
	logDir := ""
	if daemon {
		logDir = s.state
	}
	log, closeLog, err := backend.OpenLog(cfg, logDir)
	if err != nil {
		return nil, err
	}
	s.log = log
	s.onClose(closeLog)
	s.who.SetLog(log.Named("identity"))
	s.who.OnLogin(s.loginEvent)
	recovery, err := s.openSpool(ctx, owner)
	if err != nil {
		return nil, err
	}
	if s.backend, err = backend.OpenStoreAs(ctx, cfg, s.who, log); err != nil {
		return nil, err
	}
	s.onClose(func() { _ = s.backend.Store.Close() })
	reachable, cancel := context.WithTimeout(ctx, backend.ReachTimeout)
	defer cancel()
	if err := s.backend.Reach(reachable, cfg.Bucket); err != nil {
		return nil, err
	}
	cacheDir := filepath.Join(cfg.CacheBase(), config.Partition(owner))
	s.openDiskCache(filepath.Join(cacheDir, "blocks"), owner)
	if err := s.assemble(recovery, cacheDir); err != nil {
		return nil, err
	}
	if err := s.publish(); err != nil {
		return nil, err
	}
	if err := s.serveMetrics(); err != nil {
		return nil, err
	}
	return s, s.mount()
}

// spoolWait is how long an earlier daemon is waited for that still drains: the answer comes within 10 s.
const spoolWait = 9 * time.Second

// mountedAt is where the state directory is mounted by a process that is not draining, "" if nowhere.
func (s *session) mountedAt(ctx context.Context) string {
	reg, err := control.Registry()
	if err != nil {
		return ""
	}
	mounts, err := reg.List()
	if err != nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for _, m := range mounts {
		var now control.MountStatus
		if m.State == s.state && telemetry.Dial(m.Socket).Status(ctx, &now) == nil && now.State == "mounted" {
			return m.Mountpoint
		}
	}
	return ""
}

// openSpool waits for an earlier daemon that still drains, and then says who it is.
func (s *session) openSpool(ctx context.Context, owner string) (*spool.Recovery, error) {
	ctx, cancel := context.WithTimeout(ctx, spoolWait)
	defer cancel()
	for {
		sp, recovery, err := spool.Open(spool.Config{
			Dir: filepath.Join(s.state, "spool"), Owner: owner, MaxBytes: s.cfg.SpoolSize,
			KeepFree: spool.KeepFree(s.cfg.KeepFree), Log: s.log.Named("spool"),
		})
		if err == nil {
			s.spool = sp
			s.onClose(func() {
				if err := sp.Close(); err != nil {
					s.log.Error("spool not closed cleanly", zap.Error(err))
				}
			})
			return recovery, nil
		}
		locked, ok := errors.AsType[*spool.ErrLocked](err)
		if !ok {
			return nil, fmt.Errorf("spool in %s: %w", s.state, err)
		}
		if at := s.mountedAt(ctx); at != "" {
			return nil, cmdline.WithCode(cmdline.ExitOther, fmt.Errorf("process %d has the spool of this bucket and identity (%s): "+
				"it is mounted at %s; use that mount, or `s3levelfs umount %s` first", locked.PID, s.state, at, at))
		}
		select {
		case <-ctx.Done():
			return nil, cmdline.WithCode(cmdline.ExitOther, fmt.Errorf("process %d has the spool of this bucket and identity (%s): "+
				"it is mounted elsewhere or still uploads; wait for it, or end it and mount again", locked.PID, s.state))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// assemble puts the engines together.
func (s *session) assemble(recovery *spool.Recovery, cacheDir string) error {
	cfg, log := s.cfg, s.log
	known := attrs.New(s.backend.Store, attrs.Config{
		Dir: cacheDir, AttrTTL: notZero(cfg.AttrTTL), MetadataTTL: notZero(cfg.MetadataTTL), Log: log.Named("attrs"),
		Own: vfs.OwnKeys(s.backend.Policy),
	})
	s.onClose(known.Close)
	s.cache = cache.New(s.backend.Store, cache.Config{
		Memory: cacheMemory(cfg.Memory), Disk: s.disk.store, Answered: known.Put, Log: log.Named("cache"),
		Corrupted: func(key, etag string) { s.vfs.Corrupted(key, etag) }, // nobody reads before there is a vfs
	})
	s.onClose(s.cache.Close)
	list := listing.New(s.backend.Store, listing.Config{TTL: notZero(cfg.MetadataTTL), StaleIfDown: notZero(cfg.StaleIfDown), Log: log.Named("listing")})
	s.onClose(list.Close)
	s.openNotify()
	if err := s.openObservers(); err != nil {
		return err
	}
	up, err := uploader.New(s.uploaderConfig(recovery))
	if err != nil {
		return fmt.Errorf("spool in %s can not be replayed: %w", s.state, err)
	}
	s.uploader = up
	s.backend.Store.OnAccepted(up.Renewed)
	notifier := fs.NewNotifier(log.Named("fs"))
	s.onClose(notifier.Close)
	s.vfs, err = vfs.New(vfs.Deps{
		Policy: s.backend.Policy, Store: s.backend.Store, Uploader: up, Cache: s.cache, Listing: list, Attrs: known,
		Presigner: s.backend.Presign,
	}, s.vfsConfig(notifier))
	if err != nil {
		return err
	}
	s.onClose(s.vfs.Close)
	up.Start()
	s.onClose(s.stopUploads)
	s.notifier = notifier
	return nil
}

// mount is the last step: whatever can be seen can be controlled.
func (s *session) mount() (err error) {
	s.fuse, err = fs.Mount(s.mountpoint, s.vfs, fs.Options{
		FsName: "s3levelfs:" + s.cfg.Bucket, ReadOnly: s.cfg.ReadOnly, AllowOther: s.cfg.AllowOther,
		Inflight: kernelMemory(s.cfg.Memory), Remembered: rememberedFiles(s.cfg.Memory), Notifier: s.notifier, SyncNames: s.spool.Sync, Log: s.log.Named("fs"),
	})
	if err != nil {
		return mountFailed(err)
	}
	close(s.mounted)
	s.onClose(s.unmountWhateverHappens)
	s.log.Info("mounted", zap.String("mountpoint", s.mountpoint), zap.String("bucket", s.cfg.Bucket),
		zap.String("version", cmdline.Version))
	return nil
}

// mountFailed gives the mount's error its exit code.
func mountFailed(err error) error {
	switch {
	case errors.Is(err, fs.ErrDenied), errors.Is(err, fs.ErrNotYours):
		return cmdline.WithCode(cmdline.ExitPermission, err)
	case errors.Is(err, fs.ErrNoMountpoint), errors.Is(err, fs.ErrNotDirectory),
		errors.Is(err, fs.ErrNotEmpty), errors.Is(err, fs.ErrMounted):
		return cmdline.WithCode(cmdline.ExitUsage, err)
	}
	return cmdline.WithCode(cmdline.ExitOther, err)
}

// socket is the control socket.
func (s *session) socket() string { return filepath.Join(s.state, "control") }

// publish opens the control socket and names the mount in the registry.
func (s *session) publish() error {
	socket := s.socket()
	server, err := telemetry.Serve(socket, &controller{control.Hand{Uploader: s.uploader}, s}, s.log.Named("control"))
	if err != nil {
		return cmdline.WithCode(cmdline.ExitConfig, err)
	}
	s.onClose(server.Close)
	s.onClose(s.feed.Close) // listeners get the rest, and the end, while the socket is there
	reg, err := control.Registry()
	if err != nil {
		return cmdline.WithCode(cmdline.ExitConfig, err)
	}
	m := telemetry.Mount{
		Mountpoint: s.mountpoint, Socket: socket, PID: os.Getpid(),
		Bucket: s.cfg.Bucket, Identity: s.backend.Identity.ID, State: s.state,
	}
	if err := reg.Add(m); err != nil {
		return cmdline.WithCode(cmdline.ExitConfig, fmt.Errorf("registry of mounts: %w", err))
	}
	s.onClose(func() { _ = reg.Remove(m.Mountpoint, m.PID) })
	return nil
}
