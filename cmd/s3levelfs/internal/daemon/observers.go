package daemon

import (
	"context"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/backend"
	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/control"
	"github.com/s3levelfs/s3levelfs/fs/vfs"
	"github.com/s3levelfs/s3levelfs/internal/config"
	"github.com/s3levelfs/s3levelfs/internal/tracking"
	"github.com/s3levelfs/s3levelfs/internal/trigger"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// commands finds the programs of --on-upload and --on-delete.
func commands(cfg *config.Loaded) (onUpload, onDelete []string, err error) {
	for _, c := range []struct {
		name, line string
		to         *[]string
	}{{"on-upload", cfg.Triggers.OnUpload, &onUpload}, {"on-delete", cfg.Triggers.OnDelete, &onDelete}} {
		if c.line == "" {
			continue
		}
		if *c.to, err = trigger.Resolve(c.line); err != nil {
			origin := cfg.Origin[c.name]
			if origin == "--"+c.name {
				origin = ""
			}
			return nil, nil, &config.Error{Name: c.name, Origin: origin, Err: err}
		}
	}
	return onUpload, onDelete, nil
}

// checkObservers says what of tracking and triggers can not be, before there is a daemon.
func checkObservers(cfg *config.Loaded, foreground bool) error {
	if _, err := backend.TrackingTarget(cfg, foreground && !cfg.PerUser); err != nil {
		return err
	}
	_, _, err := commands(cfg)
	return err
}

// openObservers begins to track, and to run commands, where the settings ask for it.
func (s *session) openObservers() (err error) {
	if s.target, err = backend.TrackingTarget(s.cfg, true); err != nil {
		return err
	}
	s.tracker, err = backend.OpenTracking(context.Background(), s.cfg, s.target, s.who.Credentials, os.Stdout, s.log)
	if err != nil {
		return err
	}
	s.onClose(s.tracker.Close)
	onUpload, onDelete, err := commands(s.cfg)
	if err != nil {
		return err
	}
	if len(onUpload)+len(onDelete) == 0 {
		return nil
	}
	s.triggers = trigger.New(trigger.Config{
		OnUpload: onUpload, OnDelete: onDelete, Timeout: s.cfg.Triggers.Timeout,
		Bucket: trigger.Bucket{Name: s.cfg.Bucket, Region: backend.Region(s.cfg), Identity: s.backend.Identity.ID},
		Run:    trigger.Program(trigger.Environ(os.Environ(), s.mountpoint)), Log: s.log.Named("trigger"),
	})
	s.onClose(s.triggers.Close)
	return nil
}

// used tracks what programs have had of the store.
func (s *session) used(u vfs.Use) {
	switch u.Kind {
	case vfs.UseRead:
		s.tracker.Track(tracking.Download(u.Size, u.Err))
	case vfs.UseList:
		s.tracker.Track(tracking.Of(tracking.List, u.Err))
	}
}

// track tracks what the write-back has done: a rename is a copy and a removal. New headers of a stored object are nothing that Amplify has an
// event for.
func (s *session) track(e uploader.Event) {
	switch e.Kind {
	case uploader.Committed:
		switch made(e) {
		case trigger.Copy:
			if e.From != "" {
				s.tracker.Track(tracking.Of(tracking.Copy, nil))
			}
		default:
			s.tracker.Track(tracking.Of(tracking.Put, nil))
		}
	case uploader.Removed:
		s.tracker.Track(tracking.Of(tracking.Remove, nil))
	case uploader.Failed:
		if m, ok := map[string]tracking.Method{
			"put": tracking.Put, "mkdir": tracking.Put, "delete": tracking.Remove, "move": tracking.Copy,
		}[e.What]; ok {
			s.tracker.Track(tracking.Of(m, e.Err))
		}
	default:
	}
}

// made is how S3 names the way in which an object was stored. What is neither a generation of a file nor a directory's marker was copied: from
// another key, or onto itself with new headers.
func made(e uploader.Event) trigger.Name {
	if e.From != "" || e.Gen == "" && !strings.HasSuffix(e.Key, "/") {
		return trigger.Copy
	}
	_, parts, _ := strings.Cut(strings.Trim(e.ETag, `"`), "-") // Source: S3 API reference, CompleteMultipartUpload, ETag
	if _, err := strconv.ParseUint(parts, 10, 16); err == nil {
		return trigger.Multipart
	}
	return trigger.Put
}

// trigger tells the commands what has come and gone.
func (s *session) trigger(e uploader.Event) {
	if s.triggers == nil {
		return
	}
	t := trigger.Event{Key: e.Key, Path: s.shown(e.Key), Size: e.Size, ETag: e.ETag, At: time.Now()}
	switch e.Kind {
	case uploader.Committed:
		t.Name = made(e)
	case uploader.Removed:
		t.Name = trigger.Delete
	default:
		return
	}
	s.triggers.Tell(t)
}

func (s *session) trackingStatus() *control.TrackingStatus {
	if s.target == nil {
		return nil
	}
	return &control.TrackingStatus{To: s.target.String(), Stats: s.tracker.Stats()}
}

func (s *session) triggerStatus() *trigger.Stats {
	if s.triggers == nil {
		return nil
	}
	stats := s.triggers.Stats()
	return &stats
}
