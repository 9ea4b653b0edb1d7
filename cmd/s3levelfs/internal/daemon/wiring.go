package daemon

import (
	"os"
	"time"

	"github.com/s3levelfs/s3levelfs/fs"
	"github.com/s3levelfs/s3levelfs/fs/vfs"
	"github.com/s3levelfs/s3levelfs/internal/throttle"
	"github.com/s3levelfs/s3levelfs/levels"
	"github.com/s3levelfs/s3levelfs/store"
	"github.com/s3levelfs/s3levelfs/uploader"
	"github.com/s3levelfs/s3levelfs/uploader/spool"
)

// uploaderConfig translates the settings for the write-back.
func (s *session) uploaderConfig(recovery *spool.Recovery) uploader.Config {
	cfg := s.cfg
	settle := cfg.Settle
	if settle == 0 {
		settle = -1 // the zero value means the default there
	}
	c := uploader.Config{
		Store: s.backend.Store, Spool: s.spool, Recovery: recovery, Base: vfs.NewBase(s.cache), Stored: vfs.Keep(s.cache),
		Log: s.log.Named("uploader"), Settle: settle, PinBase: cfg.PinBase, Attempts: cfg.MaxAttempts,
		CloseUpload: cfg.Close == "upload", FsyncUpload: cfg.Fsync == "upload", Checkpoint: cfg.Checkpoint,
		OnConflict: map[string]uploader.ConflictPolicy{
			"keep-both": uploader.KeepBoth, "overwrite": uploader.Overwrite, "fail": uploader.Fail,
		}[cfg.OnConflict],
		Events: s.event,
		Stamp:  vfs.Stamp,
		Probe:  s.objects.Headers("", time.Now()),
	}
	const slowest = 64 << 10 // bytes a second that a request has time for
	switch limits := s.backend.Store.Limits(); {
	case cfg.UploadLimit == 0:
	case limits.Multipart():
		c.Requests, c.PartSize = throttle.Fit(cfg.UploadLimit, uploader.DefaultRequests, uploader.DefaultPartSize, max(limits.MinPart, 1<<20), slowest)
	default:
		c.Requests = throttle.FitWhole(cfg.UploadLimit, uploader.DefaultRequests, slowest)
	}
	for _, l := range s.backend.Policy.LevelPrefixes() {
		c.Levels = append(c.Levels, uploader.Level{
			Prefix: l.Prefix, CanPut: l.Grants.Has(levels.Put), CanGet: l.Grants.Has(levels.Get),
			CanList: l.Grants.Has(levels.List), CanDelete: l.Grants.Has(levels.Delete),
		})
	}
	return c
}

// vfsConfig translates the settings for the file system.
func (s *session) vfsConfig(n *fs.Notifier) vfs.Config {
	cfg := s.cfg
	return vfs.Config{
		Attrs: map[string]vfs.AttrsMode{
			"auto": vfs.AttrsAuto, "exact": vfs.AttrsExact, "listing": vfs.AttrsListing,
		}[cfg.Attrs],
		UID: ownerID(cfg.UID, uint32(os.Getuid())), GID: ownerID(cfg.GID, uint32(os.Getgid())), Umask: uint32(cfg.Umask),
		ReadOnly: cfg.ReadOnly, MetadataTTL: notZero(cfg.MetadataTTL), AttrTTL: notZero(cfg.AttrTTL), URLExpires: cfg.URLExpires,
		Used: s.used, Notify: n.Invalidate, Log: s.log.Named("vfs"),
		Created: func(key string) store.Headers { return s.objects.Headers(key, time.Now()) },
	}
}

// notZero keeps "0s" from meaning the default, as the zero value does below.
func notZero(d time.Duration) time.Duration { return max(d, 1) }

func ownerID(set int, own uint32) uint32 {
	if set < 0 {
		return own
	}
	return uint32(set)
}
