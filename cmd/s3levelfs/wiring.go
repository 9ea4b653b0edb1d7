package main

import (
	"os"
	"time"

	"github.com/s3levelfs/s3levelfs/fs"
	"github.com/s3levelfs/s3levelfs/fs/vfs"
	"github.com/s3levelfs/s3levelfs/internal/telemetry"
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
		Store: s.backend.store, Spool: s.spool, Recovery: recovery, Base: vfs.NewBase(s.cache), Stored: vfs.Keep(s.cache),
		Log: s.log.Named("uploader"), Settle: settle, PinBase: cfg.PinBase, Attempts: cfg.MaxAttempts,
		CloseUpload: cfg.Close == "upload", FsyncUpload: cfg.Fsync == "upload", Checkpoint: cfg.Checkpoint,
		OnConflict: map[string]uploader.ConflictPolicy{
			"keep-both": uploader.KeepBoth, "overwrite": uploader.Overwrite, "fail": uploader.Fail,
		}[cfg.OnConflict],
		Events: s.event,
		Stamp:  vfs.Stamp,
		Probe:  s.objects.Headers("", time.Now()),
	}
	if cfg.UploadLimit > 0 {
		c.Requests, c.PartSize = throttle.Fit(cfg.UploadLimit, uploader.DefaultRequests, uploader.DefaultPartSize, max(s.backend.store.Limits().MinPart, 1<<20), 64<<10)
	}
	for _, l := range s.backend.policy.LevelPrefixes() {
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
		Notify: n.Invalidate, Log: s.log.Named("vfs"),
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

// uploadStatus is an uploader.Status in the form that scripts read.
type uploadStatus struct {
	Open        int           `json:"open"`
	Queued      int           `json:"queued"`
	Sending     int           `json:"sending"`
	Failed      int           `json:"failed"`
	Bytes       int64         `json:"bytes"`
	Conflicts   int           `json:"conflicts"`
	Quarantined int           `json:"quarantined"`
	BaseLost    int           `json:"base_lost"`
	Oldest      time.Time     `json:"oldest,omitzero"`
	Paused      string        `json:"paused,omitempty"`
	PausedUntil time.Time     `json:"paused_until,omitzero"` // when one request asks again
	LastError   string        `json:"last_error,omitempty"`
	Requests    windowStatus  `json:"requests"`
	Levels      []levelStatus `json:"levels"`
	telemetry.SpoolList
}

// windowStatus is how many requests the uploads may have in flight: fewer than most after the store has asked to slow down.
type windowStatus struct {
	Window    int   `json:"window"`
	Most      int   `json:"most"`
	InFlight  int   `json:"in_flight"`
	Throttled int64 `json:"throttled"`
}

type levelStatus struct {
	Prefix       string `json:"prefix"`
	State        string `json:"state"`
	NoConditions bool   `json:"no_conditions,omitempty"`
	Error        string `json:"error,omitempty"`
}

func uploadsOf(u uploader.Status) uploadStatus {
	out := uploadStatus{
		Open: u.Open, Queued: u.Queued, Sending: u.Sending, Failed: u.Failed, Bytes: u.Bytes,
		Conflicts: u.Conflicts, Quarantined: u.Counts.Quarantined, BaseLost: u.BaseLost, Oldest: u.Oldest, LastError: u.LastError,
		Requests: windowStatus{u.Requests.Size, u.Requests.Most, u.Requests.InFlight, u.Requests.Throttled},
		Levels:   []levelStatus{}, SpoolList: telemetry.SpoolList{Items: itemsOf(u.Items), Kept: keptOf(u.Quarantined)},
	}
	if u.Paused != nil {
		out.Paused, out.PausedUntil = u.Paused.Error(), u.PausedUntil
	}
	for _, l := range u.Levels {
		out.Levels = append(out.Levels, levelStatus{l.Prefix, l.State, l.NoConditions, l.Err})
	}
	return out
}
