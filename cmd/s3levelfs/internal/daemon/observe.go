package daemon

import (
	"strings"

	"github.com/s3levelfs/s3levelfs/cmd/s3levelfs/internal/cmdline"
	"github.com/s3levelfs/s3levelfs/internal/feed"
	"github.com/s3levelfs/s3levelfs/uploader"
)

// event is told of all that the uploader does or finds. Nobody whom it tells may wait.
func (s *session) event(e uploader.Event) {
	s.vfs.Event(e)
	s.seen.Count(e.Kind.String())
	s.notice(e)
	s.track(e)
	s.trigger(e)
	if s.feed.Heard() {
		s.feed.Tell(s.feedEvent(e))
	}
}

// shown is a key's path in the mount, or the key where none leads to it.
func (s *session) shown(key string) string {
	if p, ok := s.backend.Policy.PathOf(strings.TrimSuffix(key, "/")); ok {
		return p
	}
	return key
}

// loginEvent tells who listens that a login is needed, or was done.
func (s *session) loginEvent(err error) {
	if err == nil {
		s.feed.Tell(feed.Event{Kind: feed.Login})
		return
	}
	s.feed.Tell(feed.Event{Kind: feed.LoginNeeded, Error: cmdline.OneLine(err.Error())})
}

// feedEvent is an event of the uploader's for who listens.
func (s *session) feedEvent(e uploader.Event) feed.Event {
	out := feed.Event{Path: s.shown(e.Key), Key: e.Key, Kind: map[uploader.EventKind]feed.Kind{
		uploader.Committed: feed.Upload, uploader.Removed: feed.Remove, uploader.Conflict: feed.Conflict, uploader.Failed: feed.Failed,
		uploader.BaseLost: feed.BaseLost, uploader.Kept: feed.Quarantined, uploader.Reappeared: feed.Reappeared,
		uploader.ForeignGone: feed.ForeignGone, uploader.LevelDenied: feed.Denied, uploader.LevelProved: feed.Proved,
	}[e.Kind]}
	switch {
	case e.Kind == uploader.Committed:
		out.Size, out.ETag = &e.Size, e.ETag
		if e.From != "" {
			out.Kind, out.Other = feed.Copy, s.shown(e.From)
		}
	case e.To != "":
		out.Other = s.shown(e.To)
	}
	if e.Err != nil {
		out.Error = e.Err.Error()
	}
	return out
}
